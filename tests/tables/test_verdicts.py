from dataclasses import replace

import pytest

from covid_monai.tables.render import verdict_text
from covid_monai.tables.statistics import estimate_entries, verdict


@pytest.mark.parametrize(
    ("paper", "mean", "interval", "scale", "word"),
    [
        (61.0, 62.0, (60.0, 64.0), 100, "reproduced"),
        # in the interval, but more than 3 points away
        (61.0, 65.0, (60.0, 70.0), 100, "higher"),
        (70.0, 65.0, (60.0, 71.0), 100, "lower"),
        # within 3 points, but outside the interval
        (61.0, 62.0, (61.5, 62.5), 100, "higher"),
        (0.83, 0.81, (0.80, 0.84), 1, "reproduced"),
        (0.94, 0.90, (0.80, 0.95), 1, "lower"),
        # exactly 3 points
        (0.83, 0.80, (0.7, 0.9), 1, "reproduced"),
        (86.0, 89.0, (80.0, 90.0), 100, "reproduced"),
    ],
)
def test_the_interval_and_three_points_decide(paper, mean, interval, scale, word):
    assert verdict(paper, mean, interval, scale).word == word


def test_without_an_interval_the_points_alone_decide_and_it_is_said():
    assert vars(verdict(61.0, 62.0, None, 100)) == {"word": "reproduced", "reason": "no interval"}
    assert vars(verdict(61.0, 57.0, None, 100)) == {"word": "lower", "reason": "no interval"}


def test_what_cannot_be_compared_is_not_judged():
    assert vars(verdict(61.0, 61.0, (60, 62), 100, "crops")) == {"word": "not comparable", "reason": "crops"}


@pytest.mark.parametrize(("paper", "mean"), [(None, 61.0), (61.0, None)])
def test_without_one_of_the_two_there_is_no_verdict(paper, mean):
    assert verdict(paper, mean, None, 100).word == ""


def test_a_reduced_budget_has_no_verdict_wherever_the_value_falls():
    for mean in (61.0, 90.0):
        judged = verdict(61.0, mean, (60, 62), 100, budget="quick")
        assert vars(judged) == {"word": "no verdict", "reason": "budget quick"}
        assert verdict_text(judged) == "no verdict (budget quick)"
    assert verdict(None, 61.0, None, 100, budget="quick").word == ""
    assert verdict(61.0, 61.0, (60, 62), 100, "crops", budget="quick").word == "not comparable"


def test_a_quick_table_says_reproduced_of_no_value(findings):
    quick = replace(findings.results, budget="quick")
    words = {entry.verdict.word for entry in estimate_entries(quick, findings.head.not_comparable)}
    assert words == {"no verdict", "not comparable", ""}
