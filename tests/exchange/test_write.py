import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from covid_monai.errors import InputError
from covid_monai.exchange.formats import Formats
from covid_monai.exchange.write import Finished, write_formats
from covid_monai.lungs import from_labels
from covid_monai.measurements import measure
from tests.exchange import dciodvfy
from tests.exchange.drawn_series import (
    ALGORITHM,
    CLASSES,
    SWAPPED,
    TILTED,
    drawn_lungs,
    drawn_mask,
    drawn_study,
    without_identifiers,
)

ALL = Formats(frozenset({"dicom-seg", "dicom-sr", "nrrd"}), lung_segments=True)


def finished_of(folder, change=None, **changes):
    study = drawn_study(folder, change, **changes)
    mask, lungs = drawn_mask(study), drawn_lungs(study)
    measured = measure(
        study.hu, study.affine, mask, from_labels(lungs, study.affine, hu=study.hu), extents=study.extents
    )
    return Finished(study, mask, CLASSES, lungs, measured.to_dict(), ALGORITHM)


def numbers_of(report):
    """(group, quantity, value, unit) of all measurements in a report."""
    found = []

    def walk(items, group):
        for item in items:
            name = item.ConceptNameCodeSequence[0].CodeMeaning if "ConceptNameCodeSequence" in item else ""
            if name == "Tracking Identifier":
                group = item.TextValue
            if item.ValueType == "NUM":
                value = item.MeasuredValueSequence[0]
                unit = value.MeasurementUnitsCodeSequence[0].CodeValue
                found.append((group, name, float(value.NumericValue), unit))
            walk(item.get("ContentSequence", []), group)

    walk(report.ContentSequence, None)
    return found


@pytest.mark.parametrize("changes", [{}, SWAPPED, TILTED], ids=["plain", "rows and columns swapped", "tilted"])
def test_the_nrrd_lies_where_the_mask_does(tmp_path, changes):
    finished = finished_of(tmp_path / "series", **changes)
    write_formats(tmp_path, Formats(frozenset({"nrrd"})), finished)
    image = sitk.ReadImage(tmp_path / "mask.seg.nrrd")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).T, finished.mask)
    for index in ((0, 0, 0), (5, 7, 3)):
        place = np.array(image.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1]
        np.testing.assert_allclose(place, (finished.study.affine @ [*index, 1])[:3], atol=1e-4)


def test_the_nrrd_names_and_colours_its_segments_as_slicer_does(tmp_path):
    write_formats(tmp_path, Formats(frozenset({"nrrd"})), finished_of(tmp_path / "series"))
    image = sitk.ReadImage(tmp_path / "mask.seg.nrrd")
    assert image.GetMetaData("Segment1_Name") == "Consolidation"
    assert image.GetMetaData("Segment1_LabelValue") == "2"
    assert image.GetMetaData("Segment1_Extent") == "10 11 8 13 2 5"
    assert len(image.GetMetaData("Segment1_Color").split()) == 3
    assert "SCT^95436008^Lung consolidation" in image.GetMetaData("Segment1_Tags")


def test_the_report_has_the_values_of_the_measurements(tmp_path):
    finished = finished_of(tmp_path / "series")
    write_formats(tmp_path, ALL, finished)
    report = pydicom.dcmread(tmp_path / "measurements.dcm")
    found = {(group, name): (value, unit) for group, name, value, unit in numbers_of(report)}
    right = finished.measurements["lungs"]["right"]
    for key, group in (("lung_ml", "Aerated and infected lung"), ("ground_glass_ml", "Ground-glass opacity")):
        value, unit = found[f"{group} in the right lung", "Volume"]
        assert value == pytest.approx(right[key], rel=1e-6)
        assert unit == "mL"
    voxel_ml = 2.0 * 2.5 * 3.0 / 1000
    value, _ = found["Consolidation, the whole segment", "Volume"]
    assert value == pytest.approx(np.count_nonzero(finished.mask == 2) * voxel_ml, rel=1e-6)


def test_the_report_refers_to_the_segmentation_and_belongs_to_the_study(tmp_path):
    finished = finished_of(tmp_path / "series")
    write_formats(tmp_path, ALL, finished)
    report, segmentation = (pydicom.dcmread(tmp_path / name) for name in ("measurements.dcm", "mask.dcm"))
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    assert report.StudyInstanceUID == segmentation.StudyInstanceUID == finished.study.identity.study_uid
    assert report.PatientID == "secret-17"
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    referenced = {
        item.ReferencedSOPInstanceUID
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert segmentation.SOPInstanceUID in referenced


def test_a_report_needs_no_segmentation(tmp_path):
    write_formats(tmp_path, Formats(frozenset({"dicom-sr"})), finished_of(tmp_path / "series"))
    assert numbers_of(pydicom.dcmread(tmp_path / "measurements.dcm"))
    assert not (tmp_path / "mask.dcm").exists()


def test_what_is_made_up_for_a_de_identified_study_is_told(tmp_path):
    (warning,) = write_formats(tmp_path, ALL, finished_of(tmp_path / "series", without_identifiers))
    assert "no valid StudyInstanceUID, FrameOfReferenceUID, SOPInstanceUID" in warning


def test_images_without_a_place_are_refused(tmp_path):
    finished = finished_of(tmp_path / "series", lambda _, dataset: dataset.__delattr__("ImagePositionPatient"))
    with pytest.raises(InputError, match="do not say where they lie"):
        write_formats(tmp_path, ALL, finished)


@dciodvfy.NEEDED
@pytest.mark.parametrize(
    ("changes", "change"),
    [({}, None), (SWAPPED, None), ({}, without_identifiers)],
    ids=["plain", "rows and columns swapped", "de-identified"],
)
@pytest.mark.parametrize("name", ["mask.dcm", "measurements.dcm"])
def test_dciodvfy_finds_no_error(tmp_path, changes, change, name):
    write_formats(tmp_path, ALL, finished_of(tmp_path / "series", change, **changes))
    assert dciodvfy.errors_in(tmp_path / name) == []
