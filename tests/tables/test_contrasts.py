from dataclasses import replace

import pandas as pd
import pytest

from covid_monai.tables.contrasts import compare_rows


def by_patient(findings, protocol, row):
    """Each patient's mean Dice of its slices, averaged over the seeds."""
    scores = findings.results.scores_of(protocol, row)
    slices = scores[scores["level"] == "slice"]
    per_case = slices.groupby("case")["dice"].mean()
    return per_case.groupby(per_case.index.str[:2]).mean()


def test_units_are_counted_by_the_mean_dice_of_their_slices_and_nothing_is_tested(findings):
    first, second = findings.results.table.rows[:2]
    (pair,) = [each_pair for each_pair in findings.pairs if each_pair.protocol == "paper"]
    assert (pair.first, pair.second, pair.cases, pair.units) == (first, second, 16, 8)
    apart = by_patient(findings, "paper", first) - by_patient(findings, "paper", second)
    assert (pair.higher, pair.equal, pair.lower) == ((apart > 0).sum(), (apart == 0).sum(), (apart < 0).sum())
    assert not {"p", "p_holm"} & set(vars(pair))


def test_the_difference_is_that_of_the_tables_dice(findings):
    together = {
        (entry.protocol, entry.row.label): entry.value.value
        for entry in findings.entries
        if entry.measure.name == "dice"
    }
    (pair,) = [each_pair for each_pair in findings.pairs if each_pair.protocol == "paper"]
    expected = together["paper", pair.first.label] - together["paper", pair.second.label]
    assert pair.difference.value == pytest.approx(expected)
    low, high = pair.difference.interval
    assert low <= pair.difference.value <= high


def test_only_cases_of_both_rows_are_compared(findings):
    results = findings.results
    first = results.table.rows[0]
    of_first = (results.scores["slug"] == first.slug) & (results.scores["case"] >= "p2")
    kept = results.scores[of_first | (results.scores["slug"] != first.slug)]
    fewer = replace(results, scores=kept.reset_index(drop=True))
    (pair,) = [row for row in compare_rows(fewer) if row.protocol == "paper"]
    assert (pair.cases, pair.units) == (12, 6)


def test_rows_without_a_common_case_are_no_pair(findings):
    results = findings.results
    slices = results.scores[results.scores["level"] == "slice"]
    early = (slices["slug"] == results.table.rows[0].slug) == (slices["case"] < "p4")
    apart = replace(results, scores=pd.DataFrame(slices[early]).reset_index(drop=True))
    assert compare_rows(apart) == []
