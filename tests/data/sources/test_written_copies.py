"""Copies of slices as cases: turned and scaled as training does it, and tied to their originals."""

import os
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from covid_monai.data.checks import check_dataset
from covid_monai.data.manifest import Canvas, Case, Dataset, read_dataset, write_dataset
from covid_monai.data.sources.augmented import write_copies
from covid_monai.data.sources.slices import paste
from covid_monai.data.splits import split_dataset
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from tests.tiny import write_tiny_dataset


def read(dataset: Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    case = named(dataset, name)
    image, label = (nibabel.load(dataset.folder / path) for path in (case.image, case.label))
    assert np.array_equal(image.affine, label.affine)
    return np.asarray(image.dataobj)[..., 0], np.asarray(label.dataobj)[..., 0]


def named(dataset: Dataset, name: str) -> Case:
    (case,) = (case for case in dataset.cases if case.case == name)
    return case


def change(folder: Path, **changes) -> None:
    """Change every case of a data set."""
    dataset = read_dataset(folder)
    write_dataset(replace(dataset, cases=tuple(replace(case, **changes) for case in dataset.cases)))


def write_one(folder: Path, image: np.ndarray, label: np.ndarray, **changes) -> Path:
    """A data set of one slice (X, Y), of pixels of 0.5 x 2 mm."""
    write_tiny_dataset(folder, spacing=(0.5, 2, 5))
    dataset = read_dataset(folder)
    case = dataset.cases[0]
    hashes = {}
    for kind, array, path in (("image", image, case.image), ("label", label, case.label)):
        affine = nibabel.load(folder / path).affine
        nibabel.save(nibabel.Nifti1Image(array[..., None], affine), folder / path)
        hashes[kind] = sha256_of(folder / path)
    pixels = {int(value): int((label == value).sum()) for value in np.unique(label) if value}
    write_dataset(replace(dataset, cases=(replace(case, sha256=hashes, pixels=pixels, **changes),)))
    return folder


def random_slice(shape: tuple[int, int], kind: type = np.int16) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(-1000, 300, shape).astype(kind), random.integers(0, 3, shape).astype(np.uint8)


@pytest.fixture
def tiny(tmp_path):
    write_tiny_dataset(tmp_path / "data")
    return tmp_path / "data"


def test_every_slice_stays_and_gets_a_copy_for_each_turn_and_scaling(tiny, tmp_path):
    copies = write_copies(tiny, tmp_path / "out", [1, 2, 3], [0.5, 1.5])
    assert copies == read_dataset(tmp_path / "out")
    assert len(copies.cases) == 6 * 12
    names = [case.case for case in copies.cases if case.case.startswith("p0_s0")]
    assert names == ["p0_s0"] + [
        f"p0_s0_{kind}" for kind in ("turned90", "turned180", "turned270", "scaled0.5", "scaled1.5")
    ]


def test_originals_stay_as_they_are(tiny, tmp_path):
    copies = write_copies(tiny, tmp_path / "out", [1], [])
    assert copies.cases[:12] == read_dataset(tiny).cases
    assert all(os.path.samefile(tiny / case.image, copies.folder / case.image) for case in copies.cases[:12])


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_turns_are_those_of_numpy_in_image_and_mask(turns, kind, tmp_path):
    image, label = random_slice((10, 14), kind)
    copies = write_copies(write_one(tmp_path / "one", image, label), tmp_path / "out", [turns], [])
    turned_image, turned_label = read(copies, f"p0_s0_turned{90 * turns}")
    assert turned_image.dtype == kind
    assert turned_label.dtype == np.uint8
    np.testing.assert_array_equal(turned_image, np.rot90(image, turns))
    np.testing.assert_array_equal(turned_label, np.rot90(label, turns))


def test_what_comes_in_from_outside_is_air_and_background(tmp_path):
    image, label = np.full((16, 16), 40, np.int16), np.ones((16, 16), np.uint8)
    copies = write_copies(write_one(tmp_path / "one", image, label), tmp_path / "out", [], [0.5])
    small_image, small_label = read(copies, "p0_s0_scaled0.5")
    inside = np.zeros((16, 16), bool)
    inside[4:12, 4:12] = True
    np.testing.assert_array_equal(small_image, np.where(inside, 40, -1024))
    np.testing.assert_array_equal(small_label, inside)


def test_enlarging_shows_the_middle(tmp_path):
    image, label = np.full((16, 16), -800, np.int16), np.zeros((16, 16), np.uint8)
    image[4:12, 4:12], label[4:12, 4:12] = 100, 2
    copies = write_copies(write_one(tmp_path / "one", image, label), tmp_path / "out", [], [2])
    large_image, large_label = read(copies, "p0_s0_scaled2")
    # the edge is interpolated
    assert (large_image[1:-1, 1:-1] == 100).all()
    assert (large_label == 2).all()


def test_a_copy_counts_its_own_pixels_and_passes_the_check(tiny, tmp_path):
    copies = write_copies(tiny, tmp_path / "out", [1, 2, 3], [0.5, 1.5])
    assert [finding for finding in check_dataset(tmp_path / "out") if finding.severity == "error"] == []
    original, small = (sum(named(copies, name).pixels.values()) for name in ("p0_s0", "p0_s0_scaled0.5"))
    assert named(copies, "p0_s0_turned90").pixels == named(copies, "p0_s0").pixels
    assert small == pytest.approx(original / 4, rel=0.2)


@pytest.mark.parametrize(("name", "spacing"), [("turned90", (2, 0.5)), ("scaled0.5", (1, 4)), ("turned180", (0.5, 2))])
def test_pixels_are_as_large_as_what_they_show_about_a_centre_that_stays(name, spacing, tmp_path):
    folder = write_one(tmp_path / "one", *random_slice((10, 14)))
    copies = write_copies(folder, tmp_path / "out", [1, 2], [0.5])
    before, after = (nibabel.load(copies.folder / named(copies, case).image) for case in ("p0_s0", f"p0_s0_{name}"))
    assert after.header.get_zooms() == (*spacing, 5)
    assert nibabel.aff2axcodes(after.affine) == ("L", "P", "S")
    centres = [nibabel.affines.apply_affine(image.affine, (np.array(image.shape) - 1) / 2) for image in (before, after)]
    np.testing.assert_allclose(*centres, atol=1e-5)


def test_a_copys_place_on_its_canvas_is_turned_with_it(tmp_path):
    image, label = random_slice((6, 9))
    place = Canvas((20, 16), (3, 5))
    copies = write_copies(write_one(tmp_path / "one", image, label, canvas=place), tmp_path / "out", [1, 2, 3], [0.5])
    whole = paste(image, place, -1024)
    for turns in (1, 2, 3):
        name = f"p0_s0_turned{90 * turns}"
        pasted = paste(read(copies, name)[0], named(copies, name).canvas, -1024)
        np.testing.assert_array_equal(pasted, np.rot90(whole, turns))
    assert named(copies, "p0_s0_scaled0.5").canvas == place


def test_a_slice_that_fills_its_canvas_still_does(tmp_path):
    folder = write_one(tmp_path / "one", *random_slice((12, 16)), canvas=Canvas((12, 16), (3, 2)))
    copies = write_copies(folder, tmp_path / "out", [1], [1.5])
    assert named(copies, "p0_s0_turned90").canvas == Canvas((16, 12), (0, 0))
    assert named(copies, "p0_s0_scaled1.5").canvas == Canvas((12, 16), (0, 0))


@pytest.mark.parametrize(
    "known",
    [
        {"patient": None, "group": None},
        {"patient": None, "volume": None, "group": "g"},
        {"source": "elsewhere", "part": "test"},
    ],
)
def test_a_copy_has_whatever_ties_its_original_to_others(known, tiny, tmp_path):
    change(tiny, **known)
    copies = write_copies(tiny, tmp_path / "out", [1], [0.5])
    for copy in copies.cases[12:]:
        original = named(copies, copy.case.rsplit("_", 1)[0])
        for key in ("source", "patient", "volume", "group", "part", "intensity"):
            assert getattr(copy, key) == getattr(original, key)
        # it lies nowhere in the volume
        assert copy.slice is None


def originals_of(names) -> set[str]:
    return {"_".join(name.split("_")[:2]) for name in names}


def test_grouped_keeps_copies_with_their_originals_and_paper_tears_them_apart(tiny, tmp_path):
    copies = write_copies(tiny, tmp_path / "out", [1, 2], [0.5])
    for fold in split_dataset(copies, "grouped", folds=4).folds:
        assert not originals_of(fold.train) & originals_of(fold.test)
        assert not originals_of(fold.validation) & originals_of(fold.test)
    torn = [
        originals_of(fold.train) & originals_of(fold.test) for fold in split_dataset(copies, "paper", folds=4).folds
    ]
    assert all(torn)


def test_slices_of_which_nothing_is_known_have_to_be_grouped_first(tiny, tmp_path):
    change(tiny, patient=None, volume=None)
    with pytest.raises(InputError, match=r"12 of 12 cases.*covid-monai data group"):
        write_copies(tiny, tmp_path / "out", [1], [])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("quarter_turns", "scalings", "message"),
    [
        ([], [], "no turn and no scaling"),
        ([4], [], "each can be 1, 2 or 3"),
        ([0], [], "each can be 1, 2 or 3"),
        ([1, 1], [], "give each once"),
        ([], [0.5, 0.5], "give each once"),
        ([], [0.0], "between 0.1 and 10"),
        ([], [float("nan")], "between 0.1 and 10"),
        ([], [float("inf")], "between 0.1 and 10"),
        ([], [1.0], "not be 1"),
    ],
)
def test_impossible_copies_are_refused_before_anything_is_written(quarter_turns, scalings, message, tiny, tmp_path):
    with pytest.raises(InputError, match=message):
        write_copies(tiny, tmp_path / "out", quarter_turns, scalings)
    assert not (tmp_path / "out").exists()


def test_a_case_that_is_named_like_a_copy_is_refused(tiny, tmp_path):
    first = write_copies(tiny, tmp_path / "first", [1], [])
    with pytest.raises(InputError, match=r"p0_s0_turned90\.nii\.gz of .* is there already"):
        write_copies(first.folder, tmp_path / "second", [1], [])
    assert not (tmp_path / "second").exists()


def test_the_data_set_itself_is_no_place_for_its_copies(tiny):
    with pytest.raises(InputError, match="give another one"):
        write_copies(tiny, tiny, [1], [], overwrite=True)


def test_a_changed_file_is_refused_and_nothing_is_written(tiny, tmp_path):
    path = tiny / read_dataset(tiny).cases[0].image
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(InputError, match="changed after it was written"):
        write_copies(tiny, tmp_path / "out", [1], [])
    assert not (tmp_path / "out").exists()
