import math

import numpy as np
import pytest

from covid_monai.tables.verdict import (
    Difference,
    SeedSpread,
    SlicesTested,
    difference_of,
    judge,
    pooled_seed_spread,
    sampling_half_width,
    sd_of_drawn_parts,
    standard_error,
)

ALL = SlicesTested(100, 100, 100)


def test_seeds_are_pooled_over_rows_by_their_degrees_of_freedom():
    # sums of squares 2 and 0.5, of 2 + 1 degrees; a single seed adds nothing
    spread = pooled_seed_spread([[1.0, 2.0, 3.0], [4.0, 5.0], [9.0]])
    assert (spread.sd, spread.df) == (pytest.approx(math.sqrt(2.5 / 3)), 3)
    assert pooled_seed_spread([[1.0], []]).df == 0


def test_the_standard_error_is_that_of_the_formula():
    # 0.04 * [(1/20 - 1/100) + (1/20 - 1/100)] + 0.0004 * (1 + 1/3)
    error = standard_error(0.2, SlicesTested(100, 20, 20), SeedSpread(0.02, 4), 3)
    assert error == pytest.approx(math.sqrt(0.04 * 0.08 + 0.0004 * 4 / 3))
    # whoever tests all slices draws nothing
    assert standard_error(0.2, ALL, SeedSpread(0.02, 4), 1) == pytest.approx(0.02 * math.sqrt(2))


def test_the_interval_is_widened_by_the_rounding():
    # t(0.975, 4) = 2.776445; SE = 0.01 * sqrt(1.5)
    found = difference_of("dice", 0.62, 0.61, 0.0005, 0.2, ALL, SeedSpread(0.01, 4), 2)
    reach = 2.776445 * 0.01 * math.sqrt(1.5)
    assert found.value == pytest.approx(0.01)
    assert (found.low, found.high) == pytest.approx((0.01 - reach - 0.0005, 0.01 + reach + 0.0005), abs=1e-7)


def test_specificity_is_compared_by_the_logarithm_of_the_false_alarms():
    found = difference_of("specificity", 0.98, 0.99, 0.0005, 1.0, ALL, SeedSpread(0.1, 10), 1)
    reach = 2.228139 * 0.1 * math.sqrt(2)
    assert found.value == pytest.approx(math.log(2))
    assert found.low == pytest.approx(math.log(0.02 / 0.0105) - reach, abs=1e-6)
    assert found.high == pytest.approx(math.log(0.02 / 0.0095) + reach, abs=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.049, 0.049, "reproduced"),
        (-0.05, 0.02, "cannot tell"),
        (0.01, 0.2, "cannot tell"),
        (0.05, 0.2, "higher"),
        (-0.2, -0.05, "lower"),
        # an imprecise value is no reproduced one
        (-0.2, 0.2, "cannot tell"),
    ],
)
def test_the_interval_and_the_margin_decide(low, high, word):
    assert judge("dice", Difference((low + high) / 2, low, high), 0.05).word == word


def test_more_false_alarms_are_a_lower_specificity():
    assert judge("specificity", Difference(1.0, 0.7, 1.3), math.log(2)).word == "lower"
    assert judge("specificity", Difference(-1.0, -1.3, -0.7), math.log(2)).word == "higher"
    assert judge("specificity", Difference(0.1, -0.4, 0.6), math.log(2)).word == "reproduced"


@pytest.mark.parametrize(
    ("measure", "ours", "published", "sd", "seeds", "reason"),
    [
        ("dice", 0.6, 0.6, 0.2, SeedSpread(math.nan, 0), "no second seed"),
        ("dice", 0.6, 0.6, 0.2, SeedSpread(0.0, 2), "no spread"),
        ("dice", 0.6, 0.6, math.nan, SeedSpread(0.1, 2), "the SD over slices is not known"),
        ("specificity", 0.999, 0.9995, 1.0, SeedSpread(0.1, 2), "1 - specificity is 0 after rounding"),
        ("specificity", 1.0, 0.98, 1.0, SeedSpread(0.1, 2), "1 - specificity is 0 after rounding"),
    ],
)
def test_what_cannot_be_told_says_why(measure, ours, published, sd, seeds, reason):
    found = difference_of(measure, ours, published, 0.0005, sd, ALL, seeds, 2)
    assert vars(judge(measure, found, 0.05)) == {"word": "cannot tell", "reason": reason}


def test_the_spread_of_drawn_parts_of_a_mean_is_that_over_its_cases():
    values = np.random.default_rng(3).normal(0.6, 0.2, 98)
    for tested in (20, 90):
        sd = sd_of_drawn_parts(lambda parts: parts @ values / parts.sum(axis=1), 98, tested, draws=4000)
        assert sd == pytest.approx(values.std(ddof=1), rel=0.05)
    assert math.isnan(sd_of_drawn_parts(lambda parts: parts @ values[:3], 3, 20))


def test_one_fold_against_one_fold_leaves_a_wide_interval():
    assert sampling_half_width(0.2, SlicesTested(100, 20, 20)) == pytest.approx(1.959964 * 0.2 * math.sqrt(0.08))


@pytest.mark.parametrize("tested", [20, 98])
def test_intervals_of_same_trainings_hold_no_difference_95_times_in_100(tested):
    """Two labs draw test parts of the same 100 slices and train with seeds of the same spread; the truth is d = 0."""
    generator = np.random.default_rng(11)
    held, runs, seeds, rows = 0, 1000, 3, 4
    for _ in range(runs):
        slices = generator.normal(0.6, 0.15, 100)
        published = slices[generator.permutation(100)[:20]].mean() + generator.normal(0, 0.02)
        own = slices[generator.permutation(100)[:tested]]
        trained = generator.normal(0, 0.02, (rows, seeds))
        ours = own.mean() + trained[0].mean()
        parts = SlicesTested(100, 20, tested)
        found = difference_of(
            "dice", ours, round(published, 3), 0.0005, own.std(ddof=1), parts, pooled_seed_spread(trained), seeds
        )
        held += found.low <= 0 <= found.high
    assert 0.93 <= held / runs <= 0.985
