import json
from dataclasses import replace

import pytest

from covid_monai.tables.claim_verdicts import judge_claims
from covid_monai.tables.convergence import judge_convergence, not_converged
from covid_monai.tables.findings import conclude, find
from covid_monai.tables.records import content
from covid_monai.tables.render import DAGGER
from covid_monai.tables.write import compact_markdown, markdown

from .test_claim_verdicts import CLAIM, results_of

EPOCHS = 16
FLAT = ([1.0, 0.6, *[0.3] * 14], [0.2, 0.5, *[0.7] * 14])


def log_of(losses, dice=()):
    records = [{"epoch": epoch, "loss": loss, "learning_rate": 0.1} for epoch, loss in enumerate(losses, start=1)]
    for record, value in zip(records, dice, strict=False):
        record["validation_dice"] = value
    return records


def with_logs(results, curves):
    """The results with one log a row for all of its jobs; ``curves`` are (losses, validation Dice) by slug."""
    keys = results.jobs[["protocol", "slug", "fold", "seed"]].itertuples(index=False, name=None)
    return replace(results, logs={key: log_of(*curves[key[1]]) for key in keys})


@pytest.fixture
def results(tmp_path):
    return results_of(tmp_path, [CLAIM], seeds=(1, 1))


@pytest.fixture
def slugs(results):
    return [row.slug for row in results.table.rows[:2]]


@pytest.mark.parametrize(
    ("losses", "dice", "converged"),
    [
        (*FLAT, True),
        # 0.06 of a fall of 0.66, and 0.08 of one of 0.68
        ([1.0, *[0.4] * 11, *[0.34] * 4], (), True),
        ([1.0, *[0.4] * 11, *[0.32] * 4], (), False),
        # nothing is chosen by the validation, which can be that of the test part
        ([1.0, *[0.4] * 15], [*[0.5] * 12, *[0.7] * 4], True),
        # what rises again has not settled either
        ([1.0, *[0.4] * 11, *[0.5] * 4], (), False),
        ([1.0] * 16, (), False),
        # a network that marks nothing, and goes on doing so
        ([1.0, *[0.9] * 15], [0.0] * 16, True),
        ([1.0, *[0.3] * 6], (), False),
    ],
)
def test_a_row_has_converged_where_its_loss_is_flat_at_the_end(results, slugs, losses, dice, converged):
    found = judge_convergence(with_logs(results, dict.fromkeys(slugs, (losses, dice))))
    assert [each.converged for each in found] == [converged, converged]


def test_the_jobs_of_a_row_are_judged_together(results, slugs):
    logs = with_logs(results, dict.fromkeys(slugs, FLAT)).logs
    falling = log_of([1.0, *[0.5] * 11, *[0.3] * 4])
    mixed = {key: falling if key[2] == 0 else log_of([1.0, *[0.3] * 15]) for key in logs}
    (first, _) = judge_convergence(replace(results, logs=mixed))
    assert (first.jobs, first.epochs) == (2, EPOCHS)
    assert first.loss == pytest.approx((1.0, 0.4, 0.3))
    assert first.loss_fall == pytest.approx(0.1 / 0.7)
    assert first.dice is None


def test_a_row_that_has_not_converged_enters_no_claim_under_a_smaller_budget(results, slugs):
    falling = ([1.0 - 0.05 * epoch for epoch in range(EPOCHS)], [0.5] * EPOCHS)
    early = with_logs(results, {slugs[0]: FLAT, slugs[1]: falling})
    small = replace(early, budget="quick")
    left_out = not_converged(small, judge_convergence(small))
    assert left_out == {("paper", results.table.rows[1].slug)}
    (judged,) = judge_claims(small, {}, not_converged=left_out)
    assert judged.value is None
    label = results.table.rows[1].label
    assert (judged.verdict.word, judged.verdict.reason) == ("no verdict", f"budget quick; not converged: {label}")
    # the paper's own schedule is what it is
    assert not_converged(early, judge_convergence(early)) == frozenset()
    (judged,) = judge_claims(early, {})
    assert judged.value is not None


def test_the_table_marks_what_has_not_converged(finished):
    """The fabricated jobs have three epochs."""
    findings = find(finished)
    assert all(not each.converged for each in findings.convergence)
    assert findings.not_converged == frozenset()
    assert DAGGER not in compact_markdown(findings)
    section = markdown(findings).partition("## Convergence")[2]
    assert "Jobs of under 8 epochs have not converged." in section
    results = replace(findings.results, budget="quick")
    small = conclude(results, findings.head, findings.audits)
    row = small.convergence[0].row
    marked = [line for line in compact_markdown(small).splitlines() if line.startswith(f"| {row.label} ")]
    assert [line.count(DAGGER) for line in marked] == [2 * len(results.table.measures)]
    assert "not converged" in markdown(small).partition("## Convergence")[0]
    stored = json.loads(json.dumps(content(small)))["convergence"]
    assert {(line["epochs"], line["converged"]) for line in stored} == {(3, False)}
    assert stored[0]["loss_first_epoch"] == pytest.approx(small.convergence[0].loss[0])
