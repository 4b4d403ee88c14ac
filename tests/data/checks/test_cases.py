"""Every check of a single case finds what it is for, and nothing in sound data."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from covid_monai.data.checks import check_dataset
from covid_monai.data.manifest import read_dataset, write_dataset
from covid_monai.files import sha256_of
from tests.tiny import write_tiny_dataset

CASE = "p0_s0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_dataset(tmp_path / "data")


def errors(folder: Path) -> list[tuple[str, tuple[str, ...], str]]:
    return [(found.check, found.cases, found.message) for found in check_dataset(folder) if found.severity == "error"]


def rewrite(folder: Path, kind: str, change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> None:
    """Change a file's values and affine, and its hash in the manifest, so that only the change itself is wrong."""
    path = folder / f"{kind}s" / f"{CASE}.nii.gz"
    image = nibabel.load(path)
    values, affine = change(np.asarray(image.dataobj), image.affine.copy())
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    dataset = read_dataset(folder)
    cases = [
        replace(case, sha256={**case.sha256, kind: sha256_of(path)}) if case.case == CASE else case
        for case in dataset.cases
    ]
    write_dataset(replace(dataset, cases=tuple(cases)))


def test_sound_data_have_no_errors(folder: Path) -> None:
    assert errors(folder) == []


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "images" / f"{CASE}.nii.gz").unlink()
    ((check, cases, message),) = errors(folder)
    assert (check, cases) == ("file", (CASE,))
    assert f"{CASE}.nii.gz" in message


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_a_truncated_file_is_named(folder: Path, kind: str) -> None:
    path = folder / kind / f"{CASE}.nii.gz"
    path.write_bytes(path.read_bytes()[:-40])
    found = errors(folder)
    assert [check for check, _, _ in found] == ["file", "hash"]
    assert "truncated" in found[0][2]


def test_a_file_of_another_kind_is_named(folder: Path) -> None:
    (folder / "images" / f"{CASE}.nii.gz").write_text("no image")
    assert errors(folder)[0][0] == "file"


def test_a_changed_file_that_still_reads_is_told_by_its_hash(folder: Path) -> None:
    path = folder / "images" / f"{CASE}.nii.gz"
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj) + np.int16(1), image.affine), path)
    assert [check for check, _, _ in errors(folder)] == ["hash"]


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_nan_and_infinity_are_found(folder: Path, number: float) -> None:
    def spoil(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = values.astype(np.float32)
        values[3, 3] = number
        return values, affine

    rewrite(folder, "image", spoil)
    ((check, cases, message),) = errors(folder)
    assert (check, cases) == ("file", (CASE,))
    assert "NaN or infinity" in message


IMAGES = {
    "one value": (lambda values: np.full_like(values, -800), "all values are -800"),
    "too high": (lambda values: values.astype(np.int32) + 40000, "HU lie below"),
    "grey values": (lambda values: ((values + 1000) // 8).clip(0, 255).astype(np.uint8), "8-bit grey values"),
    "offset": (lambda values: values + np.int16(1024), "give --intensity offset1024"),
    "tenfold": (lambda values: values * np.int16(10), "look like HU x 10, not HU; prepare them again: divide by 10"),
    "no air": (lambda values: values.clip(-300, None), "no lung or air"),
    "only air": (lambda values: values.clip(None, -600), "nothing but air"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_values_that_are_no_chest_in_hu_are_found(folder: Path, name: str) -> None:
    change, message = IMAGES[name]
    rewrite(folder, "image", lambda values, affine: (change(values), affine))
    ((check, cases, reason),) = errors(folder)
    assert (check, cases) == ("intensity", (CASE,))
    assert message in reason


def test_another_shape_of_the_mask_is_found(folder: Path) -> None:
    # rows below the disc are cut off, so the pixel counts stay true
    rewrite(folder, "label", lambda values, affine: (np.pad(values, ((0, 2), (0, 0), (0, 0))), affine))
    ((check, _, message),) = errors(folder)
    assert check == "geometry"
    assert "(66, 64, 1)" in message


def test_another_affine_of_the_mask_is_found(folder: Path) -> None:
    def move(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        affine[2, 3] += 5
        return values, affine

    rewrite(folder, "label", move)
    assert [(check, cases) for check, cases, _ in errors(folder)] == [("geometry", (CASE,))]


def test_an_orientation_other_than_lps_is_found(folder: Path) -> None:
    for kind in ("image", "label"):
        rewrite(folder, kind, lambda values, affine: (values, affine @ np.diag([1.0, -1.0, 1.0, 1.0])))
    ((check, _, message),) = errors(folder)
    assert check == "geometry"
    assert "LAS" in message


@pytest.mark.parametrize("label", [7, 1.5, -1])
def test_a_label_outside_the_table_is_found(folder: Path, label: float) -> None:
    def spoil(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = values.astype(np.float32)
        values[0, 0] = label
        return values, affine

    rewrite(folder, "label", spoil)
    ((check, _, message),) = errors(folder)
    assert check == "mask"
    assert message == f"mask has {label:g}; the labels are 0, 1, 2"


def test_pixel_counts_that_differ_from_the_manifest_are_found(folder: Path) -> None:
    def add(values: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values[0, 0] = 1
        return values, affine

    rewrite(folder, "label", add)
    ((check, _, message),) = errors(folder)
    assert check == "mask"
    assert "dataset.json says" in message


def test_an_empty_mask_is_a_note(folder: Path) -> None:
    rewrite(folder, "label", lambda values, affine: (np.zeros_like(values), affine))
    dataset = read_dataset(folder)
    cases = [replace(case, pixels={}) if case.case == CASE else case for case in dataset.cases]
    write_dataset(replace(dataset, cases=tuple(cases)))
    found = [(finding.severity, finding.check, finding.cases) for finding in check_dataset(folder)]
    assert ("note", "mask", (CASE,)) in found
    assert errors(folder) == []
