import os
import shlex
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

import covid_monai
from covid_monai.cli import root
from tests.tiny import SMALL_NETWORK

SETTINGS = [argument for key, value in SMALL_NETWORK.items() for argument in ("--set", f"{key}={value}")]


def run(*arguments):
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


@pytest.mark.parametrize("module", ["covid_monai", "covid_monai.cli", "covid_monai.cli.train", "covid_monai.cli.data"])
def test_importing_loads_neither_torch_nor_monai(module):
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'monai', 'matplotlib', 'pandas'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_version_is_the_packages():
    assert run("--version").output.split()[-1] == covid_monai.__version__


def test_every_command_has_help():
    for name in root.list_commands(None):
        result = run(name, "--help")
        assert result.exit_code == 0
        assert result.output.startswith("Usage: ")


def test_train_evaluate_and_predict_follow_each_other(tiny_dataset, tmp_path):
    output = tmp_path / "run"
    trained = run("train", "a_segnet", "--data", tiny_dataset, "-o", output, "--set", "epochs=1", *SETTINGS)
    assert trained.exit_code == 0, trained.output
    assert (output / "curves.png").read_bytes().startswith(b"\x89PNG")
    evaluated = run("evaluate", output)
    assert evaluated.exit_code == 0, evaluated.output
    assert "pooled" in evaluated.output
    predicted = run("predict", tiny_dataset / "images", "-o", tmp_path / "masks", "--run", output, "--preview")
    assert predicted.exit_code == 0, predicted.output
    assert len(list((tmp_path / "masks").glob("*.nii.gz"))) == 12
    assert len(list((tmp_path / "masks" / "previews").glob("*.png"))) == 12


def test_a_score_under_the_least_that_was_asked_for_is_status_1(tiny_run, tmp_path):
    result = run("evaluate", tiny_run, "-o", tmp_path / "scores", "--at-least", 1.1)
    assert result.exit_code == 1
    assert "under the 1.1" in result.stderr
    assert (tmp_path / "scores" / "scores.csv").is_file()


def test_predict_names_bad_files_goes_on_and_has_status_1(tiny_dataset, tiny_run, tmp_path):
    (tmp_path / "bad.nii.gz").write_bytes(b"")
    good = tiny_dataset / "images" / "p0_s0.nii.gz"
    result = run("predict", tmp_path / "bad.nii.gz", good, "-o", tmp_path / "out", "--run", tiny_run)
    assert result.exit_code == 1
    assert "bad.nii.gz" in result.output
    assert "1 of 2 inputs could not be done" in result.stderr
    assert (tmp_path / "out" / "p0_s0.nii.gz").is_file()


BAD = {
    "unknown bundle": (["train", "a_segmet", "--data", "{data}", "-o", "{tmp}/run"], "did you mean 'a_segnet'"),
    "missing data": (["train", "a_segnet", "--data", "{tmp}/none", "-o", "{tmp}/run"], "has no dataset.json"),
    "setting without value": (["train", "a_segnet", "--data", "{data}", "-o", "{tmp}/run", "--set", "x"], "key=value"),
    "code as a setting": (
        ["train", "a_segnet", "--data", "{data}", "-o", "{tmp}/run", "--set", "loss=$__import__('os').getcwd()"],
        "is an expression",
    ),
    "component as a setting": (
        ["train", "a_segnet", "--data", "{data}", "-o", "{tmp}/run", "--set", "network_def={_target_: os.getcwd}"],
        "is an expression",
    ),
    "unknown device": (["train", "a_segnet", "--data", "{data}", "-o", "{tmp}/run", "--device", "gpu"], "'gpu' cannot"),
    "absent device": (
        ["train", "a_segnet", "--data", "{data}", "-o", "{tmp}/run", "--device", "cuda:99"],
        "cpu always",
    ),
    "settings file that is none": (
        ["train", "a_segnet", "--data", "{data}", "-o", "{tmp}/run", "--config", "{tmp}/none.yaml"],
        "cannot read settings",
    ),
    "unwritable output": (["train", "a_segnet", "--data", "{data}", "-o", "/proc/run"], "cannot write"),
    "run that is none": (["evaluate", "{tmp}"], "not a run folder"),
    "no such input": (["predict", "{tmp}/*.nii", "-o", "{tmp}/o", "--run", "{run}"], "names no NIfTI"),
    "benchmark over something": (["benchmark", "-o", "{data}"], "exists already"),
    "benchmark on an absent device": (["benchmark", "--device", "cuda:99"], "cpu always"),
    "copy over something": (["bundle", "copy", "a_segnet", "{tmp}"], "exists already"),
    "copy of another's weights": (["bundle", "copy", "a_segnet", "{tmp}/b", "--run", "{tmp}"], "not a run"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_status_1(name, tiny_dataset, tiny_run, tmp_path):
    arguments, message = BAD[name]
    places = {"data": tiny_dataset, "tmp": tmp_path, "run": tiny_run}
    result = run(*(argument.format(**places) if "{_" not in argument else argument for argument in arguments))
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert not (tmp_path / "run").exists()


def test_wrong_usage_is_status_2():
    assert run("train").exit_code == 2
    assert run("trian").exit_code == 2


@pytest.mark.slow
def test_interruption_is_status_130(tiny_dataset, tmp_path):
    script = (
        "import os, signal, sys; from covid_monai.handlers import log; from covid_monai.cli import main\n"
        # a test suite in the background inherits that SIGINT is ignored
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "log.EpochLog.end_epoch = lambda self, engine: os.kill(os.getpid(), signal.SIGINT)\n"
        f"sys.argv = ['covid-monai', 'train', 'a_segnet', '--data', {str(tiny_dataset)!r}, "
        f"'-o', {str(tmp_path / 'run')!r}, *{SETTINGS!r}]\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=dict(os.environ), check=False)
    assert done.returncode == 130, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert b"terminating" not in done.stderr
    line = done.stderr.decode().splitlines()[-1]
    assert line.startswith("interrupted; to go on from the last complete epoch: covid-monai train a_segnet ")
    resumed = run(*shlex.split(line.partition("covid-monai ")[2]), "--set", "epochs=1")
    assert resumed.exit_code == 0, resumed.output
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_the_split_command_suggested_for_a_missing_split_works(tiny_dataset, tmp_path):
    arguments = [
        "train",
        "a_segnet",
        "--data",
        tiny_dataset,
        "--split",
        tmp_path / "a split.json",
        "-o",
        tmp_path / "r",
    ]
    refused = run(*arguments, "--set", "epochs=1", *SETTINGS)
    assert refused.exit_code == 1
    suggested = refused.stderr.partition("`covid-monai ")[2].partition("`")[0]
    done = run(*shlex.split(suggested))
    assert done.exit_code == 0, done.output
    assert run(*arguments, "--set", "epochs=1", *SETTINGS).exit_code == 0


def test_training_does_not_write_onto_its_settings_file(tiny_run, tiny_dataset, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    settings = tmp_path / "settings.yaml"
    settings.write_text("epochs: 31\n")
    (tmp_path / "run" / "log.jsonl").rename(tmp_path / "log.jsonl")
    settings.rename(tmp_path / "run" / "log.jsonl")
    (tmp_path / "settings.yaml").symlink_to(tmp_path / "run" / "log.jsonl")
    result = run("train", "a_segnet", "--data", tiny_dataset, "-o", tmp_path / "run", "--config", settings, "--resume")
    assert result.exit_code == 1
    assert (tmp_path / "run" / "log.jsonl").read_text() == "epochs: 31\n"


def test_bundle_commands_tell_about_a_bundle():
    assert "a_segnet_ct_segmentation" in run("bundle", "list").output
    shown = run("bundle", "show", "a_segnet").output
    assert "35,585,031" in shown
    assert "Budak" in shown
    assert run("bundle", "verify", "a_segnet").exit_code == 0
    assert run("bundle", "path", "a_segnet").output.strip().endswith("a_segnet_ct_segmentation")
