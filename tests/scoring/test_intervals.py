import math

import numpy as np
import pytest
from scipy import stats

from covid_monai.scoring.bootstrap import ClusterBootstrap
from covid_monai.scoring.intervals import Range, Ratios, interval, mean_of, standard_errors

LINE = Range(-math.inf, math.inf)


def pooled(units=6, seed=0):
    """A ratio of sums whose units are unequal: the last has about half of the denominator."""
    generator = np.random.default_rng(seed)
    denominators = generator.uniform(1, 3, (units, 1))
    denominators[-1] = denominators[:-1].sum()
    return Ratios(denominators * generator.uniform(0.4, 0.95, (units, 1)), denominators)


def mean(values):
    column = np.asarray(values, dtype=np.float64)[:, None]
    return Ratios(column, np.ones_like(column))


def jackknife(statistic, copies, strata):
    """The standard error by leaving each copy of a unit out; those of its stratum are then weighed up."""
    variance = 0.0
    for name in dict.fromkeys(strata[copies]):
        own = [place for place, unit in enumerate(copies) if strata[unit] == name]
        values = []
        for left_out in own:
            weights = np.zeros(len(strata))
            for place, unit in enumerate(copies):
                if place != left_out:
                    weights[unit] += len(own) / (len(own) - 1) if place in own else 1
            sums, totals = weights @ statistic.numerators, weights @ statistic.denominators
            values.append(float((sums / totals) @ statistic.factors))
        variance += (len(own) - 1) / len(own) * np.sum((np.array(values) - np.mean(values)) ** 2)
    return math.sqrt(variance)


@pytest.mark.parametrize("sources", ["xxxxxx", "xxyyyy"])
def test_the_standard_error_of_a_ratio_is_that_of_leaving_each_unit_out(sources):
    statistic, strata = pooled(), np.array(list(sources))
    bootstrap = ClusterBootstrap(range(6), strata=strata)
    for weights in ([1, 1, 1, 1, 1, 1], [2, 0, 1, 0, 3, 0], [1, 1, 0, 2, 0, 2]):
        row = np.array([weights], dtype=np.float64)
        error = standard_errors(row, statistic.drawn(row)[1], statistic.contributions, bootstrap)
        copies = [unit for unit, times in enumerate(weights) for _ in range(times)]
        assert error[0] == pytest.approx(jackknife(statistic, np.array(copies), strata))


def test_the_interval_is_the_bootstrap_t_by_its_definition():
    statistic, strata = pooled(), np.array(list("xxxxxx"))
    bootstrap = ClusterBootstrap(range(6), strata=strata, resamples=300)
    logit = lambda share: math.log(share / (1 - share))  # noqa: E731
    value = float(statistic.numerators.sum() / statistic.denominators.sum())
    spread = jackknife(statistic, np.arange(6), strata) / (value * (1 - value))
    apart = []
    for weights in np.concatenate(list(bootstrap.weights())).astype(int):
        copies = np.repeat(np.arange(6), weights)
        drawn = float(statistic.numerators[copies].sum() / statistic.denominators[copies].sum())
        error = jackknife(statistic, copies, strata)
        apart.append(abs(logit(drawn) - logit(value)) * drawn * (1 - drawn) / error if error > 1e-9 else 0)
    reach = sorted(apart)[math.ceil(0.95 * 301) - 1]
    expected = [1 / (1 + math.exp(-(logit(value) + sign * reach * spread))) for sign in (-1, 1)]
    assert interval(statistic, bootstrap, Range()) == pytest.approx(tuple(expected))


def test_of_a_mean_of_many_normal_values_it_is_students():
    values = np.random.default_rng(0).normal(size=60)
    found = interval(mean(values), ClusterBootstrap(range(60)), LINE)
    expected = stats.t.interval(0.95, 59, values.mean(), stats.sem(values))
    assert found == pytest.approx(expected, abs=0.02)


def test_of_few_values_it_is_wider_than_the_percentile_interval():
    values = np.random.default_rng(0).normal(size=6)
    bootstrap = ClusterBootstrap(range(6))
    low, high = interval(mean(values), bootstrap, LINE)
    draws = np.concatenate([weights @ values / 6 for weights in bootstrap.weights()])
    assert high - low > 1.3 * np.ptp(np.percentile(draws, [2.5, 97.5]))


def test_repeated_slices_of_the_same_patients_do_not_narrow_it():
    values = np.random.default_rng(0).uniform(size=10)
    once = interval(mean(values), ClusterBootstrap(range(10)), Range())
    slices = np.column_stack([np.repeat(values, 30), np.ones(300)])
    bootstrap = ClusterBootstrap(np.repeat(np.arange(10), 30))
    totals = bootstrap.totals(slices)
    assert interval(Ratios(totals[:, :1], totals[:, 1:]), bootstrap, Range()) == pytest.approx(once)


def test_what_lies_between_the_sources_is_no_uncertainty():
    values = np.concatenate([np.random.default_rng(0).uniform(0.1, 0.2, 20), np.linspace(0.8, 0.9, 20)])
    apart = interval(mean(values), ClusterBootstrap(range(40), strata=np.arange(40) // 20), Range())
    mixed = interval(mean(values), ClusterBootstrap(range(40)), Range())
    assert np.ptp(apart) < 0.2 * np.ptp(mixed)


@pytest.mark.parametrize("measure_range", [Range(), Range().of_difference, Range(high=math.inf), LINE])
def test_a_range_leads_to_the_line_and_back(measure_range):
    values = np.array([0.001, 0.3, 0.9])
    places = measure_range.line(values)
    assert [measure_range.value(place) for place in places] == pytest.approx(values.tolist())
    ahead = (measure_range.line(values + 1e-7) - places) / 1e-7
    assert measure_range.slope(values) == pytest.approx(ahead, rel=1e-3)
    for place in (-1e4, 1e4):
        assert measure_range.low <= measure_range.value(place) <= measure_range.high


def test_no_interval_leaves_the_range_of_its_measure():
    high, low = [0.99, 0.999, 0.9999, 0.97, 0.9], [0.1, 0.02, 0.0, 0.001, 0.03]
    bootstrap = ClusterBootstrap(range(5))
    for values in (high, low):
        assert 0 < interval(mean(values), bootstrap, Range())[0] < np.mean(values)
        assert np.mean(values) < interval(mean(values), bootstrap, Range())[1] < 1
    apart = interval(mean(high) - mean(low), bootstrap, Range().of_difference)
    assert -1 < apart[0] < apart[1] < 1
    distances = interval(mean([0.1, 0.2, 90, 0.1, 0.3]), bootstrap, Range(high=math.inf))
    assert 0 < distances[0] < distances[1]


def test_a_measure_that_is_mostly_perfect_has_an_interval_short_of_the_whole_range():
    """Resamples without a unit that is not perfect have no spread of their own."""
    found = interval(mean([1.0] * 19 + [0.98]), ClusterBootstrap(range(20)), Range())
    assert 0.9 < found[0] < 0.999
    assert 0.999 < found[1] < 1


def test_fewer_than_five_units_that_contribute_have_none():
    numerators, denominators = np.full((9, 1), 0.5), np.ones((9, 1))
    numerators[0] = 0.4
    bootstrap = ClusterBootstrap(range(9))
    denominators[5:], numerators[5:] = 0, 0
    assert interval(Ratios(numerators, denominators), bootstrap, Range()) is not None
    denominators[4], numerators[4] = 0, 0
    assert interval(Ratios(numerators, denominators), bootstrap, Range()) is None


def test_units_that_agree_say_nothing_of_others():
    bootstrap = ClusterBootstrap(range(8))
    assert interval(mean([0.7] * 8), bootstrap, Range()) is None
    assert interval(mean([1.0] * 8), bootstrap, Range()) is None
    first = mean(np.linspace(0.3, 0.5, 8))
    assert interval(first - first, bootstrap, Range().of_difference) is None


def test_the_derivatives_are_those_of_the_values():
    statistic = mean_of([pooled(seed=1), pooled(seed=2)]) - pooled(seed=3)
    weights = np.array([[1.0, 2, 0, 1, 1, 1]])
    value, influences = statistic.drawn(weights)
    for unit in range(6):
        moved = weights.copy()
        moved[0, unit] += 1e-6
        assert influences[0, unit] == pytest.approx((statistic.drawn(moved)[0][0] - value[0]) / 1e-6, abs=1e-5)


def test_a_unit_contributes_its_share_of_the_denominator():
    statistic = pooled()
    expected = statistic.denominators[:, 0] / statistic.denominators.sum()
    assert statistic.contributions == pytest.approx(expected)
    assert (statistic - mean([0.5] * 6)).contributions == pytest.approx((expected + 1 / 6) / 2)
