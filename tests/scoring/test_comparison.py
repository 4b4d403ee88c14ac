import json
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from covid_monai.errors import InputError
from covid_monai.scoring import Scorer
from covid_monai.scoring.comparison import COMPARISON_RULE, Comparison, compare
from covid_monai.scoring.folders import match_masks, score_pairs
from covid_monai.scoring.label_classes import LabelClasses
from covid_monai.scoring.markdown import comparison_markdown
from covid_monai.scoring.paired_tests import holm, signed_rank
from covid_monai.scoring.write import write_comparison

from .mask_folders import write_folder
from .masks import blobs

CASES, PATIENTS = 24, 8
NAMES = ["background", "ground-glass", "consolidation"]


def scores(noise, cases=CASES, patients=PATIENTS, names=("background", "lesion"), shape=(16, 16, 1)):
    """References of a seed, predicted with a share of pixels wrong."""
    scorer = Scorer(names)
    for k in range(cases):
        truth = blobs(shape, k)
        wrong = np.random.default_rng(1000 * noise + k).random(shape) < 0.02 * noise
        label = 1 + k % (len(names) - 1)
        patient = f"p{k % patients}" if patients else ""
        scorer.add(
            case=f"c{k}",
            prediction=(truth ^ wrong).astype(np.uint8) * label,
            reference=truth.astype(np.uint8) * label,
            spacing=None,
            patient=patient,
        )
    return scorer.summary()


def case_dice(summary):
    counts = summary.rows[summary.rows["level"] == "slice"].groupby(["case", "patient"])[["tp", "fp", "fn"]].sum()
    return 2 * counts["tp"] / (2 * counts["tp"] + counts["fp"] + counts["fn"])


def brute_force(differences):
    """Two-sided p of the signed ranks, by all ways to sign them."""
    ranks = stats.rankdata(np.abs(differences))[differences != 0]
    observed = (ranks * np.sign(differences[differences != 0])).sum()
    sums = np.array([np.dot(signs, ranks) for signs in product((-1, 1), repeat=len(ranks))])
    return (np.abs(sums) >= abs(observed) - 1e-9).mean()


@pytest.mark.parametrize(
    "differences",
    [
        [0.1, -0.2, 0.3, 0.4, 0.5, 0.6],
        [0.1, 0.1, -0.1, 0.3, 0.3, 0.7, 0.9],
        [0.0, 0.0, 0.0, 0.2, -0.1, 0.3, 0.4, 0.4],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.2],
    ],
    ids=["plain", "ties", "zeros and ties", "one that differs"],
)
def test_few_pairs_are_tested_exactly_with_ties_and_zeros(differences):
    result = signed_rank(np.array(differences))
    assert result.method == "exact"
    assert result.p == pytest.approx(brute_force(np.array(differences)))


def test_many_pairs_with_zeros_have_the_p_of_a_simulation():
    differences = np.concatenate([np.zeros(10), np.random.default_rng(0).normal(0.35, 1, 40)])
    result = signed_rank(differences)
    ranks = stats.rankdata(np.abs(differences))[10:]
    signs = np.random.default_rng(1).choice([-1, 1], size=(200_000, 40))
    observed = abs((ranks * np.sign(differences[10:])).sum())
    assert result.p == pytest.approx((np.abs(signs @ ranks) >= observed).mean(), abs=0.005)


def test_few_signs_among_many_zeros_are_tested_exactly():
    """Four equal signs can come about by chance in 2 of 16 ways, however many pairs do not differ."""
    result = signed_rank(np.array([0.0] * 40 + [0.1, 0.2, 0.3, 0.4]))
    assert result == type(result)(statistic=0.0, p=0.125, method="exact")


@pytest.mark.parametrize("count", [20, 60, 200])
def test_without_ties_it_is_scipys_exact_test(count):
    differences = np.random.default_rng(count).normal(0.05, 1, count)
    expected = stats.wilcoxon(differences, method="exact")
    result = signed_rank(differences)
    assert result.method == "exact"
    assert result.statistic == expected.statistic
    assert result.p == pytest.approx(expected.pvalue, rel=1e-9)


def test_beyond_three_hundred_differences_it_agrees_with_the_normal_curve():
    differences = np.random.default_rng(1).normal(0.1, 1, 300)
    approximate = stats.wilcoxon(differences, zero_method="pratt", method="approx")
    assert signed_rank(differences).p == pytest.approx(approximate.pvalue, rel=0.02)
    assert signed_rank(np.append(differences, 0.05)).method == "normal approximation"


def test_pairs_that_cannot_be_tested_say_why():
    assert signed_rank(np.arange(1.0, 6.0)).method == "not tested: 5 pairs, at least 6 are needed"
    assert signed_rank(np.full(9, 1e-15)).method == "not tested: all differences are 0"
    assert signed_rank(np.arange(1.0, 6.0)).p is None


def test_holms_correction_is_that_of_its_definition():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, None, 0.8]) == pytest.approx([1.0, None, 1.0])
    assert holm([]) == []


def test_every_pair_has_its_difference_and_its_test_by_patient():
    summaries = {f"n{noise}": scores(noise) for noise in (1, 2, 6)}
    comparison = compare(summaries)
    assert [(pair.first, pair.second) for pair in comparison.differences] == [("n1", "n2"), ("n1", "n6"), ("n2", "n6")]
    assert (comparison.cases, comparison.unit, comparison.units) == (CASES, "patient", PATIENTS)
    raw = []
    for pair in comparison.differences:
        first, second = (case_dice(summaries[name]) for name in (pair.first, pair.second))
        patients = (first - second).groupby(level="patient").mean()
        expected = stats.wilcoxon(patients, method="exact")
        raw.append(expected.pvalue)
        assert (pair.statistic, pair.p) == pytest.approx((expected.statistic, expected.pvalue))
        assert pair.per_case.value == pytest.approx((first - second).mean())
        values = [summaries[name].value("dice", level="pooled") for name in (pair.first, pair.second)]
        assert pair.pooled.value == pytest.approx(values[0] - values[1])
        assert (pair.higher, pair.equal, pair.lower) == ((patients > 0).sum(), 0, (patients < 0).sum())
        assert pair.pooled.interval[0] < pair.pooled.value < pair.pooled.interval[1]
    assert [pair.p_holm for pair in comparison.differences] == pytest.approx(holm(raw))


def test_ratings_and_intervals_are_those_of_the_scores():
    summary = scores(3)
    rating = compare({"one": summary, "two": scores(4)}).ratings[0]
    levels = summary.content["levels"]
    for level, estimate in (("pooled", rating.pooled), ("slice", rating.per_case)):
        dice = levels[level]["classes"]["lesion"]["measures"]["dice"]
        assert estimate.value == pytest.approx(dice["value"])
        assert estimate.interval == pytest.approx(dice["interval"])


def test_the_interval_of_a_difference_draws_the_same_patients_on_both_sides():
    # two predictions that differ by the same in every case: the difference has no spread, whoever is drawn
    first, second = Scorer(["background", "lesion"]), Scorer(["background", "lesion"])
    for k in range(10):
        truth = np.zeros((20, 20, 1), np.uint8)
        truth[: 2 + k] = 1
        add = {"case": f"c{k}", "reference": truth, "spacing": None}
        first.add(prediction=truth, **add)
        second.add(prediction=np.zeros_like(truth) if k < 5 else truth, **add)
    same = compare({"a": first.summary(), "b": first.summary()}).differences[0]
    # pairs that all agree have no spread to judge others by
    assert same.pooled.interval is same.per_case.interval is None
    assert same.pooled.effective < same.per_case.effective == 10
    assert same.method == "not tested: all differences are 0"
    other = compare({"a": first.summary(), "b": second.summary()}).differences[0]
    assert (other.higher, other.equal, other.lower) == (5, 5, 0)
    assert other.per_case.value == pytest.approx(0.5)
    assert other.p == pytest.approx(2 / 2**5)


def test_cases_are_the_units_where_a_patient_is_unknown():
    comparison = compare({"a": scores(1, patients=0), "b": scores(2, patients=0)})
    assert (comparison.unit, comparison.units) == ("case", CASES)


def test_a_volume_is_one_case_however_many_slices_it_has():
    summaries = {f"n{noise}": scores(noise, cases=7, patients=0, shape=(12, 12, 5)) for noise in (1, 5)}
    comparison = compare(summaries)
    assert comparison.units == 7
    assert comparison.ratings[0].per_case.value == pytest.approx(summaries["n1"].value("dice", level="volume"))


def test_holms_correction_counts_the_classes_too():
    comparison = compare({"a": scores(1, names=NAMES), "b": scores(3, names=NAMES)})
    assert [pair.lesion_class for pair in comparison.differences] == ["ground-glass", "consolidation", "any lesion"]
    raw = [pair.p for pair in comparison.differences]
    assert [pair.p_holm for pair in comparison.differences] == pytest.approx(holm(raw))


def test_few_units_have_neither_interval_nor_test():
    comparison = compare({"a": scores(1, patients=4), "b": scores(2, patients=4)})
    (pair,) = comparison.differences
    assert pair.pooled.interval is None
    assert pair.p is pair.p_holm is None
    assert pair.method == "not tested: 4 pairs, at least 6 are needed"


def test_scores_of_other_cases_are_not_compared():
    with pytest.raises(InputError, match="b was scored on other cases"):
        compare({"a": scores(1), "b": scores(1, cases=20)})
    with pytest.raises(InputError, match="two or more"):
        compare({"a": scores(1)})


def test_files_hold_the_comparison_and_its_rule(tmp_path):
    references = write_folder(tmp_path / "references", 0)
    folders = {f"s{seed}": write_folder(tmp_path / f"s{seed}", seed) for seed in (0, 1, 2)}
    (folders["s2"] / "c5.nii.gz").unlink()
    summaries = {
        name: score_pairs(match_masks(folder, references, missing_as_empty=True), LabelClasses())
        for name, folder in folders.items()
    }
    comparison = compare(summaries)
    write_comparison(comparison, summaries, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert content["rule"] == COMPARISON_RULE
    assert content["inputs"]["s2"]["missing_as_empty"] == ["c5"]
    table = pd.read_csv(tmp_path / "out" / "comparison.csv")
    assert list(zip(table["first"], table["second"], strict=True)) == [("s0", "s1"), ("s0", "s2"), ("s1", "s2")]
    for column, value in (("pooled_value", "pooled"), ("per_case_value", "per_case")):
        assert table[column].tolist() == [pair[value]["value"] for pair in content["differences"]]
    assert table["pooled_low"].tolist() == [pair["pooled"]["interval"][0] for pair in content["differences"]]
    text = (tmp_path / "out" / "comparison.md").read_text()
    assert text == comparison_markdown(comparison, summaries)
    assert "counted as empty masks: 1 (c5)" in text
    assert "8 units (case); the effective number is 7." in text
    assert "a few units decide the intervals" in text
    assert "nan" not in text


def test_a_comparison_and_scores_of_earlier_releases_stay_readable(tmp_path):
    summaries = {f"n{noise}": scores(noise) for noise in (1, 2)}
    content = compare(summaries).content()
    content["bootstrap"] = {"method": "percentile", "confidence": 0.95, "resamples": 2000, "seed": 0}
    for record in (*content["predictions"], *content["differences"]):
        for name in ("pooled", "per_case"):
            del record[name]["effective"]
    content["bootstrap"]["fewest_clusters"] = 5
    old = Comparison.from_content(content)
    assert old.ratings[0].pooled.effective is None
    assert old.content()["bootstrap"] == content["bootstrap"]
    without_sources = {
        name: replace(summary, rows=summary.rows.drop(columns="source")) for name, summary in summaries.items()
    }
    assert compare(without_sources) == compare(summaries)


def test_units_are_drawn_within_their_sources():
    def of(sources):
        scorers = [Scorer(["background", "lesion"]) for _ in range(2)]
        for k in range(12):
            truth = blobs((16, 16, 1), k)
            for shift, scorer in enumerate(scorers):
                found = np.roll(truth, 1 + shift * (1 + k // 6), axis=0).astype(np.uint8)
                reference = truth.astype(np.uint8)
                scorer.add(case=f"c{k}", prediction=found, reference=reference, spacing=None, source=sources[k])
        return compare(dict(zip("ab", (scorer.summary() for scorer in scorers), strict=True))).differences[0]

    one, two = of(["x"] * 12), of(["x"] * 6 + ["y"] * 6)
    # the second is worse by more in the second source: no uncertainty of either
    assert np.ptp(two.per_case.interval) < np.ptp(one.per_case.interval)
    assert two.per_case.value == one.per_case.value
