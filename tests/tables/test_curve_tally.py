import numpy as np
import pandas as pd
import pytest

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


@pytest.mark.parametrize("best", [True, False])
def test_the_interval_is_that_of_resampled_units(best):
    rows = drawn()
    low, high = interval_of(curve_tally(rows, best))
    by_unit = rows.groupby("unit")[CURVE].mean().to_numpy()
    generator = np.random.default_rng(1)
    means = np.array([by_unit[generator.integers(0, 6, 6)].mean(axis=0) for _ in range(4000)])
    values = means.max(axis=1) if best else means.mean(axis=1)
    np.testing.assert_allclose((low, high), np.percentile(values, [2.5, 97.5]), atol=0.02)


def test_too_few_units_have_no_interval():
    assert interval_of(curve_tally(drawn(slices=8), best=False)) is None


def test_a_difference_draws_the_same_units_for_both():
    rows = drawn()
    better = rows.assign(**{name: rows[name] + 0.1 for name in CURVE})
    low, high = interval_of_difference(curve_tally(better, best=True), curve_tally(rows, best=True))
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.1))
