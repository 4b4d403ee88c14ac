"""Headers that lack what they should have: read as far as it goes, and what is assumed is told."""

import numpy as np
import pytest

from covid_monai.errors import InputError, InputWarning
from covid_monai.studies import find_studies, read_study
from tests.studies.series_files import ORIGIN, SLICES, SeriesPlan, draw_chest, write_series

CHEST = draw_chest()
VOXELS = CHEST.transpose(2, 1, 0)


def without(*keywords):
    def change(_, dataset):
        for keyword in keywords:
            if keyword in dataset:
                delattr(dataset, keyword)

    return change


def test_all_that_no_voxel_needs_may_be_missing(tmp_path):
    spared = {
        *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"),
        *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
        *("PhotometricInterpretation", "PixelData"),
    }

    def change(_, dataset):
        for element in list(dataset):
            if element.keyword not in spared:
                del dataset[element.tag]

    for index, dataset in enumerate(SeriesPlan(CHEST).datasets()):
        change(index, dataset)
        dataset.save_as(tmp_path / f"{(index * 3) % 8}.dcm", enforce_file_format=False)
    with pytest.warns(InputWarning, match="no modality is given"):
        study = read_study(tmp_path)
    np.testing.assert_array_equal(study.hu, VOXELS)
    identity = study.identity
    assert (identity.study_uid, identity.series_uid, identity.frame_of_reference_uid) == (None, None, None)
    assert identity.sop_instance_uids == (None,) * SLICES
    assert not study.placeholder_spacing


@pytest.mark.parametrize("empty", ["PatientName", "SeriesNumber", "InstanceNumber", "SliceThickness", "ImageType"])
def test_empty_attributes_are_missing_ones(empty, tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, empty, None))
    np.testing.assert_array_equal(read_study(tmp_path).hu, VOXELS)


def test_series_without_uids_are_told_apart_by_their_folders(tmp_path):
    change = without("StudyInstanceUID", "SeriesInstanceUID")
    for name, seed in (("a", 0), ("b", 1)):
        write_series(tmp_path / name, SeriesPlan(draw_chest(seed=seed)), change)
    assert [study.name for study in find_studies(tmp_path).studies] == [str(tmp_path / "a"), str(tmp_path / "b")]
    np.testing.assert_array_equal(
        read_study(tmp_path, series=str(tmp_path / "b")).hu, draw_chest(seed=1).transpose(2, 1, 0)
    )


def test_slice_locations_stand_for_positions(tmp_path):
    def change(index, dataset):
        del dataset.ImagePositionPatient
        dataset.SliceLocation = -120 + 3 * index

    write_series(tmp_path, SeriesPlan(CHEST), change)
    with pytest.warns(InputWarning, match="slice locations are taken"):
        study = read_study(tmp_path)
    np.testing.assert_array_equal(study.hu, VOXELS)
    np.testing.assert_allclose(study.extents, 3)
    assert not study.placeholder_spacing


@pytest.mark.parametrize(
    ("thickness", "placeholder", "distance"), [(3, False, 3), (None, True, 1)], ids=["known", "unknown"]
)
def test_slices_without_any_place_are_taken_in_the_order_of_their_numbers(thickness, placeholder, distance, tmp_path):
    def change(index, dataset):
        del dataset.ImagePositionPatient
        dataset.InstanceNumber, dataset.SliceThickness = index + 1, thickness

    write_series(tmp_path, SeriesPlan(CHEST), change)
    with pytest.warns(InputWarning, match="in the order of their numbers"):
        study = read_study(tmp_path)
    np.testing.assert_array_equal(study.hu, VOXELS)
    np.testing.assert_allclose(study.extents, distance)
    assert study.placeholder_spacing is placeholder


def test_a_missing_orientation_is_assumed_and_told(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), without("ImageOrientationPatient"))
    with pytest.warns(InputWarning, match="the orientation is not given"):
        study = read_study(tmp_path)
    np.testing.assert_array_equal(study.hu, VOXELS)
    np.testing.assert_allclose(study.positions[0], np.multiply(ORIGIN, [-1, -1, 1]))


@pytest.mark.parametrize("broken", [[0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [5, 0, 0, 0, 5, 0]])
def test_an_orientation_of_no_plane_is_a_missing_one(broken, tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, "ImageOrientationPatient", broken))
    with pytest.warns(InputWarning, match="the orientation is not given"):
        read_study(tmp_path)


def test_a_missing_spacing_comes_from_the_reconstruction_diameter(tmp_path):
    def change(_, dataset):
        del dataset.PixelSpacing
        dataset.ReconstructionDiameter = 320

    write_series(tmp_path, SeriesPlan(CHEST), change)
    with pytest.warns(InputWarning, match="10 mm from the reconstruction diameter"):
        study = read_study(tmp_path)
    np.testing.assert_allclose(study.spacing, (10, 10, 3))
    assert not study.placeholder_spacing


@pytest.mark.parametrize("spacing", [None, [0, 0], [-1, 2]])
def test_an_unknown_spacing_is_a_placeholder(spacing, tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, "PixelSpacing", spacing))
    with pytest.warns(InputWarning, match="only shares can be measured"):
        study = read_study(tmp_path)
    assert study.placeholder_spacing
    assert not read_study(tmp_path, spacing_known=True).placeholder_spacing


def test_one_slice_of_unknown_thickness_has_a_placeholder_spacing(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST[:1]), without("SliceThickness"))
    with pytest.warns(InputWarning, match="one slice only, of unknown thickness"):
        assert read_study(tmp_path).placeholder_spacing


def test_text_that_no_character_set_has_is_no_obstacle(tmp_path):
    def change(_, dataset):
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.SeriesDescription = "Größe"

    for file in write_series(tmp_path, SeriesPlan(CHEST), change):
        content = file.read_bytes()
        assert content.count(b"ISO_IR 100") == 1
        file.write_bytes(
            content.replace(b"ISO_IR 100", b"ISO_IR XYZ").replace("Größe".encode("latin1"), b"Gr\xff\xfee")
        )
    np.testing.assert_array_equal(read_study(tmp_path).hu, VOXELS)


def test_numbers_with_a_comma_are_numbers(tmp_path):
    # what some exports write, against the standard
    for file in write_series(tmp_path, SeriesPlan(CHEST, origin=(-31, -28, -120.5))):
        content = file.read_bytes()
        assert b"2.5\\2.0" in content
        file.write_bytes(content.replace(b"2.5\\2.0", b"2,5\\2,0"))
    np.testing.assert_allclose(read_study(tmp_path).spacing, (2.0, 2.5, 3.0))


def test_a_slope_of_zero_is_none_and_told(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, "RescaleSlope", "0"))
    with pytest.warns(InputWarning, match="slope is 0, taken as 1"):
        study = read_study(tmp_path)
    np.testing.assert_array_equal(study.hu, VOXELS)


def test_a_stack_that_is_not_straight_is_told(tmp_path):
    positions = [(ORIGIN[0] + (5 if index > 4 else 0), ORIGIN[1], ORIGIN[2] + 3 * index) for index in range(SLICES)]
    write_series(tmp_path, SeriesPlan(CHEST, positions=positions))
    with pytest.warns(InputWarning, match="beside a straight stack"):
        read_study(tmp_path)


def test_a_missing_image_is_an_error_of_its_own(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), without("PixelData"))
    with pytest.raises(InputError, match="none of the 8 slices can be read"):
        read_study(tmp_path)


def test_slices_without_intercept_get_that_of_the_others_and_it_is_told(tmp_path):
    def change(index, dataset):
        if index in (2, 5):
            del dataset.RescaleIntercept, dataset.RescaleSlope

    write_series(tmp_path, SeriesPlan(CHEST), change)
    with pytest.warns(InputWarning, match="2 slices have no rescale intercept: that of the others, -1024, is taken"):
        study = read_study(tmp_path)
    np.testing.assert_array_equal(study.hu, VOXELS)


@pytest.mark.parametrize("spacing", [[0.0006, 0.0006], [600, 600]])
def test_pixels_of_a_size_that_no_ct_has_are_refused(spacing, tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST, spacing=spacing))
    with pytest.raises(InputError, match="which no CT has"):
        read_study(tmp_path)


def test_compression_with_loss_is_told(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, "LossyImageCompression", "01"))
    with pytest.warns(InputWarning, match="compressed with loss"):
        read_study(tmp_path)


def test_a_tilt_that_only_the_header_knows_is_told(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST), lambda _, dataset: setattr(dataset, "GantryDetectorTilt", "-15"))
    with pytest.warns(InputWarning, match="a gantry tilt of 15 degrees is given, but slices lie straight"):
        read_study(tmp_path)


def test_the_current_folder_is_named_and_nothing_else_replaced(tmp_path, monkeypatch):
    # lungs full of lesions, and no air
    dense = np.where(CHEST < -500, CHEST // 3 - 200, CHEST).astype(np.int16)
    write_series(tmp_path, SeriesPlan(dense))
    monkeypatch.chdir(tmp_path)
    with pytest.warns(InputWarning) as caught:
        study = read_study(".")
    (message,) = study.warnings
    assert message.startswith("the CT has values -5")
    assert [str(warning.message) for warning in caught] == [f".: {message}"]
