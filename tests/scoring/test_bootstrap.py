import numpy as np
import pytest
from scipy import stats

from covid_monai.scoring import bootstrap
from covid_monai.scoring.bootstrap import cluster_unit, percentile_interval, resampled_sums


def mean_draws(values, clusters, **settings):
    drawn = resampled_sums(np.stack([values, np.ones_like(values)], axis=1), clusters, **settings)
    return drawn[:, 0] / drawn[:, 1]


def test_interval_of_a_mean_agrees_with_scipy():
    values = np.random.default_rng(0).normal(size=60)
    ours = percentile_interval(mean_draws(values, np.arange(60), resamples=20000))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20000, method="percentile", rng=1).confidence_interval
    assert ours == pytest.approx(theirs, abs=0.01)


def test_repeated_slices_of_the_same_patients_do_not_narrow_the_interval():
    values = np.random.default_rng(0).normal(size=10)
    once = mean_draws(values, np.arange(10))
    often = mean_draws(np.repeat(values, 30), np.repeat(np.arange(10), 30))
    np.testing.assert_allclose(once, often)


def test_a_resample_holds_as_many_clusters_as_there_are():
    sums = resampled_sums(np.ones((12, 1)), np.repeat(np.arange(6), 2))
    assert (sums == 12).all()


def test_resampling_in_parts_changes_nothing(monkeypatch):
    values = np.random.default_rng(0).random((30, 2))
    clusters = np.arange(30) // 2
    whole = resampled_sums(values, clusters, seed=3)
    monkeypatch.setattr(bootstrap, "_WEIGHTS_AT_ONCE", 100)
    np.testing.assert_allclose(resampled_sums(values, clusters, seed=3), whole)


def test_the_same_seed_gives_the_same_draws_and_another_seed_others():
    values, clusters = np.random.default_rng(0).random((9, 1)), np.arange(9)
    first = resampled_sums(values, clusters, seed=1)
    assert (first == resampled_sums(values, clusters, seed=1)).all()
    assert (first != resampled_sums(values, clusters, seed=2)).any()


def test_undefined_draws_are_left_out_and_none_defined_gives_no_interval():
    assert percentile_interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert percentile_interval(np.full(3, np.nan)) is None


@pytest.mark.parametrize(
    ("patients", "volumes", "unit"),
    [
        (["a", "b"], ["", ""], "patient"),
        (["a", ""], ["v", "w"], "volume"),
        (["a", ""], ["v", ""], "case"),
    ],
)
def test_clusters_are_patients_else_volumes_else_cases(patients, volumes, unit):
    assert cluster_unit(patients, volumes) == unit
