"""Phantom patients on disk."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from covid_monai.data.phantom import draw_phantom, write_phantom
from covid_monai.errors import InputError


def test_files_hold_the_drawn_patients_with_their_affine(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    paths = write_phantom(
        tmp_path, 2, seed=0, size=48, slices=4, progress=lambda done, total: steps.append((done, total))
    )
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "images/phantom_01.nii.gz",
        "images/phantom_02.nii.gz",
    ]
    assert steps == [(1, 2), (2, 2)]
    image = nibabel.load(paths[1])
    label = nibabel.load(tmp_path / "labels" / "phantom_02.nii.gz")
    drawn = draw_phantom(2, 48, 4)
    assert image.get_data_dtype() == np.int16
    assert label.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(image.dataobj), drawn.image)
    np.testing.assert_array_equal(np.asarray(label.dataobj), drawn.label)
    for file in (image, label):
        np.testing.assert_allclose(file.affine, drawn.affine, rtol=1e-6)
        assert nibabel.aff2axcodes(file.affine) == ("L", "P", "S")


def test_sets_of_different_seeds_share_no_patient(tmp_path: Path) -> None:
    (first,) = write_phantom(tmp_path / "a", 1, seed=0, size=48, slices=4)
    (second,) = write_phantom(tmp_path / "b", 1, seed=1, size=48, slices=4)
    assert (np.asarray(nibabel.load(first).dataobj) != np.asarray(nibabel.load(second).dataobj)).any()


@pytest.mark.parametrize(("patients", "seed"), [(0, 0), (1000, 0), (1, -1)])
def test_impossible_numbers_are_refused(tmp_path: Path, patients: int, seed: int) -> None:
    with pytest.raises(InputError):
        write_phantom(tmp_path, patients, seed=seed, size=48, slices=4)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        write_phantom(tmp_path / "file", 1, size=48, slices=4)
