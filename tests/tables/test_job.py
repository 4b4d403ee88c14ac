import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from filelock import FileLock

from covid_monai.cli import root
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.scoring.score import Scores
from covid_monai.tables.folder import failure_file, lock_file, prepare_parts, state_of
from covid_monai.tables.job import count_memory_from_now, run_job
from covid_monai.tables.plan import plan
from covid_monai.tables.spec import read_table
from tests.tables.tiny_table import write_table


@pytest.fixture(scope="module")
def jobs(tiny_dataset, tmp_path_factory):
    return plan(read_table(str(write_table(tmp_path_factory.mktemp("table")))))


@pytest.fixture
def output(jobs, tiny_dataset, tmp_path):
    place = tmp_path / "table"
    prepare_parts(read_table(str(write_table(tmp_path))), jobs, tiny_dataset, place)
    return place


@pytest.fixture(scope="module")
def done(jobs, tiny_dataset, tmp_path_factory):
    """An output folder with its first job done; not to be changed."""
    place = tmp_path_factory.mktemp("output")
    prepare_parts(read_table(str(write_table(tmp_path_factory.mktemp("yaml")))), jobs, tiny_dataset, place)
    outcome = run_job(jobs[0], output=place, data=tiny_dataset)
    assert outcome.status == "done", outcome.message
    return place


def record(output, job):
    return json.loads((output / job.folder / "job.json").read_text())


def test_a_job_leaves_a_whole_run_with_its_scores_and_its_record(done, jobs):
    home = done / jobs[0].folder
    assert not [
        name
        for name in ("run.json", "config.yaml", "environment.json", "split.json", "log.jsonl")
        if not (home / name).is_file()
    ]
    split = json.loads((done / "splits" / "paper.json").read_text())
    masks = (home / "evaluation" / "test" / "masks").iterdir()
    assert sorted(path.name.removesuffix(".nii.gz") for path in masks) == split["folds"][0]["test"]
    content = record(done, jobs[0])
    assert content["format"] == "covid-monai job"
    assert content["settings"] == jobs[0].settings
    assert content["split_sha256"] == sha256_of(done / "splits" / "paper.json")
    assert content["weights_sha256"] == sha256_of(home / "model.safetensors")
    # two epochs, of which the paper's protocol of this table keeps the last
    assert (content["epochs"], content["kept_epoch"], content["device"]) == (2, 2, "cpu")
    logged = sum(json.loads(line)["seconds"] for line in (home / "log.jsonl").read_text().splitlines())
    assert content["seconds"] > logged
    # slices of 64 x 64
    assert 0 < content["seconds_per_slice"] < 60
    assert content["scoring_grid"] is None
    # a process with torch takes over 100 MB and, with slices of 64 x 64, less than 10 GB
    assert 1e8 < content["peak_memory_bytes"] < 1e10


def test_the_stored_commands_alone_give_the_same_weights_and_scores(done, jobs, tmp_path, monkeypatch):
    content = record(done, jobs[0])
    monkeypatch.chdir(done)
    for command in content["commands"]:
        # the threads are those of this process already
        program, *arguments = [word for word in shlex.split(command) if not word.startswith("OMP_NUM_THREADS=")]
        assert program == "covid-monai"
        arguments = [str(tmp_path / "alone") if word == jobs[0].folder else word for word in arguments]
        result = CliRunner().invoke(root, arguments)
        assert result.exit_code == 0, result.output
    assert sha256_of(tmp_path / "alone" / "model.safetensors") == content["weights_sha256"]
    scores = Path("evaluation/test/scores.csv")
    assert (tmp_path / "alone" / scores).read_bytes() == (done / jobs[0].folder / scores).read_bytes()


def test_a_job_that_is_done_is_found_and_not_touched(done, jobs, tiny_dataset):
    home = done / jobs[0].folder
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}
    assert state_of(jobs[0], done) == "done"
    assert run_job(jobs[0], output=done, data=tiny_dataset).status == "found"
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()} == before


def test_a_job_that_another_process_runs_is_left_to_it(output, jobs, tiny_dataset):
    home = output / jobs[0].folder
    home.parent.mkdir(parents=True)
    assert state_of(jobs[0], output) == "waiting"
    with FileLock(lock_file(home)):
        assert state_of(jobs[0], output) == "running"
        assert run_job(jobs[0], output=output, data=tiny_dataset).status == "busy"
    assert not home.exists()
    assert state_of(jobs[0], output) == "waiting"


def test_a_job_that_fails_says_why_and_can_be_tried_again(output, jobs, tiny_dataset):
    diverging = replace(jobs[0], settings={**jobs[0].settings, "learning_rate": 1e30})
    outcome = run_job(diverging, output=output, data=tiny_dataset)
    assert outcome.status == "failed"
    assert "the loss is nan" in outcome.message
    home = output / jobs[0].folder
    assert json.loads(failure_file(home).read_text())["error"] == outcome.message
    assert state_of(jobs[0], output) == "failed"
    assert not (home / "job.json").exists()
    # it goes on where it was, so it cannot end otherwise
    assert run_job(diverging, output=output, data=tiny_dataset).message == outcome.message


def test_what_a_start_left_that_was_killed_is_no_obstacle(output, jobs, tiny_dataset):
    home = output / jobs[0].folder
    home.mkdir(parents=True)
    (home / ".writing-abcrun.json").write_text("{")
    failure_file(home).write_text("{}")
    assert run_job(jobs[0], output=output, data=tiny_dataset).status == "done"
    assert not failure_file(home).exists()
    assert not (home / ".writing-abcrun.json").exists()


def test_a_bug_is_told_by_its_kind_and_place(output, jobs, monkeypatch, capsys):
    def broken(*arguments, **settings):
        raise ZeroDivisionError

    monkeypatch.setattr("covid_monai.run.training.train", broken)
    outcome = run_job(jobs[0], output=output, data=output)
    assert (outcome.status, outcome.message) == ("failed", "ZeroDivisionError")
    assert "in broken" in capsys.readouterr().err


def test_an_interruption_is_no_failure_of_the_job(output, jobs, monkeypatch):
    def interrupted(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("covid_monai.run.training.train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_job(jobs[0], output=output, data=output)
    assert state_of(jobs[0], output) == "waiting"


def test_a_record_of_another_format_is_refused(output, jobs):
    home = output / jobs[0].folder
    home.mkdir(parents=True)
    (home / "job.json").write_text('{"format": "something else"}')
    with pytest.raises(InputError, match=r"is not a covid-monai job file of version 2 or before; remove its folder"):
        state_of(jobs[0], output)


@pytest.mark.parametrize("bars", [False, True])
def test_training_is_asked_for_bars_only_where_they_are_wanted(bars, output, jobs, tiny_dataset, monkeypatch):
    asked = []

    def training(*arguments, **settings):
        asked.append(settings["progress"])
        raise InputError("no training here")

    monkeypatch.setattr("covid_monai.run.training.train", training)
    assert run_job(jobs[0], output=output, data=tiny_dataset, bars=bars).status == "failed"
    assert asked == [bars]


def test_memory_of_a_gpu_is_counted_only_once_something_was_put_on_it(monkeypatch):
    # before that torch refuses to reset the counts of a device
    begun = []
    monkeypatch.setattr(torch, "empty", lambda *_, device: begun.append(f"put on {device}"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: begun.append(f"reset {device}"))
    count_memory_from_now(torch.device("cuda:0"))
    count_memory_from_now(torch.device("cpu"))
    assert begun == ["put on cuda:0", "reset cuda:0"]


def test_a_damaged_record_fails_its_job_and_no_other(done, jobs, tiny_dataset, tmp_path):
    output = shutil.copytree(done, tmp_path / "output")
    (output / jobs[0].folder / "job.json").write_text("{}")
    outcome = run_job(jobs[0], output=output, data=tiny_dataset)
    assert outcome.status == "failed"
    assert "remove its folder to run it again" in outcome.message


def test_the_stored_command_names_the_threads_of_a_cpu(done, jobs):
    content = record(done, jobs[0])
    assert content["commands"][0].startswith(f"OMP_NUM_THREADS={content['threads']} covid-monai train")


def test_a_job_is_scored_on_the_papers_grid_beside_the_datas_own(tiny_dataset, tmp_path):
    table = read_table(str(write_table(tmp_path, {"grid": 96})))
    job = plan(table)[0]
    prepare_parts(table, [job], tiny_dataset, tmp_path / "table")
    outcome = run_job(job, output=tmp_path / "table", data=tiny_dataset)
    assert outcome.status == "done", outcome.message
    content = record(tmp_path / "table", job)
    assert content["scoring_grid"] == 96
    assert content["commands"][1].endswith(f"covid-monai evaluate {job.folder} --scoring-grid 96")
    evaluation = tmp_path / "table" / job.folder / "evaluation" / "test"
    own, papers = (Scores.read(folder).frame for folder in (evaluation, evaluation / "scoring_grid"))
    assert own["case"].equals(papers["case"])
    for scores, size in ((own, 64), (papers, 96)):
        slices = scores[scores["level"] == "slice"]
        assert set(slices[["tp", "fp", "fn", "tn"]].sum(axis=1)) == {size * size}
