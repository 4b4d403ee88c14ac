import json
from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest

from covid_monai.scoring.comparison import Estimate
from covid_monai.scoring.format import ABSENT
from covid_monai.tables.claim_verdicts import CLAIMS_RULE
from covid_monai.tables.records import content, frame
from covid_monai.tables.render import MINUS, digits_of, p_text, plain, with_interval
from covid_monai.tables.spec import read_table
from covid_monai.tables.write import markdown, write_table


@pytest.fixture(scope="module")
def files(findings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_table(findings, folder)
    return folder


def test_the_csv_has_a_line_a_measure_row_and_protocol(files, findings):
    lines = pd.read_csv(files / "table.csv", keep_default_na=False, na_values={"value": [""], "value_low": [""]})
    # four measures of two rows under two protocols, and of one that is published only
    assert len(lines) == 4 * (2 * 2 + 1)
    published = lines[lines["row"] == "Published only"]
    assert set(published["protocol"]) == {""}
    assert published["value"].isna().all()
    assert set(published.loc[published["measure"] == "dice", "published"]) == {"50.25"}
    item = lines[
        (lines["row"] == "SegNet + DL") & (lines["protocol"] == "grouped") & (lines["measure"] == "dice")
    ].iloc[0]
    (entry,) = [
        each
        for each in findings.entries
        if (each.row.label, each.protocol, each.measure.name) == ("SegNet + DL", "grouped", "dice")
    ]
    assert item["value"] == pytest.approx(entry.value.value)
    assert (item["jobs"], item["planned"], item["verdict"]) == ("3", "4", entry.verdict.word)
    assert (item["value_low"], float(item["value_high"])) == pytest.approx(entry.value.interval)
    assert float(item["difference"]) == pytest.approx(100 * entry.difference.value)
    assert set(lines["budget"]) == {"full"}


def test_the_json_is_complete_and_valid(files, findings):
    stored = json.loads((files / "table.json").read_text())
    assert (stored["format"], stored["version"]) == ("covid-monai table", 2)
    assert len(stored["lines"]) == 20
    assert stored["missing"] == [
        {"job": "jobs/grouped/segnet-dl/fold1-seed1", "state": "failed", "reason": "the loss is nan"}
    ]
    assert len(stored["jobs"]) == 15
    assert stored["jobs"][0]["seconds"] == 61
    assert {pair["protocol"] for pair in stored["pairs"]} == {"paper", "grouped"}
    assert stored["pairs"][0]["difference"] == findings.pairs[0].difference.value
    assert [entry["name"] for entry in stored["audit"]] == ["paper", "grouped"]
    assert stored["head"]["not_comparable"]["accuracy"] == "it is something else"


def test_no_file_names_a_folder_of_this_machine(files, finished, patients):
    for name in ("table.md", "table.csv", "table.json"):
        text = (files / name).read_text()
        assert str(finished) not in text
        assert str(patients) not in text


def test_the_markdown_says_rules_rest_and_verdicts(files):
    text = (files / "table.md").read_text()
    assert "Made of 15 of 16 jobs asked for, of 24 in the table." in text
    assert "- grouped | SegNet + DL | fold 1 | seed 1: failed, the loss is nan" in text
    assert f"| Published only | 50.25 |{f' {ABSENT} |' * 9}" in text
    assert "Not comparable with the published values: it is something else." in text
    assert "reproduced: the interval lies within the margin" in text
    assert "Reference and prediction both empty" in text
    assert "For research, not for diagnosis." in text
    assert "quick" not in text


def test_quick_is_said_wherever_a_result_stands(findings):
    quick = replace(findings, results=replace(findings.results, budget="quick"))
    text = markdown(quick)
    assert text.startswith("# Tiny table (quick)\n")
    assert "Made of 15 of 16 jobs (budget quick)." in text
    assert "**quick: small images" in text
    assert set(frame(quick)["budget"]) == {"quick"}
    stored = content(quick)
    assert (stored["budget"], stored["title"]) == ("quick", "Tiny table (quick)")


def test_one_protocol_alone_has_no_optimism(findings):
    results = findings.results
    jobs = results.jobs[results.jobs["protocol"] == "paper"]
    alone = replace(
        findings,
        results=replace(results, jobs=jobs, missing=()),
        optimism=(),
        entries=tuple(entry for entry in findings.entries if entry.protocol == "paper"),
        claims=tuple(claim for claim in findings.claims if claim.protocol == "paper"),
        pairs=tuple(pair for pair in findings.pairs if pair.protocol == "paper"),
        audits=findings.audits[:1],
    )
    text = markdown(alone)
    assert "optimism (paper" not in text
    assert "grouped: ours" not in text
    lines = pd.read_csv(StringIO(frame(alone).to_csv(index=False)))
    assert lines["optimism"].isna().all()


def test_a_bar_in_a_text_does_not_break_a_line_of_the_markdown(files):
    assert "2. It is far better \\| than others. (" in (files / "table.md").read_text()


def test_every_claim_is_in_the_table_the_json_and_a_csv(files, findings):
    lines = pd.read_csv(files / "claims.csv", keep_default_na=False)
    stored = json.loads((files / "table.json").read_text())
    assert list(lines["claim"]) == [1, 2, 1, 2]
    assert list(lines["verdict"]) == [judged.verdict.word for judged in findings.claims]
    assert [claim["value"] for claim in stored["claims"]] == pytest.approx(
        [judged.value.value for judged in findings.claims]
    )
    first = lines.iloc[0]
    assert first["contrast"] == "A-SegNet + TL (0.3, 0.7) against SegNet + DL"
    assert (float(first["published"]), float(first["published_rows"])) == (8.5, 8.5)
    assert stored["rules"]["claims"] == CLAIMS_RULE
    text = (files / "table.md").read_text()
    assert "## What the paper claims" in text
    assert "| +8.50 | +8.50 |" in text
    assert "- Claim 2: not by the same data." in text
    assert "Claims of the paper (2): " in text
    assert text.count("cannot tell (Published only is published only)") == 1


def test_a_table_without_claims_has_no_csv_of_them(findings, tmp_path):
    write_table(replace(findings, claims=()), tmp_path)
    assert not (tmp_path / "claims.csv").exists()
    assert "What the paper claims" not in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize(
    ("name", "measure", "digits"),
    [("zhou2020-v1", "dice", 1), ("budak2021", "dice", 2), ("chen2020", "dice", 3)],
)
def test_values_have_as_many_decimals_as_the_papers(name, measure, digits):
    table = read_table(name)
    assert digits_of(table.measures[measure], table) == digits


def test_numbers_are_written_as_one_reads_them():
    assert plain(None, 1) == plain(float("nan"), 1) == ABSENT
    assert plain(-1.25, 1, "+") == f"{MINUS}1.2"
    assert with_interval(Estimate(0.5, (0.25, 0.75)), 2, "+") == "+0.50 [+0.25, +0.75]"
    assert with_interval(Estimate(0.5, None), 2) == "0.50"
    assert (p_text(0.04), p_text(0.0000123), p_text(None)) == ("0.040", f"1.2e{MINUS}05", ABSENT)
