"""Data sets of slices that are cropped to the lungs of their volumes."""

import nibabel
import numpy as np
import pytest

from covid_monai.data.sources.nifti import NiftiSlices, Pair
from covid_monai.data.writer import prepare
from covid_monai.errors import InputError
from covid_monai.lungs import box_to_crop
from tests.lungs.phantom import draw_chest


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chest")
    chest = draw_chest()
    lesion = chest.lesion((80, 10, 10), 20).astype(np.uint8)
    lesion[0, 0, 2] = 1
    nibabel.save(nibabel.Nifti1Image(chest.hu, chest.affine), folder / "image.nii.gz")
    nibabel.save(nibabel.Nifti1Image(lesion, chest.affine), folder / "mask.nii.gz")
    return Pair("chest", folder / "image.nii.gz", folder / "mask.nii.gz"), chest, lesion


def test_slices_are_those_of_the_box_and_keep_their_place(pair, tmp_path):
    files, chest, lesion = pair
    dataset = prepare(NiftiSlices([files], {1: 1}, "chests", spacing_known=True, crop="lungs"), tmp_path / "data")
    assert any("1 labelled voxels lie outside" in warning for warning in dataset.warnings)
    box = box_to_crop(chest.hu, chest.affine, "chest")
    assert [case.slice for case in dataset.cases] == list(range(box[2].start, box[2].stop))
    case = next(case for case in dataset.cases if sum(case.pixels.values()))
    image = nibabel.load(dataset.folder / case.image)
    assert case.canvas.shape == chest.hu.shape[:2]
    assert image.shape[:2] == tuple(at.stop - at.start for at in box[:2])
    place = np.linalg.inv(chest.affine) @ image.affine @ [3, 4, 0, 1]
    at = tuple(np.round(place[:3]).astype(int))
    assert at[2] == case.slice
    assert float(image.dataobj[3, 4, 0]) == pytest.approx(chest.hu[at], abs=1)
    assert sum(sum(case.pixels.values()) for case in dataset.cases) == lesion.sum() - 1


def test_every_nth_slice_counts_from_the_volumes_first_one_whatever_the_box(pair, tmp_path):
    files, chest, _ = pair
    source = NiftiSlices([files], {1: 1}, "chests", spacing_known=True, crop="lungs", every=3)
    box = box_to_crop(chest.hu, chest.affine, "chest")[2]
    kept = [case.slice for case in prepare(source, tmp_path / "data").cases]
    assert kept == [index for index in range(box.start, box.stop) if index % 3 == 0]


def test_another_crop_is_refused(pair):
    with pytest.raises(InputError, match="'none' or 'lungs'"):
        NiftiSlices([pair[0]], {1: 1}, "chests", crop="body")
