import json

import nibabel
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from covid_monai.cli.root import root
from tests.scoring.mask_folders import write_folder, write_nifti
from tests.scoring.masks import label_map


def run(*arguments):
    return CliRunner().invoke(root, ["score", *map(str, arguments)])


@pytest.fixture
def folders(tmp_path):
    """References and two prediction folders of eight slices."""
    return [write_folder(tmp_path / name, seed) for seed, name in enumerate(("references", "ours", "theirs"))]


def test_one_folder_is_shown_and_written(folders, tmp_path):
    references, ours, _ = folders
    shown = run(ours, references)
    assert shown.exit_code == 0, shown.output
    written = run(ours, references, "-o", tmp_path / "scores")
    assert written.stdout == f"{shown.stdout}wrote {tmp_path / 'scores'}\n"
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == ["scores.csv", "scores.json", "scores.md"]
    assert (tmp_path / "scores" / "scores.md").read_text() + "\n" == shown.stdout
    assert set(pd.read_csv(tmp_path / "scores" / "scores.csv")["case"]) == {f"c{k}" for k in range(8)}


def test_several_folders_are_scored_each_and_compared(folders, tmp_path):
    references, ours, theirs = folders
    result = run(ours, theirs, f"third={ours}", references, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "| lesion | ours − theirs |" in result.stdout  # noqa: RUF001
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "comparison.csv",
        "comparison.json",
        "comparison.md",
        "ours",
        "theirs",
        "third",
    ]
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [rating["name"] for rating in content["predictions"]] == ["ours", "theirs", "third"]
    scores = json.loads((tmp_path / "out" / "theirs" / "scores.json").read_text())
    dice = scores["levels"]["pooled"]["classes"]["lesion"]["measures"]["dice"]["value"]
    assert content["predictions"][1]["pooled"]["value"] == pytest.approx(dice)


def test_patients_labels_and_tolerance_are_taken(tmp_path):
    for seed, name in enumerate(("predictions", "references")):
        for case in range(6):
            write_nifti(tmp_path / name / f"c{case}.nii", label_map((6, 6, 1), 10 * seed + case, 4))
    (tmp_path / "patients.csv").write_text("case,patient\n" + "".join(f"c{k},p{k // 2}\n" for k in range(6)))
    result = run(
        *(tmp_path / "predictions", tmp_path / "references", "-o", tmp_path / "out"),
        *("--labels", "1,2=ground-glass,3=consolidation", "--patients", tmp_path / "patients.csv", "--tolerance", 1),
    )
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert content["classes"] == ["ground-glass", "consolidation", "any lesion"]
    assert content["patients"] == 3
    assert content["surface_measures"]["tolerance_mm"] == 1
    assert content["inputs"]["labels"] == {"1": "ground-glass", "2": "ground-glass", "3": "consolidation"}


def test_a_missing_prediction_is_counted_only_where_asked(folders):
    references, ours, _ = folders
    (ours / "c2.nii.gz").unlink()
    refused = run(ours, references).stderr.strip()
    assert "c2" in refused
    assert refused.endswith("count them as empty: --missing-as-empty")
    assert "counted as empty masks: 1 (c2)" in run(ours, references, "--missing-as-empty").stdout


BAD = {
    "missing": (["{tmp}/none", "{tmp}/references"], "does not exist"),
    "empty folder": (["{tmp}/void", "{tmp}/references"], "has no masks"),
    "empty file": (["{tmp}/bad.nii.gz", "{tmp}/references/c0.nii.gz"], "is empty"),
    "folder against file": (["{tmp}/ours", "{tmp}/references/c0.nii.gz"], "two folders or two files"),
    "names alike": (["{tmp}/ours", "{tmp}/ours", "{tmp}/references"], "two predictions are named 'ours'"),
    "name that is a path": (["../a={tmp}/ours", "{tmp}/references"], "no name"),
    "name without a folder": (["ours=", "{tmp}/references"], "'ours=' names no folder; give NAME=FOLDER"),
    "tolerance": (["{tmp}/ours", "{tmp}/references", "--tolerance", "nan"], "--tolerance is nan; it must be a number"),
    "grey levels": (["{tmp}/grey", "{tmp}/references"], "as in --labels '1,2=lesion'"),
    "other grid": (["{tmp}/shifted", "{tmp}/references"], "another grid"),
    "labels": (["{tmp}/ours", "{tmp}/references", "--labels", "1"], "1 has no class"),
    "label without class": (["{tmp}/ours", "{tmp}/references", "--labels", "2=lesion"], "holds the label 1"),
    "no patients' list": (["{tmp}/ours", "{tmp}/references", "--patients", "{tmp}/none.csv"], "cannot read"),
    "patients without cases": (["{tmp}/ours", "{tmp}/references", "--patients", "{tmp}/p.csv"], "lacks 8 cases"),
    "unwritable output": (["{tmp}/ours", "{tmp}/references", "-o", "/proc/scores"], "cannot write"),
    "output that is a file": (["{tmp}/ours", "{tmp}/references", "-o", "{tmp}/p.csv"], "cannot write"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_an_error_of_one_line(name, folders, tmp_path):
    affine = np.diag([-0.7, -0.9, 2.5, 1.0])
    write_folder(tmp_path / "shifted", 1, affine=affine)
    for case in range(8):
        grey = np.arange(20 * 18, dtype=np.uint16).reshape(20, 18, 1)
        write_nifti(tmp_path / "grey" / f"c{case}.nii.gz", grey)
    (tmp_path / "void").mkdir()
    (tmp_path / "bad.nii.gz").touch()
    (tmp_path / "p.csv").write_text("case,patient\nx,y\n")
    arguments, message = BAD[name]
    result = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    # the root command prints an InputError in one line and exits with status 1
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.strip().splitlines()[-1:]
    assert line.startswith("Error: ")
    assert message in line
    assert result.stdout == ""


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("again", ["one", "several"])
def test_scores_that_are_there_are_kept_unless_overwritten(folders, tmp_path, again):
    references, ours, theirs = folders
    out = tmp_path / "out"
    assert run(theirs, references, "-o", out).exit_code == 0
    before = contents(out)
    predictions = [ours] if again == "one" else [ours, theirs]
    refused = run(*predictions, references, "-o", out)
    assert refused.exit_code == 1
    assert refused.stderr.strip().splitlines()[-1] == "Error: " + (
        f"{out} holds scores already (scores.csv, scores.json, scores.md); "
        "choose another folder, or replace them: --overwrite"
    )
    assert contents(out) == before
    replaced = run(*predictions, references, "-o", out, "--overwrite")
    assert replaced.exit_code == 0, replaced.output
    assert run(*predictions, references, "-o", tmp_path / "fresh").exit_code == 0
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_comparison_that_is_there_is_kept_and_nothing_stale_stays_beside_new_scores(folders, tmp_path):
    references, ours, theirs = folders
    out = tmp_path / "out"
    assert run(ours, theirs, references, "-o", out).exit_code == 0
    assert "holds scores already (comparison.csv" in run(ours, references, "-o", out).stderr
    assert run(ours, references, "-o", out, "--overwrite").exit_code == 0
    assert not (out / "comparison.md").exists()
    assert (out / "scores.md").exists()


def test_scores_outlive_a_scoring_that_fails(folders, tmp_path):
    references, ours, _ = folders
    assert run(ours, references, "-o", tmp_path / "out").exit_code == 0
    before = contents(tmp_path / "out")
    write_folder(tmp_path / "shifted", 1, affine=np.diag([-0.7, -0.9, 2.5, 1.0]))
    failed = run(tmp_path / "shifted", references, "-o", tmp_path / "out", "--overwrite")
    assert "another grid" in failed.stderr
    assert contents(tmp_path / "out") == before


def test_no_input_is_replaced_by_a_table(folders, tmp_path):
    references, ours, _ = folders
    patients = tmp_path / "out" / "scores.csv"
    patients.parent.mkdir()
    patients.write_text("case,patient\n" + "".join(f"c{k},p{k // 2}\n" for k in range(8)))
    before = contents(tmp_path)
    refused = run(ours, references, "--patients", patients, "-o", tmp_path / "out", "--overwrite")
    assert refused.exit_code == 1
    assert f"would replace the input {patients}" in refused.stderr
    assert contents(tmp_path) == before
    # a folder of masks may take the tables beside them, again and again
    for _ in range(2):
        assert run(ours, references, "-o", ours, "--overwrite").exit_code == 0


def test_inverted_masks_are_told_and_scored_as_they_are(tmp_path):
    write_folder(tmp_path / "references", 0, cases=2)
    for case in range(2):
        mask = nibabel.load(tmp_path / "references" / f"c{case}.nii.gz")
        write_nifti(tmp_path / "ours" / f"c{case}.nii.gz", 1 - np.asarray(mask.dataobj))
    result = run(tmp_path / "ours", tmp_path / "references")
    assert "warning: more than half of the voxels are lesion in 2 of 2 predictions (c0, c1)" in result.stderr
    assert "references (" not in result.stderr


def test_a_label_of_minus_one_is_named_on_the_command_line(tmp_path):
    path = write_nifti(tmp_path / "m.nii.gz", np.array([0, 1, -1], np.int8).reshape(-1, 1, 1))
    assert "say what it counts as by --labels, such as '1=lesion,-1=background'" in run(path, path).stderr
    assert run(path, path, "--labels", "1=lesion,-1=background").exit_code == 0


def test_one_argument_alone_is_wrong_usage(folders):
    assert run(folders[0]).exit_code == 2
