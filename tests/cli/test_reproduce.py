import json
import os
import shlex
import shutil
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from covid_monai.cli import root
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.run.training import train
from covid_monai.tables.reproduction import RunOptions, reproduce
from tests.tables.small_data import write_slices
from tests.tables.tiny_table import SMALL, content, write_table

ONE_JOB = ("--protocol", "paper", "--rows", "1", "--folds", "0", "--seeds", "1")


def run(*arguments):
    return CliRunner().invoke(root, ["reproduce", *map(str, arguments)])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table"), {"settings": {**SMALL, "epochs": 1}})


@pytest.fixture(scope="module")
def begun(table, tiny_dataset, tmp_path_factory):
    """An output folder in which one of the table's jobs is done; not to be changed."""
    output = tmp_path_factory.mktemp("begun")
    (outcome,) = reproduce(str(table), tiny_dataset, output, protocol="paper", rows=["1"], folds="0", seeds=1)
    assert outcome.status == "done", outcome.message
    return output


def other_budget(table, data, output, tmp_path):
    return [table, "--data", data, "-o", output, *ONE_JOB, "--budget", "quick", "--resume"]


def other_table(table, data, output, tmp_path):
    path = tmp_path / "other.yaml"
    shutil.copy(table, path)
    return [path, "--data", data, "-o", output, *ONE_JOB, "--resume"]


def changed_table(table, data, output, tmp_path):
    path = write_table(tmp_path, {"settings": {**SMALL, "epochs": 3}})
    return [path, "--data", data, "-o", output, *ONE_JOB, "--resume"]


def other_data(table, data, output, tmp_path):
    changed = tmp_path / "data"
    shutil.copytree(data, changed)
    text = (changed / "dataset.json").read_text()
    (changed / "dataset.json").write_text(text.replace('"licence": "none"', '"licence": "other"'))
    return [table, "--data", changed, "-o", output, *ONE_JOB, "--resume"]


def no_resume(table, data, output, tmp_path):
    return [table, "--data", data, "-o", output, *ONE_JOB]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (no_resume, "holds a table already; --resume goes on with it"),
        (other_budget, "is of another budget (full, not quick)"),
        (other_table, "is of another table (tiny, not other)"),
        (changed_table, "is of another version of this table's YAML"),
        (other_data, "is of another data set, or of this one before it was changed"),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_an_output_of_something_else_is_refused_in_one_line(
    dry, arguments, message, table, tiny_dataset, begun, tmp_path
):
    before = {path: path.stat().st_mtime_ns for path in begun.rglob("*") if path.suffix != ".lock"}
    result = run(*arguments(table, tiny_dataset, begun, tmp_path), *dry)
    assert result.exit_code == 1
    (line,) = result.stderr.strip().splitlines()
    assert message in line
    assert {path: path.stat().st_mtime_ns for path in begun.rglob("*") if path.suffix != ".lock"} == before


BAD = {
    "no such table": (["zhou2020", "--data", "{data}"], "no table 'zhou2020' (did you mean 'zhou2020-v1'?)"),
    "no data": (["{table}", "--data", "{tmp}"], "has no dataset.json"),
    "no such row": (["{table}", "--data", "{data}", "--rows", "9"], "row 9 does not exist; tiny has rows 1 to 2"),
    "no such fold": (["{table}", "--data", "{data}", "--folds", "0,5"], "fold 5 does not exist"),
    "no list of folds": (["{table}", "--data", "{data}", "--folds", "first"], "folds is 'first'; give numbers"),
    "no such device": (["{table}", "--data", "{data}", "--device", "gpu"], "device 'gpu' cannot be used"),
    "several at once in one process": (
        ["{table}", "--data", "{data}", "--executor", "in-process", "--workers", "2"],
        "in-process runs one job at a time",
    ),
    "several on a GPU that is none": (
        ["{table}", "--data", "{data}", "--device", "cpu", "--per-device", "2"],
        "per-device is 2, but the device is cpu",
    ),
    "ray on a device of one's own": (
        ["{table}", "--data", "{data}", "--executor", "ray", "--device", "cuda:1"],
        "device is cuda:1, but Ray gives every job its own",
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("dry", [False, True])
def test_bad_input_is_one_line_and_nothing_is_written(name, dry, table, tiny_dataset, tmp_path):
    arguments, message = BAD[name]
    places = {"data": tiny_dataset, "tmp": tmp_path, "table": table}
    words = [argument.format(**places) for argument in arguments]
    result = run(*words, "-o", tmp_path / "output", *(["--dry-run"] if dry else []))
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.strip().splitlines()
    assert message in line
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("options", [["--protocol", "fair"], ["--seeds", "0"], ["--workers", "x"]])
def test_wrong_usage_is_status_2(options, table, tiny_dataset, tmp_path):
    assert run(table, "--data", tiny_dataset, "-o", tmp_path / "output", *options).exit_code == 2


def test_a_folder_of_something_else_is_refused(table, tiny_dataset, tmp_path):
    (tmp_path / "thesis.txt").touch()
    for resume in ([], ["--resume"]):
        result = run(table, "--data", tiny_dataset, "-o", tmp_path, *resume)
        assert result.exit_code == 1
        assert "is not empty, but has no reproduce.json" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_data_that_cannot_be_split_leave_a_folder_that_can_be_used_again(table, tiny_dataset, tmp_path):
    few = write_table(tmp_path, {"folds": 50})
    result = run(few, "--data", tiny_dataset, "-o", tmp_path / "output")
    assert result.exit_code == 1
    assert "50 folds need as many groups" in result.stderr
    (outcome,) = reproduce(
        str(table), tiny_dataset, tmp_path / "output", protocol="paper", rows=["1"], folds="0", seeds=1
    )
    assert outcome.status == "done"


def test_a_dry_run_prints_jobs_and_commands_and_writes_nothing(table, tiny_dataset, tmp_path):
    result = run(
        table, "--data", tiny_dataset, "-o", tmp_path / "output", "--dry-run", "--seeds", "1", "--device", "cpu"
    )
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    titles = [line for line in lines if line.endswith("| full budget | waiting")]
    # two rows, two folds, two protocols
    assert len(set(titles)) == 8
    commands = [shlex.split(line) for line in lines if line.startswith("covid-monai ")]
    assert [words[1] for words in commands] == ["train", "evaluate"] * 8
    assert all(words[-2:] == ["--device", "cpu"] for words in commands)
    assert lines[-1] == "8 waiting (.)"
    assert not (tmp_path / "output").exists()


def test_a_dry_run_on_a_running_table_shows_its_state(table, tiny_dataset, begun):
    result = run(
        table, "--data", tiny_dataset, "-o", begun, "--dry-run", "--protocol", "paper", "--seeds", "1", "--resume"
    )
    assert result.output.splitlines()[-3:] == [
        "paper | SegNet + DL               #.",
        "paper | A-SegNet + TL (0.3, 0.7)  ..",
        "1 done (#), 3 waiting (.)",
    ]


def test_quick_is_said_where_its_jobs_are(table, tiny_dataset, tmp_path):
    result = run(table, "--data", tiny_dataset, "-o", tmp_path / "output", "--dry-run", "--budget", "quick")
    assert result.output.count("| quick budget |") == 4


KILLED = """
import os, signal, sys
from covid_monai.tables.reproduction import reproduce
from covid_monai.handlers import log

add_loss = log.EpochLog.add_loss
def kill_in_fold_1(self, engine):
    add_loss(self, engine)
    if engine.state.epoch == 2 and "fold1" in str(self.path):
        os.kill(os.getpid(), signal.SIGKILL)
log.EpochLog.add_loss = kill_in_fold_1
reproduce(*sys.argv[1:], protocol="paper", rows=["1"], seeds=1)
"""


@pytest.mark.slow
def test_a_killed_table_goes_on_in_mid_job_and_leaves_done_jobs_alone(tiny_dataset, tmp_path):
    table, output = write_table(tmp_path), tmp_path / "output"
    command = [sys.executable, "-c", KILLED, str(table), str(tiny_dataset), str(output)]
    killed = subprocess.run(command, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    done, cut = (output / "jobs/paper/segnet-dl" / name for name in ("fold0-seed0", "fold1-seed0"))
    assert (done / "job.json").is_file()
    assert not (cut / "job.json").exists()
    assert len((cut / "log.jsonl").read_text().splitlines()) == 1
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*")}

    outcomes = reproduce(str(table), tiny_dataset, output, protocol="paper", rows=["1"], seeds=1, resume=True)

    assert [outcome.status for outcome in outcomes] == ["found", "done"]
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*")} == before
    # the weights of a training that nobody killed
    settings = json.loads((cut / "job.json").read_text())["settings"]
    split = output / "splits" / "paper.json"
    whole = train("a_segnet", tiny_dataset, tmp_path / "whole", split=split, fold=1, settings=settings).folder
    assert sha256_of(cut / "model.safetensors") == sha256_of(whole / "model.safetensors")


TWO = """
import json, sys
from covid_monai.tables.reproduction import reproduce
outcomes = reproduce(*sys.argv[1:4], protocol="paper", rows=["1"], seeds=1, resume=True)
print(json.dumps({outcome.job.folder: outcome.status for outcome in outcomes}))
"""


@pytest.mark.slow
def test_two_processes_on_one_output_run_every_job_once(table, tiny_dataset, tmp_path):
    command = [sys.executable, "-c", TWO, str(table), str(tiny_dataset), str(tmp_path / "output")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    text = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], [error.decode() for _, error in text]
    first, second = (json.loads(output.decode().splitlines()[-1]) for output, _ in text)
    assert set(first) == set(second)
    assert len(first) == 2
    for job in first:
        assert sorted([first[job], second[job]]) == ["done", "found"]
    note = json.loads((tmp_path / "output" / "reproduce.json").read_text())
    assert sorted(note["jobs"]) == sorted(first)


def test_a_job_that_fails_does_not_stop_the_others(tiny_dataset, tmp_path):
    rows = content()["rows"]
    rows[0]["settings"]["learning_rate"] = 1e30
    table = write_table(tmp_path, {"rows": rows, "settings": {**SMALL, "epochs": 1}})
    lines = []
    outcomes = reproduce(
        str(table), tiny_dataset, tmp_path / "output", protocol="paper", folds="0", seeds=1, write=lines.append
    )
    assert [outcome.status for outcome in outcomes] == ["failed", "done"]
    assert any("failed: the loss is nan in epoch 1" in line for line in lines)
    result = run(table, "--data", tiny_dataset, "-o", tmp_path / "output", *ONE_JOB, "--resume")
    assert result.exit_code == 1
    text, last = result.stderr.strip().splitlines()[-2:]
    assert text.startswith("failed: paper | SegNet + DL | fold 0 | seed 0: the loss is nan")
    assert last.startswith("Error: 1 of 1 jobs failed")


@pytest.mark.slow
def test_processes_divide_the_threads_and_the_stored_command_says_so(table, tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    output = tmp_path / "output"
    outcomes = reproduce(
        str(table), tiny_dataset, output, protocol="paper", rows=["1"], seeds=1, workers=2, device="cpu"
    )
    assert [outcome.status for outcome in outcomes] == ["done", "done"]
    stored = json.loads((output / outcomes[0].job.folder / "job.json").read_text())
    prefix, *command = shlex.split(stored["commands"][0])
    assert prefix == "OMP_NUM_THREADS=1"
    assert stored["threads"] == 1
    alone = [sys.executable, "-m", "covid_monai", *command[1:]]
    alone[alone.index(outcomes[0].job.folder)] = str(tmp_path / "alone")
    subprocess.run(alone, cwd=output, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert sha256_of(tmp_path / "alone" / "model.safetensors") == stored["weights_sha256"]


def test_more_rows_and_seeds_can_be_added_later(table, begun, tiny_dataset, tmp_path):
    output = tmp_path / "output"
    shutil.copytree(begun, output)
    outcomes = reproduce(
        str(table), tiny_dataset, output, protocol="paper", rows=["1"], folds="0", seeds=2, resume=True
    )
    assert [outcome.status for outcome in outcomes] == ["found", "done"]
    weights = {sha256_of(output / outcome.job.folder / "model.safetensors") for outcome in outcomes}
    assert len(weights) == 2
    assert len(json.loads((output / "reproduce.json").read_text())["jobs"]) == 2


def test_the_whole_command_writes_the_table(table, begun, tiny_dataset, tmp_path):
    output = tmp_path / "output"
    shutil.copytree(begun, output)
    result = run(table, "--data", tiny_dataset, "-o", output, *ONE_JOB, "--resume")
    assert result.exit_code == 0, result.output
    for name in ("table.md", "table.csv", "table.json", "report.html"):
        assert (output / name).stat().st_size > 0


def test_an_executor_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="executor is 'slurm'; it can be in-process, processes, ray"):
        RunOptions(executor="slurm")


def test_what_is_done_can_be_published(table, tiny_dataset, begun, tmp_path):
    output, folder = shutil.copytree(begun, tmp_path / "output"), tmp_path / "published"
    result = run(table, "--data", tiny_dataset, "-o", output, *ONE_JOB, "--resume", "--publish", folder)
    assert result.exit_code == 0, result.output
    assert f"published to {folder}; finished jobs: 1" in result.output
    assert (folder / "table.csv").read_text() == (output / "table.csv").read_text()


def test_a_place_that_cannot_be_published_to_is_told_in_one_line(table, tiny_dataset, begun, tmp_path):
    output = shutil.copytree(begun, tmp_path / "output")
    (tmp_path / "file").touch()
    result = run(table, "--data", tiny_dataset, "-o", output, *ONE_JOB, "--resume", "--publish", tmp_path / "file")
    assert result.exit_code == 1
    assert "choose a folder" in result.output.splitlines()[-1]


def test_data_that_miss_the_tables_needs_are_refused_unless_allowed_and_the_note_keeps_it(tmp_path):
    crops = [{"source": "other", "patient": f"p{i}", "size": (24 + i, 24)} for i in range(8)]
    data = write_slices(tmp_path / "data", crops).folder
    table = write_table(tmp_path, {"needs": {"sources": ["tiny"], "canvas": True}, "settings": {**SMALL, "epochs": 1}})
    words = [table, "--data", data, "-o", tmp_path / "output", *ONE_JOB]
    for dry in ([], ["--dry-run"]):
        result = run(*words, *dry)
        assert result.exit_code == 1
        (line,) = result.stderr.strip().splitlines()
        assert "tiny needs data of tiny, but" in line
        assert "8 of 8 slices of" in line
        assert "--canvas 512" in line
        assert "--allow-deviation sources --allow-deviation canvas" in line
        assert not (tmp_path / "output").exists()
    result = run(*words, "--allow-deviation", "sources")
    assert "allow this deviation: canvas" in result.stderr
    result = run(*words, "--allow-deviation", "sources", "--allow-deviation", "canvas")
    assert result.exit_code == 0, result.output
    note = json.loads((tmp_path / "output" / "reproduce.json").read_text())
    assert note["allowed_deviations"] == ["canvas", "sources"]
    assert run(*words, "--resume").exit_code == 0
    assert json.loads((tmp_path / "output" / "reproduce.json").read_text())["allowed_deviations"] == [
        "canvas",
        "sources",
    ]


def test_a_deviation_of_another_name_is_refused(table, tiny_dataset, tmp_path):
    with pytest.raises(InputError, match=r"deviation 'canvass' cannot be allowed \(did you mean 'canvas'"):
        reproduce(str(table), tiny_dataset, tmp_path / "output", allow_deviations=["canvass"])
