import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from covid_monai.scoring.overlap import COUNTS
from covid_monai.tables.claim_verdicts import judge_claims
from covid_monai.tables.contrast_intervals import ContrastInterval
from covid_monai.tables.results import Results
from covid_monai.tables.spec import read_table
from tests.tables.tiny_table import content, write_table

CLAIM = {"sentence": "It is better.", "place": "p. 1", "measure": "dice", "kind": "points", "contrast": {2: 1, 1: -1}}
PUBLISHED = {"label": "Published only", "paper": {"dice": 50.0}, "place": "row 3"}


def results_of(folder, claims, means=(0.6, 0.7), seeds=(3, 3), cases=40, seed_spread=0.005, averaging="slice"):
    """Scores of two rows on the same cases, each a patient, with a Dice around ``means``; every other case a fold."""
    rows = [*content()["rows"], PUBLISHED]
    measures = {"dice": {"averaging": averaging, "scale": 100}}
    table = read_table(str(write_table(folder, {"claims": claims, "rows": rows, "measures": measures})))
    generator = np.random.default_rng(0)
    hard, lines, jobs = generator.normal(0, 0.1, cases), [], []
    for row, mean, count in zip(table.rows, means, seeds, strict=False):
        own = generator.normal(0, 0.03, cases)
        for seed in range(count):
            shift = seed_spread * (seed - (count - 1) / 2)
            dice = np.clip(mean + hard + own + shift, 0.01, 0.99)
            for fold in (0, 1):
                jobs.append({"protocol": "paper", "slug": row.slug, "fold": fold, "seed": seed})
            for case in range(cases):
                job = {"protocol": "paper", "slug": row.slug, "fold": case % 2, "seed": seed}
                both = round(1000 * dice[case])
                counts = dict(zip(COUNTS, (both, 1000 - both, 1000 - both, 9000), strict=True))
                name = {
                    "case": f"c{case:02d}",
                    "volume": "",
                    "unit": f"c{case:02d}",
                    "level": "slice",
                    "class": "lesion",
                }
                lines.append({**job, **name, **counts, "dice": both / 1000})
    return Results(
        output=folder,
        table=table,
        budget="full",
        datasets={},
        jobs=pd.DataFrame(jobs),
        scores=pd.DataFrame(lines),
        curves=pd.DataFrame(),
        missing=(),
    )


def the_claim(results, **changed):
    (judged,) = judge_claims(replace(results, **changed), {})
    return judged


def test_a_gain_that_is_there_is_supported_with_three_seeds(tmp_path):
    results = results_of(tmp_path, [CLAIM])
    judged = the_claim(results)
    first, second = (results.scores_of("paper", row)["dice"].mean() for row in results.table.rows[:2])
    assert judged.value.value == pytest.approx(100 * (second - first))
    assert judged.verdict.word == "supported"
    assert judged.p == judged.p_holm < 0.001
    assert (judged.seeds, judged.cases) == (3, 40)
    # the cases' difficulty is shared, so that the interval is of what the rows differ in alone
    low, high = judged.value.interval
    assert high - low < 4


def test_the_second_interval_has_the_seeds_in_it(tmp_path):
    judged = the_claim(results_of(tmp_path, [CLAIM], seed_spread=0.02))
    # of each row the seeds lie 2 points apart: s_t = 2, of 2 + 2 degrees of freedom
    reach = student.ppf(0.975, 4) * 2 * math.sqrt(1 / 3 + 1 / 3)
    value, (low, high) = judged.value.value, judged.value.interval
    expected = (value - math.hypot(value - low, reach), value + math.hypot(high - value, reach))
    assert judged.with_seeds == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("seeds", [(1, 1), (3, 1)])
def test_nothing_is_supported_by_one_seed(seeds, tmp_path):
    judged = the_claim(results_of(tmp_path, [CLAIM], seeds=seeds))
    assert (judged.verdict.word, judged.verdict.reason) == ("cannot tell", "one seed")
    assert judged.value.interval is not None
    assert (judged.p, judged.p_holm, judged.with_seeds) == (None, None, None)


def test_a_gain_the_other_way_round_is_contradicted(tmp_path):
    assert the_claim(results_of(tmp_path, [CLAIM], means=(0.7, 0.6))).verdict.word == "contradicted"


def test_a_gain_that_could_be_chance_cannot_be_told(tmp_path):
    judged = the_claim(results_of(tmp_path, [CLAIM], means=(0.6, 0.605), seed_spread=0.02))
    assert (judged.verdict.word, judged.verdict.reason) == ("cannot tell", "")
    assert judged.with_seeds[0] < 0 < judged.with_seeds[1]


@pytest.mark.parametrize(
    ("at_least", "word"), [(5, "supported"), (15, "cannot tell"), (17, "cannot tell"), (30, "contradicted")]
)
def test_a_ratio_is_held_against_what_is_claimed_at_the_least(at_least, word, tmp_path):
    claim = {**CLAIM, "kind": "relative_percent", "at_least": at_least}
    results = results_of(tmp_path, [claim])
    judged = the_claim(results)
    first, second = (results.scores_of("paper", row)["dice"].mean() for row in results.table.rows[:2])
    assert judged.value.value == pytest.approx(100 * (second / first - 1))
    assert judged.verdict.word == word
    assert judged.of_rows == pytest.approx(100 * (70 / 60 - 1))


def test_the_interval_of_a_ratio_is_that_of_resampled_ratios(tmp_path):
    results = results_of(tmp_path, [{**CLAIM, "kind": "relative_percent"}])
    judged = the_claim(results)
    per_case = [results.scores_of("paper", row).groupby("case")["dice"].mean() for row in results.table.rows[:2]]
    drawn = np.random.default_rng(1).integers(0, 40, (20_000, 40))
    ratios = per_case[1].to_numpy()[drawn].mean(axis=1) / per_case[0].to_numpy()[drawn].mean(axis=1)
    low, high = 100 * (np.percentile(ratios, [2.5, 97.5]) - 1)
    assert judged.value.interval == pytest.approx((low, high), abs=0.35)


def test_a_ratio_of_pooled_dice_is_of_pooled_dice(tmp_path):
    results = results_of(tmp_path, [{**CLAIM, "kind": "relative_percent"}], averaging="pooled")
    pooled = []
    for row in results.table.rows[:2]:
        tp, fp, fn = (results.scores_of("paper", row)[name].sum() for name in ("tp", "fp", "fn"))
        pooled.append(2 * tp / (2 * tp + fp + fn))
    judged = the_claim(results)
    assert judged.value.value == pytest.approx(100 * (pooled[1] / pooled[0] - 1), abs=0.01)
    assert judged.verdict.word == "supported"


def test_holms_correction_is_over_the_claims_that_are_tested(tmp_path):
    weak, out_of_reach = {**CLAIM, "at_least": 7.0}, {**CLAIM, "contrast": {2: 1, 3: -1}}
    strong, weaker, published = judge_claims(results_of(tmp_path, [CLAIM, weak, out_of_reach]), {})
    assert strong.p < weaker.p < 0.05
    assert (strong.p_holm, weaker.p_holm) == pytest.approx((2 * strong.p, weaker.p))
    assert (published.p, published.p_holm) == (None, None)
    assert weaker.verdict.word == "supported"
    # of five claims this p is no longer enough
    several = judge_claims(results_of(tmp_path, [weak] * 5), {})
    assert [judged.p_holm for judged in several] == pytest.approx([5 * weaker.p] * 5)
    assert {judged.verdict.word for judged in several} == {"cannot tell"}


def test_a_row_that_is_published_only_is_a_constant_and_nothing_is_told(tmp_path):
    results = results_of(tmp_path, [{**CLAIM, "contrast": {2: 1, 3: -1}}])
    judged = the_claim(results)
    ours = 100 * results.scores_of("paper", results.table.rows[1])["dice"].mean()
    assert judged.value.value == pytest.approx(ours - 50)
    low, high = judged.value.interval
    assert low < judged.value.value < high
    assert (judged.verdict.word, judged.verdict.reason) == ("cannot tell", "Published only is published only")
    assert judged.of_rows == pytest.approx(20)


def test_no_verdict_and_no_p_where_the_papers_own_is_not_what_was_run(tmp_path):
    results = results_of(tmp_path, [CLAIM])
    quick = the_claim(results, budget="quick")
    assert (quick.verdict.word, quick.verdict.reason, quick.p) == ("no verdict", "budget quick", None)
    assert quick.with_seeds is not None
    jobs, scores = (frame.assign(protocol="grouped") for frame in (results.jobs, results.scores))
    assert the_claim(results, jobs=jobs, scores=scores).verdict.reason == "protocol grouped"
    (judged,) = judge_claims(results, {}, "no consolidation in the masks")
    assert (judged.verdict.word, judged.verdict.reason) == ("no verdict", "no consolidation in the masks")
    (judged,) = judge_claims(results, {"dice": "crops"})
    assert (judged.verdict.word, judged.verdict.reason, judged.p) == ("not comparable", "crops", None)


def test_only_cases_of_all_rows_are_compared(tmp_path):
    results = results_of(tmp_path, [CLAIM])
    lost = (results.scores["slug"] == "segnet-dl") & (results.scores["case"] < "c10")
    judged = the_claim(results, scores=results.scores[~lost])
    assert judged.cases == 30
    kept = results.scores[results.scores["case"] >= "c10"]
    assert judged.value.value == pytest.approx(the_claim(results, scores=kept).value.value)


def test_a_row_without_jobs_and_too_few_units_are_said(tmp_path):
    results = results_of(tmp_path, [CLAIM])
    lone = results.jobs[results.jobs["slug"] == "segnet-dl"]
    assert the_claim(results, jobs=lone).verdict.reason == "no finished job of A-SegNet + TL (0.3, 0.7)"
    few = results.scores[results.scores["case"] < "c04"]
    assert the_claim(results, scores=few).verdict.reason == "no interval over units"


def test_p_is_under_five_per_cent_where_the_interval_leaves_the_claimed_out():
    found = ContrastInterval(value=2.0, low=1.0, high=3.5, units=30, seeds_error=0.3, df=6)
    low, high = found.with_seeds()
    assert found.p_against(low) == pytest.approx(0.05)
    assert found.p_against(high) == pytest.approx(0.05)
    assert found.p_against(low - 0.1) < 0.05 < found.p_against(low + 0.1)
    assert ContrastInterval(2.0, 2.0, 2.0, 30, 0.0, 6).p_against(0) is None


def test_the_interval_with_the_seeds_covers_as_often_as_it_says():
    """20 patients and 3 seeds of each of two networks, both of equal size: what a claim of theirs meets."""
    generator, trials, hits = np.random.default_rng(0), 2000, 0
    truth, units, k, rows = 0.0, 20, 3, 4
    for _ in range(trials):
        cases = generator.normal(0, 1, units)
        seeds = generator.normal(0, 0.2, (rows, k))
        value = cases.mean() + seeds[0].mean() - seeds[1].mean()
        arm = student.ppf(0.975, units - 1) * cases.std(ddof=1) / math.sqrt(units)
        spread = math.sqrt(float(seeds.var(axis=1, ddof=1).mean()))
        found = ContrastInterval(value, value - arm, value + arm, units, spread * math.sqrt(2 / k), rows * (k - 1))
        low, high = found.with_seeds()
        hits += low <= truth <= high
    assert 0.935 <= hits / trials <= 0.97
