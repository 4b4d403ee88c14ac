"""Many inputs at once: what several processes, or several calls, make of them is what one makes alone."""

import csv
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.inference import predict as predict_module
from covid_monai.inference.inputs import find_inputs, parse_shard
from covid_monai.inference.predict import predict
from covid_monai.inference.study_inputs import LOCK, find_study_inputs, salt_of
from covid_monai.inference.study_table import write_table
from covid_monai.inference.workers import Work, predict_in_processes
from covid_monai.processes import Slot, threads_of_each
from covid_monai.staging import locked, staged_files
from covid_monai.studies import read_study
from tests.inference.drawn_studies import coarse_thorax, write_dicom, write_nifti
from tests.tables.test_executors import alive, wait_for

COUNT = 4
NAMES = [f"P{number}" for number in range(COUNT)]

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="tells by /proc which process has a study")


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A table of studies, which differ in where a dense ball lies, and of one that is missing."""
    folder, thorax = tmp_path_factory.mktemp("cohort"), coarse_thorax()
    x, y, z = np.indices(thorax.hu.shape)
    for number, name in enumerate(NAMES):
        hu = thorax.hu.copy()
        hu[(x - 18) ** 2 + (y - 20) ** 2 + (z - 20 - 6 * number) ** 2 < 25] = -300
        write_nifti(folder / f"{name}.nii.gz", hu, thorax.affine)
    lines = ["study,path", *(f"{name},{name}.nii.gz" for name in NAMES), "lost,nowhere"]
    (folder / "studies.csv").write_text("\n".join(lines) + "\n")
    return folder / "studies.csv"


@pytest.fixture(scope="module")
def serial(table, tiny_run, tmp_path_factory) -> Path:
    """What one process writes of the table."""
    output = tmp_path_factory.mktemp("serial")
    results = predict([table], output, tiny_run)
    assert [result.study for result in results if result.error is None] == NAMES
    return output


def contents(output: Path) -> dict[str, object]:
    """All files of an output folder; of records all but how long it took, and in how much memory."""
    found: dict[str, object] = {}
    for file in output.rglob("*"):
        if file.name == "run.json":
            record = json.loads(file.read_text())
            for name in ("seconds", "peak_memory_bytes"):
                del record[name]
            found[str(file.relative_to(output))] = record
        elif file.is_file() and file.name != ".salt":
            found[str(file.relative_to(output))] = file.read_bytes()
    return found


def rows(output: Path) -> dict[str, dict[str, str]]:
    with open(output / "measurements.csv", encoding="utf-8", newline="") as file:
        return {row["study"]: row for row in csv.DictReader(file)}


def holders(file: Path) -> list[int]:
    """The processes that this one has started and that have a file open."""
    found = []
    for child in multiprocessing.active_children():
        try:
            names = {os.readlink(entry) for entry in Path(f"/proc/{child.pid}/fd").iterdir()}
        except OSError:
            # it, or what it had open, has just gone
            continue
        if str(file) in names:
            found.append(child.pid)
    return found


@pytest.mark.slow
def test_workers_write_what_one_process_writes_and_answer_in_the_order_of_the_inputs(
    table, serial, tiny_run, tiny_dataset, tmp_path
):
    images = sorted((tiny_dataset / "images").iterdir())[:2]
    alone = predict([*images, table], tmp_path / "one", tiny_run, probabilities=True)
    begun, told = [], []
    results = predict(
        [*images, table],
        tmp_path / "two",
        tiny_run,
        probabilities=True,
        workers=2,
        started=begun.append,
        report=told.append,
    )
    assert [(each.image, each.study, each.error) for each in results] == [
        (each.image, each.study, each.error) for each in alone
    ]
    assert begun == [each.image for each in alone]
    assert {id(each) for each in told} == {id(each) for each in results}
    assert multiprocessing.active_children() == []
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
    assert all(each.kept for each in predict(images, tmp_path / "two", tiny_run, probabilities=True, workers=2))


@needs_proc
@pytest.mark.slow
def test_a_killed_worker_fails_its_study_alone_and_the_same_call_again_does_it(table, serial, tiny_run, tmp_path):
    killed: list[int] = []

    def kill_the_one_that_has(name):
        staging = tmp_path / name / ".writing-study"
        end = time.monotonic() + 300
        while not killed and time.monotonic() < end:
            for process in holders(staging) if staging.exists() else ():
                os.kill(process, signal.SIGKILL)
                killed.append(process)
            time.sleep(0.001)

    watch = threading.Thread(target=kill_the_one_that_has, args=("P1",))
    watch.start()
    results = {each.study: each for each in predict([table], tmp_path, tiny_run, workers=2)}
    watch.join()
    assert len(killed) == 1
    assert [name for name, each in results.items() if each.error is not None] == ["P1", "lost"]
    assert "P1.nii.gz: its process was killed by SIGKILL before it was done" in results["P1"].error
    assert {name: row["state"] for name, row in rows(tmp_path).items()} == {
        **dict.fromkeys(NAMES, "done"),
        "P1": "failed",
        "lost": "failed",
    }
    again = {each.study: each for each in predict([table], tmp_path, tiny_run, workers=2)}
    assert [(name, each.kept) for name, each in again.items() if each.error is None] == [
        (name, name != "P1") for name in NAMES
    ]
    assert contents(tmp_path) == contents(serial)


@pytest.mark.slow
@needs_proc
def test_ctrl_c_ends_all_processes_and_leaves_nothing_half_written(table, tiny_run, tmp_path):
    # so many that they are not done before it is pressed
    names = [f"S{number}" for number in range(20)]
    study, table = table.parent / "P0.nii.gz", tmp_path / "studies.csv"
    table.write_text("\n".join(["study,path", *(f"{name},{study}" for name in names)]) + "\n")
    # a test suite in the background inherits that SIGINT is ignored
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "if __name__ == '__main__':\n    from covid_monai.cli import main\n    main()\n"
    script = tmp_path / "predict.py"
    script.write_text(code)
    command = [sys.executable, str(script), "predict", str(table), "-o", str(tmp_path / "out")]
    command += ["--run", str(tiny_run), "--backend", "torch", "--workers", "2"]
    called = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: any((tmp_path / "out").glob("*/.writing-study")), seconds=200)
    children = [int(child) for child in Path(f"/proc/{called.pid}/task/{called.pid}/children").read_text().split()]
    # as a terminal does: to all processes
    os.killpg(called.pid, signal.SIGINT)
    _, errors = called.communicate(timeout=100)
    assert (called.returncode, errors.splitlines()[-1]) == (130, "interrupted")
    assert "Traceback" not in errors
    wait_for(lambda: not any(map(alive, children)), seconds=20)
    assert [path for path in (tmp_path / "out").rglob(".*") if path.name != ".salt"] == []
    results = predict([table], tmp_path / "out", tiny_run, backend="torch")
    assert [each.study for each in results if each.error is None] == names
    assert sorted(rows(tmp_path / "out")) == sorted(names)


@pytest.mark.slow
def test_shards_at_the_same_time_share_a_folder_its_salt_and_its_table(tiny_run, tmp_path):
    for name in "abc":
        write_dicom(tmp_path / "in" / name)
    command = [sys.executable, "-m", "covid_monai", "predict", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    command += ["--run", str(tiny_run), "--backend", "torch", "--report", "--shard"]
    calls = [
        subprocess.Popen([*command, f"{number}/2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for number in (1, 2)
    ]
    told = [call.communicate(timeout=300)[0] for call in calls]
    assert [call.returncode for call in calls] == [0, 0], told
    assert [text.count("study-") // 2 for text in told] == [2, 1]
    assert [row["state"] for row in rows(tmp_path / "out").values()] == ["done"] * 3
    index = (tmp_path / "out" / "index.html").read_text()
    assert all(name in index for name in rows(tmp_path / "out"))
    # one that was drawn twice would have given the second call other keys
    assert all(each.kept for each in predict([tmp_path / "in"], tmp_path / "out", tiny_run, backend="torch"))


def test_each_input_is_in_one_shard_whatever_the_order_of_the_inputs(table, tiny_dataset):
    images = sorted((tiny_dataset / "images").iterdir())
    found, turned = find_inputs([*images, table]), find_inputs([table, *reversed(images)])
    parts = [found.shard(number, 5) for number in range(1, 6)]
    assert sorted(image for part in parts for image in part.images) == images
    assert sorted(study.name for part in parts for study in part.studies) == [*NAMES, "lost"]
    assert [len(part) for part in parts] == [4, 4, 3, 3, 3]
    for number, part in enumerate(parts, start=1):
        other = turned.shard(number, 5)
        assert (set(other.images), {study.name for study in other.studies}) == (
            set(part.images),
            {study.name for study in part.studies},
        )


def test_a_shard_without_inputs_writes_nothing(tiny_run, tiny_dataset, tmp_path):
    image = tiny_dataset / "images" / "p0_s0.nii.gz"
    assert predict([image], tmp_path / "out", tiny_run, shard=(2, 2)) == []
    assert not (tmp_path / "out").exists()
    assert len(predict([image], tmp_path / "out", tiny_run, shard="1/2")) == 1


@pytest.mark.parametrize("shard", ["0/4", "5/4", "x", "1/0", "-1/2", "1", "1/2/3", (0, 4)])
def test_a_shard_that_cannot_be_is_refused(shard):
    with pytest.raises(InputError, match=r"`shard` is '.*'; give its number and how many there are"):
        parse_shard(shard)


def test_two_images_of_one_name_are_refused_in_whichever_shards_they_are(tiny_run, tiny_dataset, tmp_path):
    image = tiny_dataset / "images" / "p0_s0.nii.gz"
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "ct.nii.gz").write_bytes(image.read_bytes())
    with pytest.raises(InputError, match="would both write"):
        predict([tmp_path / "a", tmp_path / "b"], tmp_path / "out", tiny_run, shard=(1, 2))


def test_no_workers_are_refused(tiny_run, tiny_dataset, tmp_path):
    with pytest.raises(InputError, match="`workers` is 0; it must be at least 1"):
        predict([tiny_dataset / "images"], tmp_path, tiny_run, workers=0)


def test_a_study_that_another_process_is_writing_is_left_to_it(table, tiny_run, tmp_path):
    folder = tmp_path / "P0"
    with staged_files(folder, ".writing-study", "run.json") as staging:
        (staging.path / "begun").touch()
        results = {each.study: each for each in predict([table], tmp_path, tiny_run)}
        assert results["P0"].error.startswith(f"another process is writing to {folder}")
        # what the other one has written so far is there, and no record says that the study has failed
        assert [path.name for path in staging.path.iterdir()] == ["begun"]
        assert "P0" not in rows(tmp_path)
    again = {each.study: each for each in predict([table], tmp_path, tiny_run)}
    assert (again["P0"].error, again["P0"].kept, again["P1"].kept) == (None, False, True)
    assert rows(tmp_path)["P0"]["state"] == "done"


def test_a_salt_is_drawn_once_by_however_many_processes_at_once(tmp_path):
    together = threading.Barrier(8)

    def draw(_):
        together.wait()
        return salt_of(tmp_path / "out")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(draw, range(8)))) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".salt"]


def test_a_table_has_what_ended_while_another_process_was_writing_it(serial, tmp_path):
    for name in NAMES[:2]:
        (tmp_path / name).mkdir()
        for file in (serial / name).iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    (tmp_path / "P1").rename(tmp_path / ".later")
    with ThreadPoolExecutor(1) as pool:
        with locked(tmp_path / LOCK):
            written = pool.submit(write_table, tmp_path)
            time.sleep(0.2)
            assert not written.done()
            (tmp_path / ".later").rename(tmp_path / "P1")
        written.result(timeout=60)
    assert list(rows(tmp_path)) == ["P0", "P1"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_table_grows_while_studies_are_done(workers, table, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(predict_module, "TABLE_SECONDS", 0.0)
    states = []

    def note(_):
        states.append(len(rows(tmp_path)) if (tmp_path / "measurements.csv").exists() else 0)

    predict([table], tmp_path, tiny_run, workers=workers, report=note)
    # the one that ends is written after it is told of
    assert states[0] == 0
    assert states[-1] >= COUNT


def test_a_study_in_a_zip_archive_can_be_sent_to_another_process(tmp_path):
    write_dicom(tmp_path / "series")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for file in (tmp_path / "series").iterdir():
            archive.write(file, f"inner/{file.name}")
    (given,) = find_study_inputs([tmp_path / "study.zip"])
    sent = pickle.loads(pickle.dumps(given))
    assert sent.files == given.files
    np.testing.assert_array_equal(read_study(sent.series).hu, read_study(given.series).hu)


def refusing(device):
    raise InputError(f"no memory on {device}")


def failing(device):
    raise KeyError(device)


@pytest.mark.parametrize(
    ("load", "kind", "message"),
    [(refusing, InputError, "no memory on cpu"), (failing, RuntimeError, "KeyError: 'cpu'")],
)
def test_what_stops_a_worker_stops_the_call(load, kind, message, table):
    work = Work(load, dict, [])
    given = find_study_inputs([table])
    with pytest.raises(kind, match=message):
        predict_in_processes(None, work, given, [Slot("cpu", 1)] * 2, ended=print)
    assert multiprocessing.active_children() == []


def test_the_processors_are_divided_among_the_workers(monkeypatch):
    monkeypatch.setattr("covid_monai.processes.processors", lambda: 16)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [threads_of_each(count) for count in (1, 2, 3, 40)] == [16, 8, 5, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_of_each(16) == 2
