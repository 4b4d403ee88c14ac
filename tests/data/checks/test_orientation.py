"""Slices that lie otherwise than they should are told by their anatomy, and sound ones are not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from covid_monai.data.checks import Finding, check_dataset
from covid_monai.data.checks.orientation import check_orientation
from covid_monai.data.manifest import read_dataset, write_dataset
from covid_monai.data.sources import SourceSlice
from covid_monai.data.sources.nifti import read_lps
from covid_monai.data.sources.picture_index import LAYOUTS
from covid_monai.data.sources.slices import PictureSlices
from covid_monai.files import sha256_of
from covid_monai.transforms.anatomy import look_at_anatomy
from tests.data.checks.chest import draw_chest
from tests.tiny import write_tiny_dataset

TURNED = "turned by a quarter"
SWAPPED = "front and back look swapped"
UPSIDE_DOWN = "head and foot look swapped"

Change = Callable[[np.ndarray], np.ndarray]
CHANGES: dict[str, tuple[Change, str]] = {
    "front and back": (lambda image: image[:, ::-1], SWAPPED),
    "half a turn": (lambda image: image[::-1, ::-1], SWAPPED),
    "quarter turn": (np.rot90, TURNED),
    "quarter turn back": (lambda image: np.rot90(image, -1), TURNED),
    "rows and columns": (np.transpose, TURNED),
}


def write_chests(folder: Path, change: Change, volumes: bool, upwards: bool = True) -> Path:
    """The tiny data set's twelve slices as chests: one volume of twelve, or slices of no known volume."""
    write_tiny_dataset(folder)
    dataset = read_dataset(folder)
    cases = []
    for place, case in enumerate(dataset.cases):
        height = place / 11 if upwards else 1 - place / 11
        path = folder / case.image
        image = np.ascontiguousarray(change(draw_chest(height, place)))[..., None]
        label = np.zeros(image.shape, np.uint8)
        for name, values in (("image", image), ("label", label)):
            affine = nibabel.load(folder / getattr(case, name)).affine
            nibabel.save(nibabel.Nifti1Image(values, affine), folder / getattr(case, name))
        known = {"patient": "p", "volume": "v", "slice": place} if volumes else {"patient": None, "volume": None}
        hashes = {"image": sha256_of(path), "label": sha256_of(folder / case.label)}
        cases.append(replace(case, pixels={}, sha256=hashes, **known))
    write_dataset(replace(dataset, cases=tuple(cases)))
    return folder


def notes(folder: Path) -> list[Finding]:
    return [found for found in check_dataset(folder) if found.check == "orientation"]


@pytest.mark.parametrize("volumes", [True, False])
def test_chests_that_lie_right_or_are_mirrored_are_no_finding(tmp_path: Path, volumes: bool) -> None:
    assert notes(write_chests(tmp_path / "right", lambda image: image, volumes)) == []
    assert notes(write_chests(tmp_path / "mirrored", lambda image: image[::-1], volumes)) == []


@pytest.mark.parametrize("volumes", [True, False])
@pytest.mark.parametrize("name", CHANGES)
def test_turns_and_flips_are_told_as_notes(tmp_path: Path, name: str, volumes: bool) -> None:
    change, message = CHANGES[name]
    (found,) = notes(write_chests(tmp_path / "data", change, volumes))
    assert (found.check, found.severity) == ("orientation", "note")
    assert message in found.message
    assert ("volume v" if volumes else "single slices of tiny") in found.message
    assert "p0_s0" in found.cases


def test_a_volume_from_head_to_foot_is_told(tmp_path: Path) -> None:
    (found,) = notes(write_chests(tmp_path / "data", lambda image: image, volumes=True, upwards=False))
    assert UPSIDE_DOWN in found.message


def test_slices_of_no_volume_have_no_head_and_foot(tmp_path: Path) -> None:
    assert notes(write_chests(tmp_path / "data", lambda image: image, volumes=False, upwards=False)) == []


def test_one_wrong_slice_among_right_ones_is_no_finding(tmp_path: Path) -> None:
    places = iter(range(12))
    assert notes(write_chests(tmp_path / "data", lambda image: image[:, :: -1 if next(places) == 5 else 1], True)) == []


@pytest.mark.parametrize("size", [96, 37, 300])
def test_evidence_turns_round_with_the_slice_whatever_its_size(size: int) -> None:
    places = np.linspace(0, 95, size).astype(int)
    chest = draw_chest()[np.ix_(places, places)]
    right, swapped, turned = (look_at_anatomy(image) for image in (chest, chest[:, ::-1], chest.T))
    assert right.spine_behind > 0.05
    assert swapped.spine_behind == pytest.approx(-right.spine_behind, abs=0.05)
    assert turned.turned
    # two ellipses of 17 pixels' radius, 44 apart, all times 0.8, of 96
    assert right.width == pytest.approx(0.65 * size, rel=0.1)


NOTHING = {
    "half a chest": lambda chest: chest[:44],
    "one lung": lambda chest: np.where(np.arange(96)[:, None] > 48, 40, chest),
    "no lung": lambda chest: chest.clip(-100, None),
    "only air": lambda chest: np.full_like(chest, -1000),
    "a row": lambda chest: chest[:1],
    "a pixel": lambda chest: chest[:1, :1],
    "noise": lambda chest: np.random.default_rng(0).normal(0, 400, chest.shape).astype(np.int16),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_shows_no_two_lungs_has_no_vote(name: str) -> None:
    assert look_at_anatomy(NOTHING[name](draw_chest())) is None


def votes(slices: list[SourceSlice], change: Change = lambda image: image) -> list[Finding]:
    seen = []
    for each_slice in slices:
        case = SimpleNamespace(source="source", case=each_slice.case, volume=each_slice.volume, slice=each_slice.slice)
        seen.append((case, look_at_anatomy(change(each_slice.image[..., 0]))))
    return check_orientation(seen)


@pytest.fixture(scope="module")
def real_slices(shared_data: Path) -> dict[str, list[SourceSlice]]:
    """Every second slice of both sets of crops."""
    folders = {"medseg-part1": "medseg_part1", "radiopaedia-part2": "radiopaedia_part2"}
    return {
        layout: list(PictureSlices(shared_data / folder, LAYOUTS[layout], None, None, "window"))[::2]
        for layout, folder in folders.items()
    }


def test_real_slices_that_lie_right_are_no_finding_but_one_volume_numbered_from_head_to_foot(real_slices) -> None:
    assert votes(real_slices["medseg-part1"]) == []
    (found,) = votes(real_slices["radiopaedia-part2"])
    assert "radiopaedia_7_85703_0" in found.message
    assert UPSIDE_DOWN in found.message


@pytest.mark.parametrize("name", CHANGES)
def test_real_slices_that_are_turned_or_flipped_are_found(real_slices, name: str) -> None:
    change, message = CHANGES[name]
    (found,) = votes(real_slices["medseg-part1"], change)
    assert message in found.message
    messages = [found.message for found in votes(real_slices["radiopaedia-part2"], change)]
    # the ninth volume has two slices
    assert len([found for found in messages if message in found]) == 8


def test_half_a_real_chest_has_no_vote(shared_data: Path) -> None:
    half, _ = read_lps(shared_data / "chest_ct_dicom" / "phantom.nii.gz")
    assert [look_at_anatomy(np.asarray(half[..., z])) for z in range(0, half.shape[2], 4)] == [None] * 15
