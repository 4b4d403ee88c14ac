import numpy as np
import pandas as pd
import pytest

from covid_monai.tables.tallies import interval_of, interval_of_difference, tally


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


def test_the_interval_is_that_of_whole_units_drawn_again(counts):
    names = list(dict.fromkeys(unit for _, unit, *_ in counts))
    weights = np.random.default_rng(0).multinomial(7, np.full(7, 1 / 7), size=2000)
    pooled, means = [], []
    for drawn in weights:
        cases = [
            slice_counts
            for name, times in zip(names, drawn, strict=True)
            for slice_counts in counts
            if slice_counts[1] == name
            for _ in range(times)
        ]
        tp, fp, fn = (sum(slice_counts[place] for slice_counts in cases) for place in (2, 3, 4))
        pooled.append(2 * tp / (2 * tp + fp + fn))
        means.append(np.mean([2 * tp / (2 * tp + fp + fn) for _, _, tp, fp, fn, _ in cases]))
    for averaging, draws in (("pooled", pooled), ("slice", means)):
        expected = np.percentile(draws, [2.5, 97.5])
        assert interval_of(tally(rows_of(counts), "dice", averaging, ["lesion"])) == pytest.approx(tuple(expected))


def test_a_difference_of_the_same_cases_is_paired_and_of_a_constant_shift_narrow(counts):
    worse = [(case, unit, tp, fp + 5, fn, tn) for case, unit, tp, fp, fn, tn in counts]
    better, worse_tally = (tally(rows_of(each), "dice", "slice", ["lesion"]) for each in (counts, worse))
    apart = interval_of_difference(better, worse_tally)
    low, high = interval_of(better)
    assert apart[0] > 0
    assert apart[1] - apart[0] < 0.5 * (high - low)
    assert interval_of_difference(better, better) == pytest.approx((0, 0))


def test_a_difference_of_other_cases_of_the_same_units_draws_the_units_once(counts):
    half = [slice_counts for slice_counts in counts if int(slice_counts[0][1:]) < 10]
    rest = [slice_counts for slice_counts in counts if int(slice_counts[0][1:]) >= 10]
    first, second = (tally(rows_of(each), "dice", "pooled", ["lesion"]) for each in (half, rest))
    weights = np.random.default_rng(0).multinomial(7, np.full(7, 1 / 7), size=2000)
    draws = []
    for drawn in weights:
        values = []
        for cases in (half, rest):
            tp, fp, fn = (sum(c[place] * drawn[int(c[1][1:])] for c in cases) for place in (2, 3, 4))
            values.append(2 * tp / (2 * tp + fp + fn))
        draws.append(values[0] - values[1])
    assert interval_of_difference(first, second) == pytest.approx(tuple(np.percentile(draws, [2.5, 97.5])))


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
