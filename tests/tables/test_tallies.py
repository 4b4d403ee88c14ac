import numpy as np
import pandas as pd
import pytest

from covid_monai.scoring.bootstrap import ClusterBootstrap
from covid_monai.scoring.intervals import Range, Ratios, interval
from covid_monai.tables.tallies import (
    effective_units,
    interval_of,
    interval_of_contrast,
    interval_of_difference,
    tally,
)


def rows_of(counts, seed=0, lesion_class="lesion", fold=0):
    """Slices from (case, unit, tp, fp, fn, tn), with their Dice and sensitivity by the formulas."""
    lines = []
    for case, unit, tp, fp, fn, tn in counts:
        pixels = 2 * tp + fp + fn
        lines.append(
            {
                "level": "slice",
                "case": case,
                "volume": "",
                "class": lesion_class,
                "unit": unit,
                "fold": fold,
                "seed": seed,
                "tp": tp,
                "fp": fp,
                "fn": fn,
                "tn": tn,
                "dice": 2 * tp / pixels if pixels else 1.0,
                "sensitivity": tp / (tp + fn) if tp + fn else np.nan,
            }
        )
    return pd.DataFrame(lines)


@pytest.fixture
def counts():
    generator = np.random.default_rng(1)
    return [(f"c{i}", f"u{i % 7}", *map(int, generator.integers(1, 30, 4))) for i in range(20)]


def test_pooled_counts_are_added_up_before_the_measure():
    rows = rows_of([("a", "a", 8, 2, 0, 90), ("b", "b", 0, 0, 10, 90)])
    assert tally(rows, "dice", "pooled", ["lesion"]).value() == pytest.approx(16 / 28)
    assert tally(rows, "dice", "slice", ["lesion"]).value() == pytest.approx((16 / 18 + 0) / 2)
    assert tally(rows, "specificity", "pooled", ["lesion"]).value() == pytest.approx(180 / 182)


def test_slices_without_lesion_and_undefined_values_are_left_out():
    rows = rows_of([("a", "a", 8, 2, 0, 90), ("b", "b", 0, 0, 0, 100), ("c", "c", 2, 0, 2, 96)])
    assert tally(rows, "dice", "slice", ["lesion"]).value() == pytest.approx((16 / 18 + 1 + 4 / 6) / 3)
    assert tally(rows, "dice", "slice_with_lesion", ["lesion"]).value() == pytest.approx((16 / 18 + 4 / 6) / 2)
    of_slices = tally(rows, "sensitivity", "slice", ["lesion"])
    assert of_slices.value() == pytest.approx((1 + 0.5) / 2)
    assert of_slices.contributing_units() == 2


def test_seeds_are_averaged_measure_by_measure():
    rows = pd.concat([rows_of([("a", "a", 8, 2, 0, 90)], seed=0), rows_of([("a", "a", 1, 0, 7, 92)], seed=5)])
    assert tally(rows, "dice", "pooled", ["lesion"]).value() == pytest.approx((16 / 18 + 2 / 9) / 2)


@pytest.mark.parametrize("averaging", ["pooled", "slice"])
def test_a_fold_with_more_seeds_weighs_no_more_than_another(averaging):
    # 0.9 of both seeds on one fold, 0.3 of the only seed on the other: 0.6, not the 0.75 of seeds averaged as equals
    good, poor = [("a", "a", 9, 1, 1, 89)], [("b", "b", 3, 7, 7, 83)]
    rows = pd.concat([rows_of(good, seed=0), rows_of(good, seed=1), rows_of(poor, seed=0, fold=1)])
    found = tally(rows, "dice", averaging, ["lesion"])
    assert found.value() == pytest.approx(0.6)
    assert found.by_job() == pytest.approx({(0, 0): 0.9, (0, 1): 0.9, (1, 0): 0.3})


def test_a_part_is_measured_whatever_fold_its_cases_were_tested_in():
    rows = pd.concat(
        [rows_of([("a", "a", 8, 2, 0, 90)]), rows_of([("b", "b", 0, 0, 10, 90), ("c", "c", 5, 5, 5, 85)], fold=1)]
    )
    pooled, mean = (tally(rows, "dice", averaging, ["lesion"]) for averaging in ("pooled", "slice"))
    drawn = np.array([[1.0, 1, 0], [0, 0, 1]])
    assert pooled.of_parts(drawn) == pytest.approx([16 / 28, 0.5])
    assert mean.of_parts(drawn) == pytest.approx([(16 / 18 + 0) / 2, 0.5])


def test_the_mean_over_classes_is_taken_within_a_slice_over_those_in_its_reference():
    glass = rows_of([("a", "a", 8, 2, 0, 90), ("b", "b", 0, 3, 0, 97)], lesion_class="glass")
    solid = rows_of([("a", "a", 1, 0, 1, 98), ("b", "b", 5, 0, 5, 90)], lesion_class="solid")
    fluid = rows_of([("a", "a", 0, 0, 0, 100), ("b", "b", 0, 0, 0, 100)], lesion_class="fluid")
    rows, classes = pd.concat([glass, solid, fluid]), ["glass", "solid", "fluid"]
    slice_a, slice_b = (16 / 18 + 2 / 3) / 2, 10 / 15
    assert tally(rows, "dice", "slice_with_lesion", classes).value() == pytest.approx((slice_a + slice_b) / 2)
    # fluid is nowhere in the reference
    assert tally(rows, "dice", "pooled", classes).value() == pytest.approx((16 / 21 + 12 / 18) / 2)


def ratio_of(counts, averaging="pooled"):
    """Dice by unit, the units in the order of their names."""
    rows = rows_of(counts)
    rows = rows.assign(pixels=2 * rows["tp"] + rows["fp"] + rows["fn"], twice=2 * rows["tp"], one=1)
    above, below = ("twice", "pixels") if averaging == "pooled" else ("dice", "one")
    by_unit = rows.groupby("unit")[[above, below]].sum().to_numpy(float)
    return Ratios(by_unit[:, :1], by_unit[:, 1:])


@pytest.mark.parametrize("averaging", ["pooled", "slice"])
def test_the_interval_is_that_of_whole_units(counts, averaging):
    expected = interval(ratio_of(counts, averaging), ClusterBootstrap(range(7)), Range())
    assert interval_of(tally(rows_of(counts), "dice", averaging, ["lesion"])) == pytest.approx(expected)


def test_units_are_drawn_within_their_sources(counts):
    rows = rows_of(counts).assign(source=lambda rows: np.where(rows["unit"] < "u3", "part 1", "part 2"))
    bootstrap = ClusterBootstrap(range(7), strata=["part 1"] * 3 + ["part 2"] * 4)
    expected = interval(ratio_of(counts), bootstrap, Range())
    assert interval_of(tally(rows, "dice", "pooled", ["lesion"])) == pytest.approx(expected)
    assert interval_of(tally(rows_of(counts), "dice", "pooled", ["lesion"])) != pytest.approx(expected, abs=1e-3)


def test_a_difference_of_the_same_cases_is_paired_and_narrow(counts):
    worse = [(case, unit, tp, fp + 5, fn, tn) for case, unit, tp, fp, fn, tn in counts]
    better, worse_tally = (tally(rows_of(each), "dice", "slice", ["lesion"]) for each in (counts, worse))
    apart = interval_of_difference(better, worse_tally)
    low, high = interval_of(better)
    assert apart[0] > 0
    assert apart[1] - apart[0] < 0.5 * (high - low)
    expected = ratio_of(counts, "slice") - ratio_of(worse, "slice")
    assert apart == pytest.approx(interval(expected, ClusterBootstrap(range(7)), Range().of_difference))
    # what does not differ anywhere says nothing of other units
    assert interval_of_difference(better, better) is None


def test_a_difference_of_other_cases_of_the_same_units_draws_the_units_once(counts):
    half = [slice_counts for slice_counts in counts if int(slice_counts[0][1:]) < 10]
    rest = [slice_counts for slice_counts in counts if int(slice_counts[0][1:]) >= 10]
    first, second = (tally(rows_of(each), "dice", "pooled", ["lesion"]) for each in (half, rest))
    expected = interval(ratio_of(half) - ratio_of(rest), ClusterBootstrap(range(7)), Range().of_difference)
    assert interval_of_difference(first, second) == pytest.approx(expected)
    assert interval_of_contrast([first, second], [1, -1]) == pytest.approx(expected)


def test_a_contrast_of_pairs_is_the_mean_of_their_differences(counts):
    worse = [(case, unit, tp, fp + k % 4, fn, tn) for k, (case, unit, tp, fp, fn, tn) in enumerate(counts)]
    worst = [(case, unit, tp, fp, fn + k % 5, tn) for k, (case, unit, tp, fp, fn, tn) in enumerate(counts)]
    ratios = [ratio_of(each) for each in (counts, worse, worst)]
    both = Ratios(
        np.hstack([ratio.numerators for ratio in ratios]),
        np.hstack([ratio.denominators for ratio in ratios]),
        (1.0, -0.5, -0.5),
    )
    tallies = [tally(rows_of(each), "dice", "pooled", ["lesion"]) for each in (counts, worse, worst)]
    expected = interval(both, ClusterBootstrap(range(7)), Range().of_difference)
    assert interval_of_contrast(tallies, [1, -0.5, -0.5]) == pytest.approx(expected)


def with_folds_and_seeds(counts, measure_class="lesion", empty=False):
    """Two seeds on the first of two folds, one on the second; the seeds find other pixels."""
    parts = []
    for fold, seed, shift in ((0, 0, 0), (0, 1, 3), (1, 0, 1)):
        own = [each for each in counts if int(each[1][1:]) % 2 == fold]
        moved = [(case, unit, tp + shift, fp, fn + 2 * shift, tn) for case, unit, tp, fp, fn, tn in own]
        moved = [(case, unit, 0, fp, 0, tn) for case, unit, tp, fp, fn, tn in moved] if empty and fold else moved
        parts.append(rows_of(moved, seed=seed, fold=fold, lesion_class=measure_class))
    return pd.concat(parts)


@pytest.mark.parametrize("measure", ["dice", "sensitivity"])
@pytest.mark.parametrize("averaging", ["pooled", "slice"])
@pytest.mark.parametrize("classes", [["glass"], ["glass", "solid"]])
def test_derivatives_are_those_of_the_measure_over_folds_seeds_and_classes(counts, measure, averaging, classes):
    # the second class is in the reference of one fold alone
    rows = pd.concat([with_folds_and_seeds(counts, "glass"), with_folds_and_seeds(counts[::-1], "solid", empty=True)])
    found = tally(rows, measure, averaging, classes)
    sums = found.parts.sum(axis=0)
    gradient = found.gradient(sums)
    assert np.abs(gradient).max() > 0
    for place in np.argwhere(sums > 0):
        moved = sums.copy()
        moved[tuple(place)] += 1e-5
        assert gradient[tuple(place)] == pytest.approx((found.of(moved) - found.of(sums)) / 1e-5, abs=1e-6)


def test_every_case_contributes_its_share_and_all_of_them_one(counts):
    found = tally(rows_of(counts), "dice", "pooled", ["lesion"])
    pixels = np.array([2 * tp + fp + fn for _, _, tp, fp, fn, _ in counts])
    assert found.contributions() == pytest.approx(pixels / pixels.sum())
    by_unit = ratio_of(counts).denominators
    assert effective_units(found) == pytest.approx(by_unit.sum() ** 2 / (by_unit**2).sum())
    rows = with_folds_and_seeds(counts)
    for averaging in ("pooled", "slice"):
        assert tally(rows, "dice", averaging, ["lesion"]).contributions().sum() == pytest.approx(1)


def test_of_fewer_than_five_units_there_is_no_interval(counts):
    few = [(case, f"u{int(case[1:]) % 4}", *rest) for case, _, *rest in counts]
    of_few = tally(rows_of(few), "dice", "pooled", ["lesion"])
    assert interval_of(of_few) is None
    assert interval_of_difference(of_few, tally(rows_of(counts), "dice", "pooled", ["lesion"])) is None


def test_pooled_counts_of_several_slices_of_one_case_are_all_counted():
    rows = rows_of([("volume", "a", 8, 2, 0, 90), ("volume", "a", 0, 0, 10, 90)])
    assert tally(rows, "dice", "pooled", ["lesion"]).value() == pytest.approx(16 / 28)


def test_of_no_case_at_all_there_is_no_interval(counts):
    nothing = tally(rows_of(counts), "dice", "pooled", ["another class"])
    assert interval_of(nothing) is None
