"""`score` and `measure` take a DICOM-SEG as they take the NIfTI mask."""

import json

import nibabel
import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.exchange.formats import Formats
from covid_monai.exchange.segmentation import segmentation_of
from covid_monai.exchange.sources import read_sources
from covid_monai.inference.corrected import measure_files
from covid_monai.scoring.folders import read_mask_file
from covid_monai.scoring.grids import LabelImage, align
from covid_monai.studies import read_study
from tests.exchange.drawn_series import ALGORITHM, CLASSES
from tests.inference.drawn_studies import write_dicom


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A study, its mask as NIfTI and as DICOM-SEG with the lungs, and the lungs as NIfTI."""
    folder = tmp_path_factory.mktemp("masks")
    write_dicom(folder / "ct")
    study = read_study(folder / "ct")
    lungs = np.zeros(study.hu.shape, np.uint8)
    middle = study.hu.shape[0] // 2
    aerated = (study.hu < -600) & (study.hu > -990)
    lungs[:middle], lungs[middle:] = aerated[:middle] * 1, aerated[middle:] * 2
    # the first axis runs to the patient's left or right
    if study.affine[0, 0] > 0:
        lungs = np.where(lungs > 0, 3 - lungs, 0).astype(np.uint8)
    mask = np.zeros(study.hu.shape, np.uint8)
    mask[:, :18, 20:30], mask[:, 18:, 24:34] = 1, 2
    mask[lungs == 0] = 0
    for name, values in (("mask", mask), ("lungs", lungs)):
        nibabel.save(nibabel.Nifti1Image(values, study.affine), folder / f"{name}.nii.gz")
    formats = Formats(frozenset({"dicom-seg"}), lung_segments=True)
    made = segmentation_of(mask, CLASSES, read_sources(study), ALGORITHM, lungs=lungs, formats=formats)
    made.save_as(folder / "mask.dcm")
    return folder


@pytest.mark.parametrize("names", [("mask.dcm", "mask.nii.gz"), ("mask.nii.gz", "mask.dcm"), ("mask.dcm", "mask.dcm")])
def test_it_is_scored_on_the_other_masks_grid(files, names):
    masks = align(*(read_mask_file(files / name) for name in names))
    assert masks.prediction.any()
    np.testing.assert_array_equal(masks.prediction, masks.reference)


def test_a_mask_on_another_grid_is_refused_beside_it(files):
    segmented = read_mask_file(files / "mask.dcm")
    nifti = nibabel.load(files / "mask.nii.gz")
    shifted = nifti.affine.copy()
    shifted[:3, 3] += 1.5
    other = LabelImage("other", np.asarray(nifti.dataobj), shifted)
    with pytest.raises(InputError, match="another grid"):
        align(segmented, other)


def test_it_is_measured_as_the_nifti_is(files, tmp_path):
    found = {}
    for kind, lungs in (("mask.nii.gz", "lungs.nii.gz"), ("mask.dcm", "mask.dcm")):
        done = measure_files(
            files / "ct",
            files / kind,
            tmp_path / kind,
            lungs=files / lungs,
            labels=None if kind == "mask.dcm" else "1=ground-glass,2=consolidation,3=effusion",
        )
        content = json.loads(done.measurements.read_text())
        found[kind] = {name: content[name] for name in ("lungs", "severity", "lesions", "hu", "effusion_ml")}
    assert found["mask.dcm"]["lungs"]["both"]["ground_glass_ml"] > 0
    assert found["mask.dcm"] == found["mask.nii.gz"]
