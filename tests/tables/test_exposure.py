import shutil
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from covid_monai.files import read_json, write_json
from covid_monai.tables.exposure import estimate_exposures
from covid_monai.tables.leakage import SplitAudit, exposed_groups
from covid_monai.tables.published import read_published
from covid_monai.tables.records import content
from covid_monai.tables.results import Results
from covid_monai.tables.spec import read_table
from covid_monai.tables.table import DoubtfulGroup, Measure
from covid_monai.tables.write import markdown

TABLE = read_table("zhou2020-v1")
TABLE = replace(
    TABLE, rows=TABLE.rows[:1], measures={"dice": Measure("dice", "slice", 100.0, None)}, doubtful_groups=()
)
GROUPS = (("a0", "a1", "a2"), ("b0", "b1"), ("c0",))
PUBLISHED = Path(__file__).parents[2] / "docs" / "results"


def results_of(differences, unit_of=None, seeds=(0,), table=TABLE):
    """Results of one row whose Dice is 0.5 under grouped and ``differences`` more, by case, under the paper's."""
    lines = [
        {
            **{"protocol": protocol, "slug": table.rows[0].slug, "fold": 0, "seed": seed, "level": "slice"},
            **{"case": case, "unit": (unit_of or {}).get(case, case), "volume": "", "class": "lesion"},
            **dict.fromkeys(("tp", "fp", "fn", "tn"), 1),
            "dice": 0.5 + (difference if protocol == "paper" else 0),
        }
        for protocol in ("paper", "grouped")
        for seed in seeds
        for case, difference in differences.items()
    ]
    scores = pd.DataFrame(lines)
    jobs = scores[["protocol", "slug", "fold", "seed"]].drop_duplicates()
    return Results(Path(), table, "full", {}, jobs, scores, pd.DataFrame(), ())


def exposures_of(differences, groups=GROUPS, **options):
    audit = SplitAudit("paper", "paper", len(differences), sum(map(len, groups)), 0, {}, (), tuple(groups))
    return estimate_exposures(results_of(differences, **options), [audit])


def drawn(generator, rest=40, leak=0.0, within=0.05, between=0.1, groups=GROUPS):
    """Differences whose units have an effect of their own, and ``leak`` more on the exposed ones."""
    units = [*groups, *((f"r{number}",) for number in range(rest))]
    found = {}
    for place, names in enumerate(units):
        effect = generator.normal(0, between) + (leak if place < len(groups) else 0)
        found |= {name: effect + generator.normal(0, within) for name in names}
    return found


def test_the_differences_are_those_of_the_slices_by_hand():
    differences = {"a0": 0.3, "a1": 0.2, "a2": 0.1, "b0": 0.0, "b1": 0.1, "c0": 0.5, "r0": 0.1, "r1": -0.1, "r2": 0.3}
    first, *others = exposures_of(differences)
    assert (first.slices, first.groups, first.rest_slices, first.without) == (6, 3, 3, ())
    assert first.exposed == pytest.approx(100 * 1.2 / 6)
    assert first.rest == pytest.approx(10)
    assert first.excess == pytest.approx(10)
    # each group in turn, which is then in neither of the two
    assert [each.without for each in others] == [("a0, a1, a2",), ("b0, b1",), ("c0",)]
    assert [each.exposed for each in others] == pytest.approx([20, 27.5, 14])
    assert [each.rest for each in others] == pytest.approx([10, 10, 10])


def test_pooled_measures_are_those_of_the_pixels_of_each_set():
    names = ("a0", "b0", *(f"r{number}" for number in range(8)))
    table = replace(TABLE, measures={"dice": replace(TABLE.measures["dice"], averaging="pooled")})
    results = results_of(dict.fromkeys(names, 0.0), table=table)
    generator = np.random.default_rng(6)
    scores = results.scores.assign(**{key: generator.integers(1, 50, 20) for key in ("tp", "fp", "fn")})
    audit = SplitAudit("paper", "paper", 10, 2, 0, {}, (), (("a0",), ("b0",)))
    first = estimate_exposures(replace(results, scores=scores), [audit])[0]

    def dice(protocol, chosen):
        own = scores[(scores["protocol"] == protocol) & scores["case"].isin(chosen)]
        tp, fp, fn = (own[key].sum() for key in ("tp", "fp", "fn"))
        return 2 * tp / (2 * tp + fp + fn)

    assert first.exposed == pytest.approx(100 * (dice("paper", names[:2]) - dice("grouped", names[:2])))
    assert first.rest == pytest.approx(100 * (dice("paper", names[2:]) - dice("grouped", names[2:])))


def test_unrelated_sets_have_the_mean_of_the_rest_and_the_spread_of_their_size():
    differences = drawn(np.random.default_rng(0))
    first = exposures_of(differences)[0]
    rest = 100 * np.array([value for name, value in differences.items() if name.startswith("r")])
    assert first.by_slices.mean == pytest.approx(rest.mean(), abs=0.5)
    # six of forty without replacement
    assert first.by_slices.sd == pytest.approx(rest.std(ddof=1) * np.sqrt(1 / 6 - 1 / 40), rel=0.1)
    # three units with weights 3, 2 and 1 tell less than six slices
    square = (9 + 4 + 1) / 36
    assert first.by_groups.sd == pytest.approx(rest.std(ddof=1) * np.sqrt(square - 1 / 40), rel=0.1)


def test_where_unrelated_slices_are_tied_they_are_drawn_together():
    differences = {name: 0.0 for names in GROUPS for name in names}
    unit_of = {}
    for number, effect in enumerate(np.linspace(-0.2, 0.2, 20)):
        for letter in "xyz":
            differences[f"r{number:02d}{letter}"] = effect
            unit_of[f"r{number:02d}{letter}"] = f"r{number:02d}x"
    first = exposures_of(differences, unit_of=unit_of)[0]
    assert first.rest_slices == 60
    assert first.by_groups.sd > 1.4 * first.by_slices.sd


def test_p_is_that_of_all_relabellings():
    generator = np.random.default_rng(3)
    differences = {f"{letter}0": value for letter, value in zip("abrstuvwxy", generator.normal(size=10), strict=True)}
    first = exposures_of(differences, groups=(("a0",), ("b0",)))[0]
    values = np.array(list(differences.values()))
    excess = [
        values[list(pair)].mean() - np.delete(values, pair).mean() for pair in combinations(range(len(values)), 2)
    ]
    expected = np.mean(np.abs(excess) >= abs(excess[0]) - 1e-12)
    assert first.by_groups.p == pytest.approx(expected, abs=0.04)
    assert first.by_groups == first.by_slices


def test_p_by_groups_is_uniform_without_a_leak_and_by_slices_too_small():
    generator = np.random.default_rng(1)
    found = [exposures_of(drawn(generator, rest=25, groups=GROUPS[:2]), groups=GROUPS[:2])[0] for _ in range(50)]
    by_groups, by_slices = (np.array([getattr(each, name).p for each in found]) for name in ("by_groups", "by_slices"))
    assert 0.4 < by_groups.mean() < 0.6
    for level in (0.1, 0.3, 0.5, 0.7):
        assert abs(np.mean(by_groups <= level) - level) < 0.17
    # the slices of a group share its effect
    assert np.mean(by_slices <= 0.1) > np.mean(by_groups <= 0.1)


def test_a_strong_leak_is_found():
    generator = np.random.default_rng(2)
    first, *others = exposures_of(drawn(generator, leak=0.6))
    assert first.by_groups.p < 0.01
    assert first.by_slices.p < 0.01
    assert first.excess == pytest.approx(60, abs=15)
    assert all(each.by_groups.p < 0.05 for each in others)


def test_a_group_that_the_table_calls_doubtful_is_left_out_with_its_reason():
    doubtful = (DoubtfulGroup(("b0", "b1", "z9"), "similarity 0.61"), DoubtfulGroup(("c0",), "it is dark"))
    table = replace(TABLE, doubtful_groups=doubtful)
    found = exposures_of(drawn(np.random.default_rng(4)), table=table)
    assert [(each.without, each.reason) for each in found[:2]] == [
        ((), ""),
        (("b0, b1", "c0"), "similarity 0.61; it is dark"),
    ]
    assert (found[1].slices, found[1].groups) == (3, 1)
    # and each by itself
    assert [each.without for each in found[2:]] == [("a0, a1, a2",), ("b0, b1",), ("c0",)]


def test_jobs_of_seeds_that_one_protocol_alone_has_do_not_count():
    differences = drawn(np.random.default_rng(5))
    results = results_of(differences, seeds=(0, 1))
    scores = results.scores.copy()
    scores.loc[(scores["protocol"] == "paper") & (scores["seed"] == 1), "dice"] += 0.4
    gone = {
        name: lines[~((lines["protocol"] == "grouped") & (lines["seed"] == 1))]
        for name, lines in (("jobs", results.jobs), ("scores", scores))
    }
    audit = SplitAudit("paper", "paper", 46, 6, 0, {}, (), GROUPS)
    assert estimate_exposures(replace(results, **gone), [audit]) == exposures_of(differences)


def test_too_few_slices_give_no_p_and_none_exposed_gives_nothing():
    (first,) = exposures_of({"c0": 0.3, "r0": 0.1, "r1": 0.2}, groups=(("c0",),))
    assert (first.by_groups.p, first.by_slices.p) == (None, None)
    assert exposures_of({"r0": 0.1, "r1": 0.2}) == []
    assert exposures_of({"a0": 0.1, "c0": 0.2}) == []


def test_groups_are_of_test_slices_that_their_fold_trains_relatives_of():
    folds = [
        {"a": "test", "b": "train", "c": "train", "d": "validation", "e": "test", "f": "test"},
        {"a": "train", "b": "test", "c": "train", "d": "test", "e": "train", "f": "train"},
    ]
    sets = [("a", "b"), ("e", "f"), ("d", "b"), ("c",)]
    # d is tested together with b, and e with f
    assert exposed_groups(folds, sets) == (("a", "b"),)
    assert exposed_groups(folds, [*sets, ("d", "f"), ("b", "f")]) == (("a", "b", "d", "f"),)


@pytest.fixture(scope="module")
def published():
    return read_published(PUBLISHED / "zhou2020-v1")


def without_exposed_groups(folder, name):
    """As it was published before the audit named the exposed slices."""
    place = shutil.copytree(PUBLISHED / name, folder / name)
    stored = read_json(place / "table.json")
    audit = [{key: value for key, value in each.items() if key != "exposed_groups"} for each in stored["audit"]]
    write_json(place / "table.json", {**stored, "audit": audit})
    return place


@pytest.mark.slow
def test_results_that_do_not_name_their_exposed_slices_have_them_by_their_findings(published, tmp_path):
    old = read_published(without_exposed_groups(tmp_path, "zhou2020-v1"))
    paper = next(audit for audit in old.audits if audit.name == "paper")
    assert (paper.exposed, sum(map(len, paper.exposed_groups)), len(paper.exposed_groups)) == (12, 12, 4)
    assert old.audits == published.audits
    assert old.exposures == published.exposures


def test_findings_that_are_not_all_of_the_exposed_slices_give_none(tmp_path):
    place = without_exposed_groups(tmp_path, "zhou2020-v1")
    stored = read_json(place / "table.json")
    stored["audit"][0]["exposed"] += 1
    write_json(place / "table.json", stored)
    assert read_published(place).exposures == ()


def test_the_exposed_slices_and_their_random_sets_stand_in_the_table(published):
    text = markdown(published)
    assert "## What a leak may be worth" in text
    assert "without part1_033, part1_097" in text
    assert "similarity 0.61" in text
    assert "random relabellings" in text
    stored = content(published)["exposure"]
    assert max(each["slices"] for each in stored) == 12


def test_the_difference_of_published_scores_is_that_of_their_slices(published):
    scores = published.results.scores
    own = scores[(scores["slug"] == "au-net-ftl") & (scores["level"] == "slice")]
    paper, grouped = (own[own["protocol"] == name].set_index("case")["dice"] for name in ("paper", "grouped"))
    difference = 100 * (paper - grouped)
    exposed = [f"part1_{number:03d}" for number in (4, 5, 17, 46, 91, 93, 10, 43, 21, 53, 33, 97)]
    first = next(each for each in published.exposures if (each.row.slug, each.measure.name) == ("au-net-ftl", "dice"))
    assert first.exposed == pytest.approx(difference[exposed].mean())
    assert first.rest == pytest.approx(difference.drop(exposed).mean())
