import numpy as np
import pytest
from scipy import stats

from covid_monai.scoring.bootstrap import ClusterBootstrap, cluster_unit


def test_interval_of_a_mean_agrees_with_scipy():
    values = np.random.default_rng(0).normal(size=60)
    bootstrap = ClusterBootstrap(np.arange(60), resamples=20000)
    ours = bootstrap.interval(bootstrap.means(values))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20000, method="percentile", rng=1).confidence_interval
    assert ours == pytest.approx(theirs, abs=0.01)


def test_repeated_slices_of_the_same_patients_do_not_narrow_the_interval():
    values = np.random.default_rng(0).normal(size=10)
    once = ClusterBootstrap(np.arange(10)).means(values)
    often = ClusterBootstrap(np.repeat(np.arange(10), 30)).means(np.repeat(values, 30))
    np.testing.assert_allclose(once, often)


def test_a_resample_holds_as_many_clusters_as_there_are():
    sums = ClusterBootstrap(np.repeat(np.arange(6), 2)).sums(np.ones((12, 1)))
    assert (sums == 12).all()


def test_resampling_in_parts_changes_nothing():
    values = np.random.default_rng(0).random((30, 2))
    clusters = np.arange(30) // 2
    whole = ClusterBootstrap(clusters, seed=3)
    in_parts = ClusterBootstrap(clusters, seed=3, weights_at_once=100)
    assert (len(list(whole.weights())), len(list(in_parts.weights()))) == (1, 334)
    np.testing.assert_allclose(in_parts.sums(values), whole.sums(values))


def test_the_same_seed_gives_the_same_draws_and_another_seed_others():
    values, clusters = np.random.default_rng(0).random((9, 1)), np.arange(9)
    first, again, other = (ClusterBootstrap(clusters, seed=seed).sums(values) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_clusters_may_have_any_names():
    values, numbers = np.random.default_rng(0).random((9, 1)), np.arange(9) // 2
    named = ClusterBootstrap([f"patient {9 - number}" for number in numbers])
    assert named.count == 5
    assert (named.sums(values) == ClusterBootstrap(numbers).sums(values)).all()
    assert named.clusters_with(np.arange(9) < 3) == 2


def test_undefined_draws_are_left_out_and_none_defined_gives_no_interval():
    bootstrap = ClusterBootstrap(range(5))
    assert bootstrap.interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert bootstrap.interval(np.full(3, np.nan)) is None


def test_fewer_than_five_clusters_with_a_value_give_no_interval():
    draws = np.arange(10.0)
    assert ClusterBootstrap(range(4)).interval(draws) is None
    assert ClusterBootstrap(range(9)).interval(draws, clusters=4) is None
    assert ClusterBootstrap(range(9)).interval(draws, clusters=5) is not None


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
