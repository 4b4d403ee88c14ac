import json

import numpy as np
import pytest
from click.testing import CliRunner

from covid_monai.cli import root
from tests.inference.drawn_studies import coarse_thorax, write_dicom, write_nifti


def run(*arguments):
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def scanner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scanner")
    thorax = coarse_thorax()
    write_dicom(folder / "study", thorax)
    write_nifti(folder / "edited.nii.gz", thorax.mask, thorax.affine)
    (folder / "notes").mkdir()
    (folder / "notes" / "readme.txt").write_text("no images here")
    return folder


def test_predict_tells_each_study_its_results_and_counts_what_failed(scanner, tiny_run, tmp_path):
    result = run("predict", scanner / "study", scanner / "notes", "-o", tmp_path / "out", "--run", tiny_run)
    assert result.exit_code == 1
    (folder,) = (path for path in (tmp_path / "out").glob("study-*") if (path / "mask.nii.gz").is_file())
    lines = result.stdout.splitlines()
    assert f"{scanner / 'study'}: {folder}" in lines
    assert any(line.strip().startswith("infected: ") and "% of the lungs" in line for line in lines)
    assert any(line.startswith("failed: ") and "holds no CT" in line for line in lines)
    assert result.stderr.splitlines()[-1] == ("Error: 1 of 2 inputs could not be done; see the messages above")
    again = run("predict", scanner / "study", "-o", tmp_path / "out", "--run", tiny_run)
    assert again.exit_code == 0
    assert f"{folder} (kept, it was done before)" in again.stdout


def test_measure_writes_and_tells_the_numbers_of_a_mask(scanner, tmp_path):
    arguments = ["measure", scanner / "study", "--mask", scanner / "edited.nii.gz", "-o", tmp_path, "--study", "P1"]
    result = run(*arguments, "--labels", "1=ground-glass,2=consolidation,3=effusion", "--floor-ml", "0.1")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == str(tmp_path / "P1" / "measurements.json")
    content = json.loads((tmp_path / "P1" / "measurements.json").read_text())
    assert content["settings"]["floor_ml"] == 0.1
    assert f"{content['lungs']['both']['infected_percent']:.2f} % of the lungs" in result.stdout
    refused = run(*arguments, "--labels", "1,2=lesion,3=effusion")
    assert refused.exit_code == 1
    assert "give --overwrite to replace" in refused.stderr
    assert run(*arguments, "--labels", "1,2=lesion,3=effusion", "--overwrite").exit_code == 0


def test_measure_takes_lungs_and_says_what_is_unknown_without_one(scanner, tmp_path):
    thorax = coarse_thorax()
    right = write_nifti(tmp_path / "right.nii.gz", (thorax.lungs.labels == 1).astype(np.uint8), thorax.affine)
    arguments = ["measure", scanner / "study", "--mask", scanner / "edited.nii.gz", "--lungs", right]
    result = run(*arguments, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "infected share unknown: the left lung is absent" in result.stdout
    assert "of what the field of view shows" in result.stdout
    assert "has no record beside it that names its classes" in result.stderr
