import numpy as np
import pandas as pd
import pytest

from covid_monai.scoring.bootstrap import ClusterBootstrap
from covid_monai.scoring.intervals import Range, Ratios, interval
from covid_monai.tables.tallies import CURVE, curve_tally, interval_of, interval_of_difference


def drawn(seeds: int = 1, slices: int = 12) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = pd.DataFrame(generator.uniform(size=(seeds * slices, len(CURVE))), columns=CURVE)
    names = [f"c{k:02}" for k in range(slices)] * seeds
    # two slices a unit
    return rows.assign(
        case=names, unit=[f"u{int(name[1:]) // 2}" for name in names], fold=0, seed=np.repeat(range(seeds), slices)
    )


def test_the_mean_is_over_slices_and_thresholds():
    rows = drawn()
    assert curve_tally(rows, best=False).value() == pytest.approx(rows[CURVE].to_numpy().mean())


def test_the_best_is_the_highest_point_of_the_mean_curve_not_the_mean_of_the_highest_points():
    rows = drawn()
    assert curve_tally(rows, best=True).value() == pytest.approx(rows[CURVE].mean().max())


def test_each_seed_has_its_own_best_threshold():
    rows = drawn(seeds=2)
    bests = [rows.loc[rows["seed"] == seed, CURVE].mean().max() for seed in (0, 1)]
    assert curve_tally(rows, best=True).value() == pytest.approx(np.mean(bests))


def test_the_interval_of_the_mean_is_that_of_units():
    rows = drawn()
    by_unit = rows.assign(mean=rows[CURVE].mean(axis=1), one=1).groupby("unit")[["mean", "one"]].sum().to_numpy()
    expected = interval(Ratios(by_unit[:, :1], by_unit[:, 1:]), ClusterBootstrap(range(6)), Range())
    assert interval_of(curve_tally(rows, best=False)) == pytest.approx(expected)


@pytest.mark.parametrize("best", [True, False])
def test_derivatives_are_those_of_the_measure(best):
    found = curve_tally(drawn(seeds=2), best)
    sums = found.parts.sum(axis=0)
    gradient = found.gradient(sums)
    assert np.abs(gradient).max() > 0
    for place in [*np.argwhere(sums > 0)[::7].tolist(), [0, 0, -1], [1, 0, -1]]:
        moved = sums.copy()
        moved[tuple(place)] += 1e-7
        assert gradient[tuple(place)] == pytest.approx((found.of(moved) - found.of(sums)) / 1e-7, abs=1e-6)


def test_the_best_threshold_is_chosen_anew_for_every_resample():
    rows = drawn()
    best = curve_tally(rows, best=True)
    threshold = CURVE[int(rows[CURVE].mean().argmax())]
    fixed = rows.assign(one=1).groupby("unit")[[threshold, "one"]].sum().to_numpy()
    of_fixed = interval(Ratios(fixed[:, :1], fixed[:, 1:]), ClusterBootstrap(range(6)), Range())
    assert best.value() == pytest.approx(rows[threshold].mean())
    assert interval_of(best) != pytest.approx(of_fixed, abs=1e-3)


def test_too_few_units_have_no_interval():
    assert interval_of(curve_tally(drawn(slices=8), best=False)) is None


def test_a_difference_draws_the_same_units_for_both():
    rows = drawn()
    better = rows.assign(**{name: rows[name] + 0.1 for name in CURVE})
    # the same shift in every unit: no spread
    assert interval_of_difference(curve_tally(better, best=True), curve_tally(rows, best=True)) is None
    better.loc[better["unit"] == "u1", CURVE] += 0.1
    low, high = interval_of_difference(curve_tally(better, best=False), curve_tally(rows, best=False))
    assert 0 < low < 0.1 + 0.1 / 6 < high < 0.3
