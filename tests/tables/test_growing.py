"""The table is there as soon as a job is, and says of how many jobs it is made."""

import shutil
from dataclasses import replace

import pytest

from covid_monai.tables import reproduction
from covid_monai.tables.findings import find
from covid_monai.tables.folder import Outcome
from covid_monai.tables.growing import GrowingTable
from covid_monai.tables.plan import plan
from covid_monai.tables.spec import read_table
from tests.tables.fabricated import write_output
from tests.tables.light_jobs import Listening
from tests.tables.tiny_table import write_table


@pytest.fixture
def begun(patients, tmp_path):
    """An output folder where one row was asked for, and one of its jobs is done."""
    table = read_table(str(write_table(tmp_path / "table")))
    jobs = plan(table, rows=table.rows[:1])
    left_out = {job.folder: None for job in jobs[1:]}
    write_output(tmp_path / "out", table.path, patients, seeds=None, rows=table.rows[:1], left_out=left_out)
    return tmp_path / "out", jobs


def test_a_table_in_part_says_how_many_jobs_the_whole_one_has(begun):
    output, jobs = begun
    findings = find(output)
    assert (len(jobs), findings.made_of) == (12, "1 of 12 jobs asked for, of 24 in the table")
    quick = replace(findings, results=replace(findings.results, budget="quick"))
    assert quick.made_of == "1 of 12 jobs (budget quick)"


def test_the_table_is_written_when_a_job_is_done_and_only_then(begun):
    output, jobs = begun
    listener = Listening()
    table = GrowingTable(output, listener, print)
    table.started(jobs[0], None)
    for status in ("found", "failed"):
        table.ended(Outcome(jobs[0], status))
        assert not (output / "table.md").exists()
    table.ended(Outcome(jobs[0], "done"))
    assert "Made of 1 of 12 jobs asked for, of 24 in the table." in (output / "table.md").read_text()
    assert (output / "table.csv").exists()
    assert (output / "table.json").exists()
    assert listener.begun == [jobs[0].fold]
    assert [outcome.status for outcome in listener.outcomes] == ["found", "failed", "done"]


def test_writing_takes_a_small_share_of_the_time(begun, monkeypatch):
    output, jobs = begun
    clock, written = [0.0], []

    def slow_table(findings, folder):
        clock[0] += 10
        written.append(clock[0])

    monkeypatch.setattr("covid_monai.tables.write.write_table", slow_table)
    table = GrowingTable(output, Listening(), print, now=lambda: clock[0])
    for seconds in (5, 10, 50, 100, 300):
        clock[0] = max(clock[0], seconds)
        table.ended(Outcome(jobs[0], "done"))
    assert written == [15, 310]
    table.catch_up()
    assert len(written) == 2
    table.ended(Outcome(jobs[0], "done"))
    table.catch_up()
    assert len(written) == 3


def test_a_table_that_cannot_be_written_does_not_stop_the_jobs(begun):
    output, jobs = begun
    shutil.rmtree(output / "splits")
    lines = []
    GrowingTable(output, Listening(), lines.append).ended(Outcome(jobs[0], "done"))
    assert len(lines) == 1
    assert lines[0].startswith("the table is not written yet: ")


def test_an_interruption_leaves_the_table_of_what_is_done(begun, patients, monkeypatch):
    output, jobs = begun

    def interrupted(queue, run_job, listener, device):
        listener.ended(Outcome(jobs[0], "done"))
        raise KeyboardInterrupt

    monkeypatch.setattr("covid_monai.tables.executors.local.run_in_process", interrupted)
    table = read_table(str(output.parent / "table" / "tiny.yaml")).path
    monkeypatch.setattr("covid_monai.tables.claim.check_needs", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        reproduction.reproduce(str(table), patients, output, rows=["1"], resume=True, write=lambda _: None)
    assert "Made of 1 of 12 jobs" in (output / "table.md").read_text()
