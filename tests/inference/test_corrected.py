"""Measurements of masks from files, against what was drawn."""

import csv
import json

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from covid_monai.errors import InputError, InputWarning
from covid_monai.inference.corrected import measure_files
from covid_monai.inference.given_masks import labels_on
from covid_monai.inference.study_record import StudySettings
from covid_monai.studies import read_study
from tests.inference.drawn_studies import coarse_thorax, write_dicom, write_nifti
from tests.measurements.drawn import DENSE, OPACITY, lung_ml

LABELS = "1=ground-glass,2=consolidation,3=effusion"


@pytest.fixture(scope="module")
def thorax():
    return coarse_thorax()


@pytest.fixture(scope="module")
def files(thorax, tmp_path_factory):
    """A CT, its mask and its lungs."""
    folder = tmp_path_factory.mktemp("files")
    write_dicom(folder / "ct", thorax)
    write_nifti(folder / "edited.nii.gz", thorax.mask, thorax.affine)
    write_nifti(folder / "lungs.nii.gz", thorax.lungs.labels, thorax.affine)
    return {"ct": folder / "ct", "mask": folder / "edited.nii.gz", "lungs": folder / "lungs.nii.gz"}


def measured(output, ct, mask, **options):
    done = measure_files(ct, mask, output, **options)
    return json.loads(done.measurements.read_text()), done


def assert_drawn(content):
    for side, lesion, kind in (("right", OPACITY, "ground_glass"), ("left", DENSE, "consolidation")):
        found = content["lungs"][side]
        assert found["lung_ml"] == pytest.approx(lung_ml(side), rel=0.02)
        assert found[f"{kind}_ml"] == pytest.approx(lesion.ml(), rel=0.02)
        assert found["infected_percent"] == pytest.approx(100 * lesion.ml() / lung_ml(side), rel=0.02)
    assert content["severity"]["both_lungs_grade"] == "CT-1"


def test_a_corrected_mask_has_the_numbers_that_were_drawn(files, tmp_path):
    content, done = measured(tmp_path, files["ct"], files["mask"], lungs=files["lungs"], labels=LABELS, study="P 01")
    assert_drawn(content)
    assert done.measurements == tmp_path / "P 01" / "measurements.json"
    record = json.loads((tmp_path / "P 01" / "run.json").read_text())
    assert record["model"] is None
    assert set(record["mask"]) == {"mask_sha256", "lungs_sha256", "labels"}
    with open(tmp_path / "measurements.csv", encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["study"], row["both_lungs_grade"]) == ("P 01", "CT-1")


def test_without_lungs_they_are_found_in_the_ct(files, tmp_path):
    content, _ = measured(tmp_path, files["ct"], files["mask"], labels=LABELS)
    assert_drawn(content)


@pytest.mark.parametrize("order", ["RAS", "LPS", "SLP", "PIR"])
def test_a_mask_may_keep_its_axes_in_any_order(order, files, thorax, tmp_path):
    start = nibabel.io_orientation(thorax.affine)
    change = nibabel.orientations.ornt_transform(start, nibabel.orientations.axcodes2ornt(order))
    for name in ("mask", "lungs"):
        image = nibabel.load(files[name]).as_reoriented(change)
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    content, _ = measured(
        tmp_path / "out", files["ct"], tmp_path / "mask.nii.gz", lungs=tmp_path / "lungs.nii.gz", labels=LABELS
    )
    assert_drawn(content)


def test_a_mask_of_slicer_is_read(files, thorax, tmp_path):
    image = sitk.GetImageFromArray(thorax.mask.transpose(2, 1, 0))
    image.SetSpacing((4.0, 4.0, 4.0))
    image.SetOrigin((thorax.affine[:3, 3] * [-1, -1, 1]).tolist())
    sitk.WriteImage(image, str(tmp_path / "mask.seg.nrrd"))
    content, _ = measured(tmp_path / "out", files["ct"], tmp_path / "mask.seg.nrrd", labels=LABELS)
    assert_drawn(content)


@pytest.mark.parametrize("shift", [0.0, 1.9])
def test_a_mask_of_a_part_of_the_grid_is_put_in_its_place(shift, files, thorax, tmp_path):
    where = np.nonzero(thorax.mask)
    box = tuple(slice(axis.min(), axis.max() + 1) for axis in where)
    affine = thorax.affine.copy()
    affine[:3, 3] = (thorax.affine @ [*(part.start for part in box), 1])[:3]
    affine[1, 3] += shift
    part = write_nifti(tmp_path / "part.nii.gz", thorax.mask[box], affine)
    study = read_study(files["ct"])
    if shift:
        with pytest.raises(InputError, match="no part of its grid"):
            labels_on(study, part)
        return
    with pytest.warns(InputWarning, match="the rest is taken as 0"):
        np.testing.assert_array_equal(labels_on(study, part), thorax.mask)
    affine[:3, 3] = (thorax.affine @ [50, 0, 0, 1])[:3]
    with pytest.raises(InputError, match="no part of its grid"):
        labels_on(study, write_nifti(tmp_path / "beyond.nii.gz", thorax.mask[box], affine))


def test_a_mask_of_a_tilted_gantry_fits_its_ct(tmp_path):
    thorax = coarse_thorax(tilt=15)
    write_dicom(tmp_path / "ct", thorax)
    write_nifti(tmp_path / "mask.nii.gz", thorax.mask, thorax.affine)
    read = labels_on(read_study(tmp_path / "ct"), tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(read, thorax.mask)


def test_what_the_values_mean_is_read_from_the_record_else_assumed_with_a_warning(files, thorax, tmp_path):
    one_class = (thorax.mask % 3 > 0).astype(np.uint8)
    lesion = write_nifti(tmp_path / "lesion.nii.gz", one_class, thorax.affine)
    content, done = measured(tmp_path / "one", files["ct"], lesion)
    assert content["settings"]["divided"] == "by HU"
    assert any("taken as 1=lesion" in warning for warning in done.warnings)
    content, done = measured(tmp_path / "three", files["ct"], files["mask"])
    assert content["settings"]["divided"] == "by the mask's classes"
    assert any(f"taken as {LABELS}" in warning for warning in done.warnings)
    record = {
        "format": "covid-monai mask",
        "classes": {"0": "background", "1": "ground-glass"},
        "settings": {},
    }
    (tmp_path / "mask.json").write_text(json.dumps(record))
    content, done = measured(tmp_path / "record", files["ct"], lesion)
    assert content["lungs"]["both"]["consolidation_ml"] is None
    assert not any("taken as" in warning for warning in done.warnings)


def test_the_same_call_again_keeps_and_another_is_refused(files, tmp_path):
    arguments = (files["ct"], files["mask"], tmp_path)
    first = measure_files(*arguments, labels=LABELS)
    assert measure_files(*arguments, labels=LABELS).kept
    with pytest.raises(InputError, match="made otherwise"):
        measure_files(*arguments, labels="1,2=lesion,3=effusion")
    other = StudySettings(floor_ml=1.0)
    with pytest.raises(InputError, match="made otherwise"):
        measure_files(*arguments, labels=LABELS, settings=other)
    again = measure_files(*arguments, labels=LABELS, settings=other, overwrite=True)
    assert (again.kept, again.study) == (False, first.study)


def test_what_does_not_belong_together_is_refused_with_the_reason(files, thorax, tmp_path):
    shifted = thorax.affine.copy()
    shifted[0, 3] += 1
    moved = write_nifti(tmp_path / "moved.nii.gz", thorax.mask, shifted)
    longer = write_nifti(tmp_path / "long.nii.gz", np.pad(thorax.mask, ((0, 0), (0, 0), (0, 1))), thorax.affine)
    with pytest.raises(InputError, match="up to 1 mm apart"):
        measure_files(files["ct"], moved, tmp_path / "out", labels=LABELS)
    with pytest.raises(InputError, match="60 x 40 x 61 voxels"):
        measure_files(files["ct"], longer, tmp_path / "out", labels=LABELS)
    with pytest.raises(InputError, match="is not a file"):
        measure_files(files["ct"], tmp_path / "none.nii.gz", tmp_path / "out")
    with pytest.raises(InputError, match="the label 3"):
        measure_files(files["ct"], files["mask"], tmp_path / "out", labels="1,2=lesion")
    with pytest.raises(InputError, match="'airway' cannot be measured"):
        measure_files(files["ct"], files["mask"], tmp_path / "out", labels="1,2=lesion,3=airway")
    with pytest.raises(InputError, match="does not exist"):
        measure_files(tmp_path / "nothing", files["mask"], tmp_path / "out")
    with pytest.raises(InputError, match="can be a folder's"):
        measure_files(files["ct"], files["mask"], tmp_path / "out", study="../x")
    assert not list((tmp_path / "out").rglob("*.json"))
    # the tolerance that the message names takes them for one grid
    measure_files(files["ct"], moved, tmp_path / "out", labels=LABELS, grid_tolerance=1.01)


def test_a_mask_belongs_to_one_study(files, thorax, tmp_path):
    for name in ("a", "b"):
        write_dicom(tmp_path / "in" / name, thorax)
    with pytest.raises(InputError, match="holds 2 studies"):
        measure_files(tmp_path / "in", files["mask"], tmp_path / "out")
