import numpy as np
import pytest

from covid_monai.scoring.bootstrap import ClusterBootstrap, cluster_unit, effective_number


def drawn(bootstrap):
    return np.concatenate(list(bootstrap.weights()))


def test_rows_are_added_up_by_cluster():
    values = np.arange(12.0).reshape(6, 2)
    totals = ClusterBootstrap(["b", "a", "b", "c", "a", "b"]).totals(values)
    assert totals.tolist() == [[0 + 4 + 10, 1 + 5 + 11], [2 + 8, 3 + 9], [6, 7]]


def test_a_resample_holds_as_many_clusters_as_there_are():
    weights = drawn(ClusterBootstrap(np.repeat(np.arange(6), 2)))
    assert weights.shape == (2000, 6)
    assert (weights.sum(axis=1) == 6).all()
    # each cluster once on average, with the variance of a multinomial
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.1)
    np.testing.assert_allclose(weights.var(axis=0), 5 / 6, atol=0.1)


def test_each_source_keeps_its_number_of_clusters():
    sources = ["part 1"] * 9 + ["part 2"] * 3
    bootstrap = ClusterBootstrap([*range(9), 20, 21, 21], strata=sources)
    assert bootstrap.strata == {"part 1": 9, "part 2": 2}
    weights = drawn(bootstrap)
    assert (weights[:, :9].sum(axis=1) == 9).all()
    assert (weights[:, 9:].sum(axis=1) == 2).all()
    # the sources are drawn apart
    assert abs(np.corrcoef(weights[:, 0], weights[:, 9])[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("sources", "strata"),
    [
        ("xxxyzz", {"x": 3, "z + y": 3}),
        ("xxxyyz", {"x": 3, "y + z": 3}),
        ("xxxxyz", {"x": 4, "y + z": 2}),
        ("xyz", {"x + y + z": 3}),
        ("x", {"x": 1}),
    ],
)
def test_no_stratum_has_a_single_cluster_where_there_are_others(sources, strata):
    assert ClusterBootstrap(range(len(sources)), strata=list(sources)).strata == strata


def test_a_cluster_of_several_sources_is_of_that_of_its_first_row():
    bootstrap = ClusterBootstrap(list("aabbccdd"), strata=list("xyyyxyyy"))
    assert {name: own.tolist() for name, own in bootstrap.members.items()} == {"x": [0, 2], "y": [1, 3]}


def test_resampling_in_parts_changes_nothing():
    clusters, strata = np.arange(30) // 2, np.arange(30) // 20
    whole = ClusterBootstrap(clusters, strata=strata, seed=3, weights_at_once=10**9)
    in_parts = ClusterBootstrap(clusters, strata=strata, seed=3, weights_at_once=100)
    assert (len(list(whole.weights())), len(list(in_parts.weights()))) == (1, 334)
    assert (drawn(in_parts) == drawn(whole)).all()
    assert (drawn(in_parts) == drawn(in_parts)).all()


def test_the_same_seed_gives_the_same_draws_and_another_seed_others():
    first, again, other = (drawn(ClusterBootstrap(range(9), seed=seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_weights_that_are_too_many_to_be_kept_are_drawn_alike(monkeypatch):
    kept = drawn(ClusterBootstrap(range(9)))
    monkeypatch.setattr("covid_monai.scoring.bootstrap._MOST_KEPT", 0)
    bootstrap = ClusterBootstrap(range(9))
    for _ in range(2):
        assert (drawn(bootstrap) == kept).all()


def test_the_effective_number_is_that_of_equal_units_and_small_where_one_has_most():
    assert effective_number(np.full(7, 3.0)) == pytest.approx(7)
    # the lesion pixels of the seven patients of part 2
    pixels = [463407, 224607, 18467, 64022, 133620, 1236401, 181240]
    assert effective_number(pixels) == pytest.approx(2.9154, abs=1e-4)
    assert effective_number([5, 0, 0]) == 1
    assert effective_number([0, 0]) == 0


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
