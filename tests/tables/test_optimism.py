from dataclasses import replace

import numpy as np
import pytest

from covid_monai.tables.findings import find
from covid_monai.tables.optimism import estimate_optimism, with_equal_seeds
from covid_monai.tables.page import write_results
from covid_monai.tables.plan import plan
from covid_monai.tables.publish import publish
from covid_monai.tables.published import read_published
from covid_monai.tables.records import content, frame
from covid_monai.tables.statistics import tally_of
from covid_monai.tables.write import markdown
from tests.tables.conftest import MEASURES
from tests.tables.fabricated import worsened, write_output
from tests.tables.small_data import write_patients
from tests.tables.tiny_table import content as table_content
from tests.tables.tiny_table import write_table

SEGNET, ATTENTION = "SegNet + DL", "A-SegNet + TL (0.3, 0.7)"
CONTROL = ("control-grouped", "control-ungrouped")


def optimism_of(found, measure, row):
    (item,) = [each for each in found if (each.measure.name, each.row.label) == (measure, row)]
    return item


def only(results, keep):
    """Results with the lines alone that ``keep`` marks."""
    parts = {name: getattr(results, name) for name in ("jobs", "scores", "curves")}
    return replace(results, **{name: lines[keep(lines)] for name, lines in parts.items()})


def test_optimism_is_paper_minus_grouped_with_the_same_patients_drawn(findings):
    item = optimism_of(findings.optimism, "dice", ATTENTION)
    paper, grouped = (
        next(
            entry.value.value
            for entry in findings.entries
            if (entry.measure.name, entry.protocol, entry.row.label) == ("dice", protocol, ATTENTION)
        )
        for protocol in ("paper", "grouped")
    )
    assert item.estimate.value == pytest.approx(paper - grouped)
    low, high = item.estimate.interval
    # the grouped masks are shifted by one pixel more, whoever is drawn
    assert 0 < low < item.estimate.value < high
    assert (item.first, item.second, item.in_control) == ("paper", "grouped", False)
    assert (item.first_cases, item.second_cases, item.shared_cases, item.same_cases) == (16, 16, 16, True)
    assert (item.seeds, item.left_out) == ((0, 1), 0)


def test_optimism_counts_the_cases_that_both_protocols_tested(findings):
    fold = only(findings.results, lambda lines: lines["fold"] == 0)
    tested = {protocol: set(part["case"]) - {""} for protocol, part in fold.scores.groupby("protocol")}
    for item in estimate_optimism(fold):
        assert (item.first_cases, item.second_cases) == (len(tested["paper"]), len(tested["grouped"]))
        assert item.shared_cases == len(tested["paper"] & tested["grouped"]) < 8
        assert not item.same_cases


def test_jobs_without_a_counterpart_of_the_same_fold_and_seed_are_left_out_and_counted(findings):
    # one job of the grouped protocol failed
    item = optimism_of(findings.optimism, "dice", SEGNET)
    assert (item.seeds, item.left_out) == ((0, 1), 1)
    kept = only(findings.results, lambda lines: ~((lines["fold"] == 1) & (lines["seed"] == 1)))
    paper, grouped = (tally_of(kept, protocol, item.row, item.measure).value() for protocol in ("paper", "grouped"))
    assert item.estimate.value == pytest.approx(100 * (paper - grouped))


def test_seeds_that_one_protocol_alone_has_change_nothing(findings):
    results = findings.results
    one = only(results, lambda lines: (lines["protocol"] == "grouped") | (lines["seed"] == 0))
    both = only(results, lambda lines: lines["seed"] == 0)
    for ours, theirs in zip(estimate_optimism(one), estimate_optimism(both), strict=True):
        assert ours.estimate == theirs.estimate
        assert (ours.seeds, ours.sd_of_seeds) == ((0,), None)
        assert ours.left_out > theirs.left_out == 0
    none = only(results, lambda lines: (lines["protocol"] == "grouped") == (lines["seed"] == 0))
    assert estimate_optimism(none) == []


def test_the_sd_of_seeds_is_that_of_the_differences(findings):
    item = optimism_of(findings.optimism, "sensitivity", ATTENTION)
    differences = []
    for seed in (0, 1):
        kept = only(findings.results, lambda lines, seed=seed: lines["seed"] == seed)
        paper, grouped = (tally_of(kept, name, item.row, item.measure).value() for name in ("paper", "grouped"))
        differences.append(100 * (paper - grouped))
    assert item.sd_of_seeds == pytest.approx(np.std(differences, ddof=1))


def leaking(job, case, reference):
    """One pixel off where nothing leaks, none where it may."""
    return (
        reference if job.protocol == "control-ungrouped" else worsened(replace(job, protocol="paper"), case, reference)
    )


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    """The control arms alone, of one row and two seeds, where the ungrouped one is perfect."""
    data = write_patients(tmp_path_factory.mktemp("data") / "data", slices=3)
    path = write_table(tmp_path_factory.mktemp("table"), {"measures": MEASURES, "rows": table_content()["rows"][:1]})
    output = tmp_path_factory.mktemp("control")
    write_output(output, path, data, leaking, seeds=2, protocols=CONTROL)
    return find(output)


def test_the_control_arms_give_an_optimism_of_equal_numbers_and_seeds(control):
    assert (control.results.protocols, control.results.control_arms) == ([], list(CONTROL))
    item = optimism_of(control.optimism, "sensitivity", SEGNET)
    assert (item.first, item.second, item.in_control) == ("control-ungrouped", "control-grouped", True)
    assert (item.seeds, item.left_out, item.shared_cases) == ((0, 1), 0, 24)
    grouped = tally_of(control.results, "control-grouped", item.row, item.measure).value()
    assert item.estimate.value == pytest.approx(100 * (1 - grouped)) != 0


def test_the_audit_of_the_control_arms_finds_equal_training_and_leaks_in_one(control):
    grouped, ungrouped = control.audits
    assert (grouped.name, ungrouped.name) == CONTROL
    assert grouped.trained == ungrouped.trained
    assert grouped.tested == ungrouped.tested == 24
    assert grouped.exposed == 0 < ungrouped.exposed


def test_the_files_of_the_control_arms_alone_say_what_they_show(control):
    text = markdown(control)
    assert "## Optimism by the control arms" in text
    assert "optimism (paper" not in text
    lines = frame(control)
    assert set(lines["protocol"]) == set(CONTROL)
    sensitivity = lines[lines["measure"] == "sensitivity"]
    item = optimism_of(control.optimism, "sensitivity", SEGNET)
    assert sensitivity["control_optimism"].tolist() == pytest.approx([item.estimate.value] * 2)
    assert lines["optimism"].isna().all()
    stored = content(control)["optimism"][0]
    assert (stored["first"], stored["second"], list(stored["seeds"])) == (
        "control-ungrouped",
        "control-grouped",
        [0, 1],
    )


@pytest.mark.slow
def test_the_control_arms_alone_have_a_page_and_are_published_and_read_again(control, tmp_path):
    output = control.results.output
    write_results(output)
    page = (output / "report.html").read_text()
    assert "Optimism by the control arms" in page
    assert "What a leak may be worth" in page
    publish(output, tmp_path / "published")
    again = read_published(tmp_path / "published")
    assert again.optimism == control.optimism
    assert again.exposures == control.exposures != ()
    assert {each.first for each in again.exposures} == {"control-ungrouped"}
    assert again.audits == control.audits


def test_equal_seeds_are_those_that_both_arms_have(control):
    row = control.results.table.rows[0]
    lame = only(control.results, lambda lines: (lines["protocol"] == CONTROL[0]) | (lines["seed"] == 1))
    equal = with_equal_seeds(lame, row, "control-ungrouped", "control-grouped")
    assert equal.jobs == ((0, 1), (1, 1))
    assert set(equal.results.scores["seed"]) == {1}
    assert equal.left_out == 2


def test_the_jobs_of_the_control_arms_have_equal_seeds_and_the_weights_of_the_paper(control):
    jobs = plan(control.results.table, CONTROL)
    seeds = {name: [job.settings["seed"] for job in jobs if job.protocol == name] for name in CONTROL}
    assert seeds["control-grouped"] == seeds["control-ungrouped"]
    assert set(seeds["control-grouped"]) == {0, 1, 2}
    assert {job.settings["weights_kept"] for job in jobs} == {"last"}
    assert not {job.protocol for job in plan(control.results.table)} & set(CONTROL)
