"""Each command on a full disk: exit status 1, one line that names a file, and nothing half-written."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from covid_monai.cli.root import root
from covid_monai.errors import InputError
from tests.faults.disk import files_in, files_of_at_most
from tests.tables.tiny_table import SMALL as SMALL_TABLE
from tests.tables.tiny_table import write_table

SMALL = ("--set", "image_size=[32,32]", "--set", "channels=[4,4,4,4,4]", "--set", "epochs=1")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


def refused(arguments: Sequence[object], size: int) -> str:
    """The one line that a command says where no file may be larger than ``size`` bytes."""
    with files_of_at_most(size):
        result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    # it may follow a bar
    _, *messages = result.output.split("Error: ")
    assert [message.count("\n") for message in messages] == [1], result.output
    return messages[0]


@pytest.fixture(scope="module")
def trained(tiny_dataset, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "run"
    result = run("train", "a_segnet", "--data", tiny_dataset, "-o", folder, *SMALL)
    assert result.exit_code == 0, result.output
    return folder


def test_train_names_the_weights_and_goes_on_when_there_is_space(tiny_dataset, trained, tmp_path):
    weights = (trained / "model.safetensors").stat().st_size
    command = ["train", "a_segnet", "--data", tiny_dataset, "-o", tmp_path / "run", *SMALL]
    assert "model.safetensors: File too large; " in refused(command, weights - 1)
    assert not any(".writing-" in name for name in files_in(tmp_path))
    result = run(*command, "--resume")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_a_state_that_does_not_fit_leaves_the_one_before(tiny_dataset, tmp_path, monkeypatch):
    from covid_monai.handlers import state

    whole = state.save_nested

    def refuse_second(folder, name, content):
        if "epoch-0002" in str(folder) and name == "optimizer":
            (folder / "half").write_text("half of it")
            raise OSError(28, os.strerror(28))
        whole(folder, name, content)

    monkeypatch.setattr(state, "save_nested", refuse_second)
    result = run("train", "a_segnet", "--data", tiny_dataset, "-o", tmp_path / "run", *SMALL[:-1], "epochs=2")
    assert result.exit_code == 1
    assert f"cannot write {tmp_path / 'run' / 'state' / 'epoch-0002'}: No space left on device; free" in result.output
    assert [child.name for child in (tmp_path / "run" / "state").iterdir()] == ["epoch-0001"]


def test_evaluate_names_the_file(trained, tmp_path):
    assert f"cannot write {tmp_path}/" in refused(["evaluate", trained, "-o", tmp_path / "scores"], 100)
    assert not files_in(tmp_path)


def test_prepare_names_the_file_and_leaves_nothing(tiny_dataset, tmp_path):
    command = ["data", "prepare", "nifti", tiny_dataset, "--label-map", "1=1,2=2", "-o", tmp_path / "out"]
    assert f"cannot write {tmp_path}/out/.preparing/images/" in refused(command, 1000)
    assert not (tmp_path / "out").exists()
    assert run(*command).exit_code == 0


def test_phantom_names_the_file_and_leaves_nothing(tmp_path):
    command = ["data", "phantom", "-o", tmp_path / "out", "--patients", 1, "--size", 64, "--slices", 4]
    assert f"cannot write {tmp_path}/out/.preparing/volumes/images/" in refused(command, 1000)
    assert not (tmp_path / "out").exists()


def test_split_names_the_file(tiny_dataset, tmp_path):
    command = ["data", "split", tiny_dataset, "-o", tmp_path / "s.json", "--protocol", "paper", "--folds", 2]
    assert f"cannot write {tmp_path}/s.json: " in refused(command, 100)
    assert not files_in(tmp_path)


def test_score_names_the_file_and_leaves_nothing(tiny_dataset, tmp_path):
    command = ["score", tiny_dataset / "labels", tiny_dataset / "labels", "-o", tmp_path / "scores"]
    assert f"cannot write {tmp_path}/scores/" in refused(command, 1000)
    assert not files_in(tmp_path)
    result = run(*command)
    assert result.exit_code == 0, result.output


def test_copy_names_the_file_and_leaves_nothing(trained, tmp_path):
    assert f"cannot write {tmp_path}/" in refused(["bundle", "copy", "a_segnet", tmp_path / "copy"], 1000)
    with_run = ["bundle", "copy", "a_segnet", tmp_path / "copy", "--run", trained]
    assert f"cannot write {tmp_path}/" in refused(with_run, 20_000)
    assert not list(tmp_path.iterdir())
    assert run(*with_run).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["torchscript", "torch-export", "onnx"])
def test_export_names_the_file_and_leaves_nothing(file_format, trained, tmp_path):
    command = ["bundle", "export", "a_segnet", "--run", trained, "--format", file_format, "-o", tmp_path / "network"]
    assert f"cannot write {tmp_path}/network: " in refused(command, 3000)
    assert not files_in(tmp_path)


@pytest.mark.slow
def test_report_names_the_file_and_keeps_the_page_before(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    assert run("evaluate", tmp_path / "run").exit_code == 0
    (tmp_path / "page.html").write_text("the page before")
    before = files_in(tmp_path)
    assert "cannot write " in refused(["report", tmp_path / "run", "-o", tmp_path / "page.html"], 20_000)
    assert (tmp_path / "page.html").read_text() == "the page before"
    assert files_in(tmp_path) <= before | {"run/curves.png"}


def test_benchmark_names_the_file_and_leaves_nothing(tmp_path, monkeypatch):
    # what is measured is not written by this process
    monkeypatch.setattr("covid_monai.benchmark.measure.measure_apart", _measured_nothing)
    command = ["benchmark", "--bundle", "unet", "--device", "cpu", "--study", "none", "-o", tmp_path / "figures.json"]
    assert "figures.json: File too large; " in refused(command, 1000)
    assert not files_in(tmp_path)
    assert run(*command).exit_code == 0
    assert files_in(tmp_path) == {"figures.json"}


def _measured_nothing(*_: object) -> None:
    raise InputError("not measured")


@pytest.mark.slow
def test_reproduce_names_the_file_of_the_job_and_goes_on_when_there_is_space(tiny_dataset, tmp_path):
    table = write_table(tmp_path / "table", {"settings": {**SMALL_TABLE, "epochs": 1}})
    command = [
        "reproduce",
        table,
        "--data",
        tiny_dataset,
        "-o",
        tmp_path / "out",
        "--protocol",
        "paper",
        "--seeds",
        "1",
    ]
    command += ["--rows", 1, "--device", "cpu", "--resume"]
    with files_of_at_most(20_000):
        result = run(*command)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert result.output.count("/model.safetensors: File too large; ") >= 2
    assert "Error: 2 of 2 jobs failed; " in result.output
    assert not [name for name in files_in(tmp_path) if ".writing-" in name]
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert "Made of 2 of 2 jobs asked for, of 24 in the table." in (tmp_path / "out" / "table.md").read_text()
