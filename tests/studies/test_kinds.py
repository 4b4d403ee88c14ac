"""Which DICOM images are CT slices, and which are refused by their names."""

import numpy as np
import pytest
from pydicom.uid import (
    ComprehensiveSRStorage,
    CTImageStorage,
    EnhancedMRImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    LegacyConvertedEnhancedCTImageStorage,
    MRImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from covid_monai.errors import InputError, InputWarning
from covid_monai.studies import find_studies, read_study
from tests.studies.series_files import SeriesPlan, draw_chest, write_series

CHEST = draw_chest(3)


def refusal(folder) -> str | None:
    (study,) = find_studies(folder).studies
    (series,) = study.series
    assert (study.taken is None) == (series.refused is not None)
    return series.refused


@pytest.mark.parametrize(
    ("image_type", "named"),
    [
        (["ORIGINAL", "PRIMARY", "LOCALIZER", "CT_SOM5 TOP"], "a localizer"),
        (["ORIGINAL", "PRIMARY", "SCOUT"], "a localizer"),
        (["ORIGINAL", "PRIMARY", "OTHER", "CT_SOM5 PROT"], "a dose screen"),
        (["DERIVED", "SECONDARY", "DOSE_INFO"], "a dose screen"),
        (["DERIVED", "SECONDARY", "SCREEN SAVE"], "a secondary capture"),
        (["DERIVED", "PRIMARY", "AXIAL", "CT_SOM5 MPR"], "a multiplanar reformation (MPR)"),
        (["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"], "a reformation (MPR)"),
        (["DERIVED", "SECONDARY", "MIP"], "a maximum intensity projection (MIP)"),
        (["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 MIP"], "a maximum intensity projection (MIP)"),
        (["DERIVED", "SECONDARY", "MINIP"], "a minimum intensity projection (MinIP)"),
        (["DERIVED", "SECONDARY", "VRT"], "a volume rendering"),
    ],
)
def test_images_of_other_types_are_refused_by_name(image_type, named, tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, "ImageType", image_type))
    assert refusal(tmp_path) == named


@pytest.mark.parametrize(
    "image_type",
    [
        ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
        ["DERIVED", "PRIMARY", "AXIAL", "CT_SOM7 SPI DUAL"],
        ["DERIVED", "SECONDARY", "AXIAL"],
        ["ORIGINAL", "PRIMARY", "AXIAL", "HELIX"],
        "AXIAL",
        "",
    ],
)
def test_axial_images_are_taken_whatever_else_their_type_says(image_type, tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, "ImageType", image_type))
    assert refusal(tmp_path) is None


@pytest.mark.parametrize(
    ("description", "named"),
    [
        ("Dose Report", "a dose screen"),
        ("Patient Protocol", "a dose screen"),
        ("THORAX MIP 10mm", "a maximum intensity projection (MIP)"),
        ("Topogram  0.6  T20f", "a localizer"),
        ("Thorax LOW DOSE 1.0 B70f", None),
        ("Chest, patient prone", None),
    ],
)
def test_descriptions_that_name_another_kind_are_believed(description, named, tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, "SeriesDescription", description))
    assert refusal(tmp_path) == named


@pytest.mark.parametrize(
    ("modality", "sop_class", "named"),
    [
        ("MR", MRImageStorage, "a magnetic resonance image"),
        (None, MRImageStorage, "a magnetic resonance image"),
        (None, EnhancedMRImageStorage, "a magnetic resonance image"),
        ("PT", PositronEmissionTomographyImageStorage, "a PET image"),
        (None, PositronEmissionTomographyImageStorage, "a PET image"),
        ("CT", SecondaryCaptureImageStorage, "a secondary capture"),
        ("CT", MultiFrameGrayscaleWordSecondaryCaptureImageStorage, "a secondary capture"),
        ("SR", ComprehensiveSRStorage, "a structured report"),
        (None, ComprehensiveSRStorage, "a structured report"),
        ("PR", GrayscaleSoftcopyPresentationStateStorage, "a presentation state"),
        ("SEG", SegmentationStorage, "a segmentation"),
        ("CT", SegmentationStorage, "a segmentation"),
        ("ECG", CTImageStorage, "an object of modality ECG"),
        ("CT", CTImageStorage, None),
        ("", CTImageStorage, None),
        (None, CTImageStorage, None),
        ("CT", None, None),
        (None, None, None),
    ],
)
def test_other_modalities_are_refused_and_missing_ones_are_no_obstacle(modality, sop_class, named, tmp_path):
    def change(_, dataset):
        dataset.Modality, dataset.SOPClassUID = modality, sop_class
        if modality is None:
            del dataset.Modality
        if sop_class is None:
            del dataset.SOPClassUID

    write_series(tmp_path, SeriesPlan(CHEST), change)
    assert refusal(tmp_path) == named


def test_a_missing_modality_is_told_of(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: delattr(dataset, "Modality"))
    with pytest.warns(InputWarning, match="no modality is given"):
        np.testing.assert_array_equal(read_study(tmp_path).hu, CHEST.transpose(2, 1, 0))


def test_maps_of_other_values_than_hu_are_refused(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, "RescaleType", "Z_EFF"))
    assert refusal(tmp_path) == "a map of other values than HU (rescale type Z_EFF)"


def test_many_frames_without_places_are_refused(tmp_path):
    def change(_, dataset):
        dataset.SOPClassUID = CTImageStorage
        dataset.NumberOfFrames = 2
        dataset.PixelData = dataset.PixelData * 2

    write_series(tmp_path, SeriesPlan(CHEST), change)
    assert refusal(tmp_path) == "a file of 2 frames that is no enhanced CT"


def test_colour_pictures_are_refused(tmp_path):
    def change(_, dataset):
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0

    write_series(tmp_path, SeriesPlan(CHEST), change)
    assert refusal(tmp_path) == "a colour picture"


@pytest.mark.parametrize(
    ("orientation", "named"),
    [
        ((1, 0, 0, 0, 0, -1), "a coronal series, where axial slices are needed"),
        ((0, 1, 0, 0, 0, -1), "a sagittal series, where axial slices are needed"),
    ],
)
def test_coronal_and_sagittal_series_are_refused_by_name(orientation, named, tmp_path):
    normal = np.cross(orientation[:3], orientation[3:])
    write_series(tmp_path, SeriesPlan(CHEST, orientation=orientation, step=3 * normal))
    assert refusal(tmp_path) == named
    with pytest.raises(InputError, match=named):
        read_study(tmp_path)


def test_the_classes_of_enhanced_ct_are_known():
    from covid_monai.studies.kinds import CT_CLASSES, ENHANCED

    assert LegacyConvertedEnhancedCTImageStorage in CT_CLASSES
    assert CT_CLASSES.keys() > ENHANCED
