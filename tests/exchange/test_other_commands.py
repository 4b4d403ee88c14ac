"""`score` and `measure` take a DICOM-SEG as they take the NIfTI mask."""

import json
import shutil

import nibabel
import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.exchange.formats import Formats
from covid_monai.exchange.segmentation import segmentation_of
from covid_monai.exchange.sources import read_sources
from covid_monai.inference.corrected import measure_files
from covid_monai.scoring.folders import match_masks, read_mask_file, score_pairs
from covid_monai.scoring.grids import LabelImage, align
from covid_monai.scoring.label_classes import parse_label_classes
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


@pytest.mark.parametrize("seg_type", ["binary", "labelmap"])
def test_an_empty_mask_is_scored_and_measured_as_nothing_found(files, tmp_path, seg_type):
    study = read_study(files / "ct")
    empty = np.zeros(study.hu.shape, np.uint8)
    formats = Formats(frozenset({"dicom-seg"}), seg_type=seg_type)
    segmentation_of(empty, CLASSES, read_sources(study), ALGORITHM, formats=formats).save_as(tmp_path / "empty.dcm")
    masks = align(read_mask_file(tmp_path / "empty.dcm"), read_mask_file(files / "mask.nii.gz"))
    assert masks.prediction.shape == empty.shape
    assert not masks.prediction.any()
    assert masks.reference.any()
    done = measure_files(files / "ct", tmp_path / "empty.dcm", tmp_path / "out", lungs=files / "lungs.nii.gz")
    both = json.loads(done.measurements.read_text())["lungs"]["both"]
    assert both["lesion_ml"] == 0
    assert both["lung_ml"] > 0


@pytest.fixture
def exported(files, tmp_path):
    """A folder that holds the DICOM-SEG alone."""
    (tmp_path / "series").mkdir()
    shutil.copy(files / "mask.dcm", tmp_path / "series/1.dcm")
    return tmp_path / "series"


def test_a_folder_that_holds_one_segmentation_is_scored_against_a_file(files, exported):
    classes = parse_label_classes("1,2,3=lesion")
    for pair in ((exported, files / "mask.nii.gz"), (files / "mask.nii.gz", exported)):
        scores = score_pairs(match_masks(*pair), classes)
        assert scores.content["inputs"]["surplus"] == []
        assert scores.value("dice") == 1


def test_a_folder_that_holds_one_segmentation_is_measured(files, exported, tmp_path):
    done = measure_files(files / "ct", exported, tmp_path / "out", lungs=exported)
    direct = measure_files(files / "ct", files / "mask.dcm", tmp_path / "direct", lungs=files / "mask.dcm")
    found, expected = (json.loads(each.measurements.read_text())["lungs"] for each in (done, direct))
    assert found == expected


def test_a_folder_that_holds_more_is_no_mask(files, exported, tmp_path):
    shutil.copy(files / "mask.dcm", exported / "2.dcm")
    with pytest.raises(InputError, match="one DICOM-SEG alone"):
        measure_files(files / "ct", exported, tmp_path / "out")
    with pytest.raises(InputError, match="give two folders or two files"):
        match_masks(exported, files / "mask.nii.gz")
