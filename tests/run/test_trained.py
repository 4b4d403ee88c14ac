"""Weights that no run of this package recorded: MONAI's own command, bundle folders, and files alone."""

import json
import shutil

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner

import covid_monai as cm
from covid_monai.cli import root
from covid_monai.errors import InputError, InputWarning
from covid_monai.run.copy import copy_bundle
from covid_monai.run.trained import find_trained
from tests.tiny import SMALL_NETWORK

SETTINGS = [f"--set={key}={json.dumps(value)}" for key, value in SMALL_NETWORK.items()]


@pytest.fixture
def of_monai(tiny_run, tmp_path):
    """What `python -m monai.bundle run` leaves: all but the record, the copy of the split and the configuration."""
    folder = shutil.copytree(tiny_run, tmp_path / "of_monai")
    for name in ("run.json", "split.json", "config.yaml", "environment.json"):
        (folder / name).unlink()
    return folder


@pytest.fixture
def copied(tiny_run, tmp_path):
    return copy_bundle("a_segnet", tmp_path / "copied", run=tiny_run)


def command(*arguments):
    return CliRunner().invoke(root, list(map(str, arguments)))


def mask_of(result, folder):
    assert result.exit_code == 0, result.output
    return np.asanyarray(nibabel.load(folder / "p0_s0.nii.gz").dataobj)


def test_predict_takes_all_of_them_and_says_what_is_not_known(of_monai, copied, tiny_run, tiny_dataset, tmp_path):
    image = tiny_dataset / "images" / "p0_s0.nii.gz"
    expected = mask_of(command("predict", image, "-o", tmp_path / "run", "--run", tiny_run), tmp_path / "run")
    for name, arguments in {
        "of_monai": ["--run", of_monai, *SETTINGS],
        "file": ["--run", of_monai / "model.safetensors", *SETTINGS],
        "copied": ["--run", copied, "--trust-run"],
        "copied_file": ["--run", copied / "models" / "model.pt", "--trust-run"],
    }.items():
        result = command("predict", image, "-o", tmp_path / name, *arguments)
        np.testing.assert_array_equal(mask_of(result, tmp_path / name), expected, err_msg=name)
        assert "warning: " in result.output
        assert "is not known" in result.output
        assert "changed by --set" in result.output


def test_settings_that_are_not_those_of_the_weights_are_told(of_monai, tiny_dataset, tmp_path):
    image = tiny_dataset / "images" / "p0_s0.nii.gz"
    result = command("predict", image, "-o", tmp_path / "out", "--run", of_monai)
    assert result.exit_code == 1
    assert "do not fit this network" in result.output


def test_it_is_evaluated_on_a_given_split_and_reported(of_monai, tiny_run, tiny_dataset):
    split = ["--split", tiny_dataset / "split.json", "--fold", 0]
    result = command("evaluate", of_monai, "--data", tiny_dataset, *split, *SETTINGS)
    assert result.exit_code == 0, result.output
    cm.evaluate(tiny_run)
    found, expected = (cm.Scores.read(folder / "evaluation" / "test") for folder in (of_monai, tiny_run))
    assert found.value("dice") == expected.value("dice")
    result = command("report", of_monai)
    assert result.exit_code == 0, result.output
    page = (of_monai / "report.html").read_text(encoding="utf-8")
    assert "It is not recorded what these weights were trained on" in page


def test_a_bundle_folder_is_evaluated_on_all_cases_and_reported(copied, tiny_dataset):
    result = command("evaluate", copied, "--data", tiny_dataset, "--subset", "all", "--trust-run")
    assert result.exit_code == 0, result.output
    result = command("report", copied, "--subset", "all")
    assert result.exit_code == 0, result.output
    assert "Training</h2>" not in (copied / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "does not say what it was trained on; give the folder of a data set by --data"),
        (["--data", "{data}"], "does not say which cases it was trained on; give the split file by --split"),
    ],
)
def test_what_has_to_be_given_is_asked_for(of_monai, tiny_dataset, arguments, message):
    result = command("evaluate", of_monai, *(text.format(data=tiny_dataset) for text in arguments))
    assert result.exit_code == 1
    assert message in result.output


def test_a_run_keeps_its_own_split(tiny_run, tiny_dataset):
    with pytest.raises(InputError, match="has a split and a fold of its own"):
        cm.evaluate(tiny_run, split=tiny_dataset / "split.json")


def test_a_bundle_is_code_and_has_to_be_trusted(copied):
    with pytest.raises(InputError, match=r"contains executable configuration; give `trust=True`"):
        find_trained(copied)
    with pytest.warns(InputWarning, match="is not known"):
        assert find_trained(copied, trust=True).bundle == copied.resolve()


def test_a_file_of_no_bundle_is_told_where_to_go(of_monai, tmp_path):
    alone = shutil.copy(of_monai / "model.safetensors", tmp_path / "alone.safetensors")
    with pytest.raises(InputError, match=r"does not say which bundle it is of.*bundle copy"):
        find_trained(alone)


def test_damaged_weights_beside_their_hash_are_refused(of_monai):
    (of_monai / "model.safetensors").write_bytes((of_monai / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged or was exchanged"):
        find_trained(of_monai)


def test_it_is_exported(of_monai, tmp_path):
    arguments = ["a_segnet", "--run", of_monai, "--format", "torchscript", "-o", tmp_path / "network.ts"]
    result = command("bundle", "export", *arguments, *SETTINGS)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "network.ts").is_file()


def test_the_weights_file_of_a_run_brings_the_settings_of_its_run(tiny_run):
    alone, whole = find_trained(tiny_run / "model.safetensors"), find_trained(tiny_run)
    assert (alone.settings, alone.record) == (whole.settings, whole.record)
    assert alone.settings["channels"] == SMALL_NETWORK["channels"]
