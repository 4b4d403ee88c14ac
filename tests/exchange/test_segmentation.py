from uuid import UUID

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless, generate_uid

from covid_monai.errors import InputError, InputWarning
from covid_monai.exchange.formats import Formats
from covid_monai.exchange.reading import read_segmentation
from covid_monai.exchange.segmentation import segmentation_of
from covid_monai.exchange.sources import read_sources
from covid_monai.inference.given_masks import labels_on
from covid_monai.scoring.grids import LabelImage, align
from covid_monai.scoring.mask_files import read_mask_file
from tests.exchange.drawn_series import (
    ALGORITHM,
    CLASSES,
    DE_IDENTIFIED,
    SWAPPED,
    TILTED,
    drawn_lungs,
    drawn_mask,
    drawn_study,
    without_identifiers,
)

SEG = frozenset({"dicom-seg"})
ONLY_SEG = Formats(SEG)


def written(tmp_path, *, change=None, mask=None, formats=ONLY_SEG, **changes):
    study = drawn_study(tmp_path / "series", change, **changes)
    voxels = drawn_mask(study) if mask is None else mask
    sources = read_sources(study)
    made = segmentation_of(voxels, CLASSES, sources, ALGORITHM, lungs=drawn_lungs(study), formats=formats)
    made.save_as(tmp_path / "mask.dcm")
    return study, voxels, tmp_path / "mask.dcm"


def world_of(labels, affine, value):
    """The places of a class's voxels, RAS in mm, in a fixed order."""
    places = np.argwhere(labels == value) @ affine[:3, :3].T + affine[:3, 3]
    return places[np.lexsort(places.round(2).T)]


@pytest.mark.parametrize("changes", [{}, SWAPPED, TILTED], ids=["plain", "rows and columns swapped", "tilted"])
def test_the_mask_read_back_lies_where_it_was(tmp_path, changes):
    study, mask, file = written(tmp_path, **changes)
    read = read_segmentation(file)
    assert dict(read.names) == CLASSES
    for value in CLASSES:
        np.testing.assert_allclose(
            world_of(read.labels, read.affine, value), world_of(mask, study.affine, value), atol=1e-3
        )


@pytest.mark.parametrize("changes", [{}, SWAPPED], ids=["plain", "rows and columns swapped"])
def test_highdicom_reads_the_mask_where_it_was(tmp_path, changes):
    study, mask, file = written(tmp_path, **changes)
    volume = highdicom.seg.segread(file).get_volume(combine_segments=True)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    for value in CLASSES:
        np.testing.assert_allclose(
            world_of(volume.array, affine, value), world_of(mask, study.affine, value), atol=1e-3
        )


def test_it_belongs_to_the_patient_the_study_and_the_images(tmp_path):
    study, _, file = written(tmp_path, change=lambda _, each: setattr(each, "FrameOfReferenceUID", "1.2.3.4"))
    made = pydicom.dcmread(file)
    assert (made.PatientID, made.PatientName) == ("secret-17", "Doe^Jane")
    assert made.StudyInstanceUID == study.identity.study_uid
    assert made.FrameOfReferenceUID == "1.2.3.4"
    (series,) = made.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == study.identity.series_uid
    referenced = {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence}
    assert referenced <= set(study.identity.sop_instance_uids)
    for group in made.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        index = study.identity.sop_instance_uids.index(source)
        np.testing.assert_allclose(position * [-1, -1, 1], study.positions[index], atol=1e-6)


def test_segments_say_what_they_are_and_who_made_them(tmp_path):
    *_, file = written(tmp_path)
    segments = pydicom.dcmread(file).SegmentSequence
    assert [segment.SegmentLabel for segment in segments] == [
        "Ground-glass opacity",
        "Consolidation",
        "Pleural effusion",
    ]
    for segment in segments:
        (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
        assert algorithm.AlgorithmName == "tiny_ct_segmentation"
        assert "ab" * 32 in algorithm.AlgorithmParameters
        assert len(segment.RecommendedDisplayCIELabValue) == 3


def test_empty_frames_are_left_out_unless_all_are_asked_for(tmp_path):
    *_, mask, file = written(tmp_path / "few")
    filled = sum(int((mask == value).any(axis=(0, 1)).sum()) for value in CLASSES)
    assert pydicom.dcmread(file).NumberOfFrames == filled
    *_, file = written(tmp_path / "all", formats=Formats(SEG, all_frames=True))
    assert pydicom.dcmread(file).NumberOfFrames == 3 * mask.shape[2]


UNEVEN = [[-31.0, -28.0, z] for z in (-120.0, -117.0, -114.0, -111.0, -104.5, -101.5, -98.5, -95.5)]
"""Half a slice more than one is missing between the fourth and the fifth."""


@pytest.mark.parametrize("seg_type", ["binary", "labelmap"])
def test_unevenly_spaced_slices_are_read_back_by_where_each_frame_lies(tmp_path, seg_type):
    study, mask, file = written(tmp_path, positions=UNEVEN, formats=Formats(SEG, seg_type=seg_type))
    np.testing.assert_array_equal(labels_on(study, file), mask)
    nifti = LabelImage("mask.nii.gz", mask, study.affine)
    with pytest.warns(InputWarning, match="unevenly spaced planes"):
        read = read_mask_file(file)
    masks = align(read, nifti)
    assert masks.prediction.any()
    np.testing.assert_array_equal(masks.prediction, masks.reference)


def test_a_series_that_lacks_a_slice_is_read_back_by_where_each_frame_lies(tmp_path):
    without_one = [[-31.0, -28.0, -120.0 + 3 * index] for index in (0, 1, 2, 3, 5, 6, 7, 8)]
    study, mask, file = written(tmp_path, positions=without_one)
    np.testing.assert_array_equal(labels_on(study, file), mask)


def test_unevenly_spaced_frames_that_lie_between_the_slices_are_refused(tmp_path):
    *_, file = written(tmp_path / "uneven", positions=UNEVEN)
    other = drawn_study(tmp_path / "even")
    with pytest.raises(InputError, match="no slice of the CT"):
        labels_on(other, file)


@pytest.mark.parametrize("seg_type", ["binary", "labelmap"])
@pytest.mark.parametrize("positions", [None, UNEVEN], ids=["even", "uneven"])
def test_an_empty_mask_has_the_grid_of_the_images(tmp_path, seg_type, positions):
    formats = Formats(SEG, seg_type=seg_type)
    empty = np.zeros((32, 24, 8), np.uint8)
    study, _, file = written(tmp_path, mask=empty, formats=formats, positions=positions)
    assert dict(read_segmentation(file).names) == CLASSES
    np.testing.assert_array_equal(labels_on(study, file), empty)
    masks = align(read_mask_file(file), LabelImage("reference.nii.gz", drawn_mask(study), study.affine))
    assert masks.prediction.shape == masks.reference.shape
    assert not masks.prediction.any()


def test_a_label_map_compressed_by_run_lengths_is_read(tmp_path):
    study, mask, file = written(tmp_path, formats=Formats(SEG, seg_type="labelmap"))
    made = pydicom.dcmread(file)
    made.compress(RLELossless)
    made.save_as(file)
    assert pydicom.dcmread(file).file_meta.TransferSyntaxUID == RLELossless
    np.testing.assert_array_equal(labels_on(study, file), mask)


def test_an_empty_mask_is_one_too(tmp_path):
    study = drawn_study(tmp_path / "drawn")
    *_, file = written(tmp_path, mask=np.zeros(study.hu.shape, np.uint8))
    assert not read_segmentation(file).labels.any()


def test_lungs_are_segments_on_request_and_read_apart(tmp_path):
    study, mask, file = written(tmp_path, formats=Formats(SEG, lung_segments=True))
    assert [each.SegmentLabel for each in pydicom.dcmread(file).SegmentSequence][3:] == ["Right lung", "Left lung"]
    lungs = read_segmentation(file, lungs=True)
    for value in (1, 2):
        np.testing.assert_allclose(
            world_of(lungs.labels, lungs.affine, 3 + value),
            world_of(drawn_lungs(study), study.affine, value),
            atol=1e-3,
        )
    assert np.count_nonzero(read_segmentation(file).labels) == np.count_nonzero(mask)


def test_a_label_map_holds_the_same(tmp_path):
    study, mask, file = written(tmp_path, formats=Formats(SEG, seg_type="labelmap"))
    read = read_segmentation(file)
    for value in CLASSES:
        np.testing.assert_allclose(
            world_of(read.labels, read.affine, value), world_of(mask, study.affine, value), atol=1e-3
        )


def test_a_de_identified_series_gets_the_same_stand_ins_every_time(tmp_path):
    uid = generate_uid()
    study, mask, file = written(tmp_path, change=without_identifiers, series_uid=uid)
    made = pydicom.dcmread(file)
    assert made.PatientName == ""
    assert made.StudyInstanceUID == f"2.25.{UUID(DE_IDENTIFIED).int}"
    (warning,) = read_sources(study).warnings
    assert "StudyInstanceUID" in warning
    assert "SOPInstanceUID" in warning
    assert "SeriesInstanceUID" not in warning
    again = read_sources(study).datasets
    assert {each.SOPInstanceUID for each in again} >= {
        item.ReferencedSOPInstanceUID for item in made.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert len({each.SOPInstanceUID for each in again}) == mask.shape[2]


def test_another_file_is_no_segmentation(tmp_path):
    study, *_ = written(tmp_path)
    with pytest.raises(InputError, match="is no DICOM-SEG"):
        read_segmentation(study.files[0])
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(InputError, match="is no DICOM-SEG"):
        read_segmentation(tmp_path / "text.dcm")
