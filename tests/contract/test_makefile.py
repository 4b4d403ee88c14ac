"""What ``make demo`` would run, as make itself prints it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def commands(*arguments: str) -> dict[str, str]:
    """The demo's commands of covid-monai, by their first word; ``shipped`` is the prediction of the shipped model."""
    environment = {key: value for key, value in os.environ.items() if key not in ("CT", "DATA", "VOLUME", "MAKEFLAGS")}
    done = subprocess.run(
        ["make", "-n", "demo", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    words = [line.partition("bin/covid-monai ")[2] for line in done.stdout.splitlines()]
    return {"shipped" if "/shipped " in line else line.split()[0]: line for line in words if line}


def test_the_phantom_has_a_score_to_reach_and_another_patient_to_segment():
    demo = commands()
    assert demo["data"]
    assert "--at-least 0." in demo["evaluate"]
    assert "unseen/volumes/images/phantom_01.nii.gz" in demo["predict"]


def test_the_shipped_model_segments_the_unseen_phantom_or_a_ct_that_is_named(tiny_dataset):
    if (ROOT / "bundles/covid_lesion_ct_segmentation/models/model.safetensors").is_file():
        assert "predict runs/demo/unseen/volumes/images/phantom_01.nii.gz -o" in commands()["shipped"]
    assert "predict scans/first -o" in commands("CT=scans/first")["shipped"]
    assert "shipped" not in commands(f"DATA={tiny_dataset}")
    assert "predict scans/first -o" in commands(f"DATA={tiny_dataset}", "CT=scans/first")["shipped"]


def test_own_slices_are_segmented_without_being_named(tiny_dataset):
    own = commands(f"DATA={tiny_dataset}")
    images = sorted((tiny_dataset / "images").iterdir())
    assert str(images[0]) in own["predict"]
    assert f"--volume {images[0]} " in own["report"]
    assert f"masks/{images[0].name}" in own["report"]
    assert "phantom" not in "".join(own.values())
    assert "--at-least" not in own["evaluate"]


def test_own_volumes_come_before_slices(tmp_path):
    for folder in ("images", "volumes/images"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.b.nii").touch()
    own = commands(f"DATA={tmp_path}")
    assert f"predict {tmp_path}/volumes/images/a.b.nii -o" in own["predict"]
    assert own["report"].endswith("masks/a.b.nii.gz")


def test_a_volume_that_is_named_is_taken():
    own = commands("DATA=mine", "VOLUME=ct.nii.gz")
    assert "predict ct.nii.gz -o" in own["predict"]
    assert "--intensity" not in own["predict"]
