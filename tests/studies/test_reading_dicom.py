"""A DICOM folder as voxels in HU with their place in the patient."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from covid_monai.errors import InputError, InputWarning
from covid_monai.studies import read_study
from covid_monai.transforms.grid import to_lps
from tests.studies.series_files import COLUMNS, ORIGIN, ROWS, SLICES, SPACING, SeriesPlan, draw_chest, write_series

CHEST = draw_chest()


def as_voxels(chest: np.ndarray) -> np.ndarray:
    """(slice, row, column) as (column, row, slice)."""
    return chest.transpose(2, 1, 0)


def world_lps(affine: np.ndarray, *index: float) -> np.ndarray:
    return (affine @ [*index, 1])[:3] * [-1, -1, 1]


def test_a_series_is_read_in_hu_sorted_by_position(tmp_path):
    files = write_series(tmp_path, SeriesPlan(CHEST))
    study = read_study(tmp_path)
    assert study.hu.dtype == np.int16
    np.testing.assert_array_equal(study.hu, as_voxels(CHEST))
    assert study.files == tuple(files)
    assert (study.format, study.intensity, study.placeholder_spacing, study.warnings) == ("dicom", "hu", False, ())
    np.testing.assert_allclose(study.extents, 3.0)
    np.testing.assert_allclose(study.spacing, (2.0, 2.5, 3.0))


def test_voxels_lie_where_the_header_says(tmp_path):
    write_series(tmp_path, SeriesPlan(CHEST))
    affine = read_study(tmp_path).affine
    np.testing.assert_allclose(world_lps(affine, 0, 0, 0), ORIGIN)
    # DICOM part 3, C.7.6.2.1.1: columns by the second number of the spacing, rows by the first
    expected = np.add(ORIGIN, [4 * SPACING[1], 7 * SPACING[0], 5 * 3.0])
    np.testing.assert_allclose(world_lps(affine, 4, 7, 5), expected)


def turned(about_x: float, about_y: float, about_z: float) -> tuple[float, ...]:
    """The orientation of slices that are turned by degrees, the axial ones first about x."""
    x, y, z = np.radians((about_x, about_y, about_z))
    turn_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turn_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return tuple((turn_z @ turn_y @ turn_x)[:, :2].T.ravel())


@pytest.mark.parametrize("angles", [(0, 0, 0), (12, 0, 0), (-20, 8, 0), (5, -25, 40), (0, 0, 180), (180, 0, 0)])
def test_values_and_places_are_those_of_another_reader(angles, tmp_path):
    orientation = turned(*angles)
    normal = np.cross(orientation[:3], orientation[3:])
    write_series(tmp_path, SeriesPlan(CHEST, orientation=orientation, step=2.7 * normal))
    study = read_study(tmp_path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    image = reader.Execute()
    generator = np.random.default_rng(0)
    for index in generator.integers(0, study.hu.shape, (40, 3)):
        point = (study.affine @ [*index, 1])[:3] * [-1, -1, 1]
        there = image.TransformPhysicalPointToIndex(point.tolist())
        assert image[there] == study.hu[tuple(index)]
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(there), point, atol=1e-3)


def test_slope_and_intercept_of_each_slice_are_its_own(tmp_path):
    chest = CHEST.astype(np.float64)

    def change(index, dataset):
        slope, intercept = (1, -1024) if index % 2 else (0.5, -1100 - index)
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
        dataset.PixelData = np.rint((chest[index] - intercept) / slope).astype(np.uint16).tobytes()

    write_series(tmp_path, SeriesPlan(CHEST), change)
    np.testing.assert_allclose(read_study(tmp_path).hu, as_voxels(CHEST))


def test_fractions_of_hu_are_kept(tmp_path):
    def change(index, dataset):
        dataset.RescaleSlope = 0.3
        dataset.RescaleIntercept = -1024.5

    plan = SeriesPlan(CHEST, slope=0.3, intercept=-1024.5)
    write_series(tmp_path, plan, change)
    hu = read_study(tmp_path).hu
    assert hu.dtype == np.float32
    stored = np.stack([plan.stored(index) for index in range(SLICES)])
    np.testing.assert_allclose(hu, np.maximum(as_voxels(stored * 0.3 - 1024.5), -1024), atol=1e-3)


def test_a_tilted_gantry_keeps_its_shear_and_its_extents(tmp_path):
    tilt = np.radians(20)
    orientation = (1, 0, 0, 0, np.cos(tilt), -np.sin(tilt))
    write_series(tmp_path, SeriesPlan(CHEST, orientation=orientation))
    with pytest.warns(InputWarning, match="tilted by 20.0 degrees"):
        study = read_study(tmp_path)
    np.testing.assert_array_equal(study.hu, as_voxels(CHEST))
    np.testing.assert_allclose(study.affine[:3, 2], [0, 0, 3])
    # the distance along the normal is what a slice stands for
    np.testing.assert_allclose(study.extents, 3 * np.cos(tilt))
    voxel = abs(np.linalg.det(study.affine[:3, :3]))
    np.testing.assert_allclose(SPACING[0] * SPACING[1] * study.extents, voxel)


def test_unevenly_spaced_slices_stand_for_what_lies_half_way_to_their_neighbours(tmp_path):
    heights = [0, 3, 6, 9, 11, 13, 18, 20]
    positions = [(*ORIGIN[:2], -120 + height) for height in heights]
    write_series(tmp_path, SeriesPlan(CHEST, positions=positions))
    with pytest.warns(InputWarning) as caught:
        study = read_study(tmp_path)
    np.testing.assert_allclose(study.extents, [3, 3, 3, 2.5, 2, 3.5, 3.5, 2])
    np.testing.assert_allclose(study.positions[:, 2], np.add(heights, -120))
    told = " ".join(study.warnings)
    assert "a gap of 5 mm after slice 6 of 8" in told
    assert "unevenly spaced" in told
    assert all(str(tmp_path) in str(warning.message) for warning in caught)
    assert str(tmp_path) not in told


def test_identity_has_the_uids_in_the_order_of_the_slices(tmp_path):
    written = {}
    plan = SeriesPlan(CHEST)
    write_series(tmp_path, plan, lambda index, dataset: written.update({index: dataset.SOPInstanceUID}))
    identity = read_study(tmp_path).identity
    assert (identity.study_uid, identity.series_uid) == (plan.study_uid, plan.series_uid)
    assert identity.frame_of_reference_uid == "1.2.3.4"
    assert identity.sop_instance_uids == tuple(written[index] for index in range(SLICES))
    assert identity.frames is None


def test_one_slice_is_a_study_of_its_thickness(tmp_path):
    (file,) = write_series(tmp_path, SeriesPlan(CHEST[:1]))
    with pytest.warns(InputWarning, match="one slice only"):
        study = read_study(file)
    assert study.hu.shape == (COLUMNS, ROWS, 1)
    np.testing.assert_allclose(study.extents, [3])
    assert not study.placeholder_spacing


def test_stored_values_without_intercept_are_refused_as_another_scale(tmp_path):
    def change(index, dataset):
        del dataset.RescaleIntercept, dataset.RescaleSlope

    write_series(tmp_path, SeriesPlan(CHEST), change)
    with pytest.raises(InputError, match=r"look like HU \+ 1024"):
        read_study(tmp_path)
    with pytest.warns(InputWarning, match="8 slices have no rescale intercept"):
        study = read_study(tmp_path, intensity="offset1024")
    np.testing.assert_array_equal(study.hu, as_voxels(CHEST))


def test_the_dicom_series_of_the_phantom_is_its_nifti_volume(shared_data):
    folder = shared_data / "chest_ct_dicom"
    study, volume = read_study(folder / "dicom"), nibabel.load(folder / "phantom.nii.gz")
    read, affine = to_lps(study.hu, study.affine)
    expected, expected_affine = to_lps(np.asarray(volume.dataobj), volume.affine)
    np.testing.assert_array_equal(read, expected)
    np.testing.assert_allclose(affine, expected_affine, atol=1e-3)
    np.testing.assert_allclose(read_study(folder / "phantom.nii.gz").affine, study.affine, atol=1e-3)


def test_a_real_series_without_patient_name_and_uids_is_read(shared_data):
    study = read_study(shared_data / "chest_dicom_series" / "covid_P002")
    assert study.hu.shape == (512, 512, 133)
    assert (study.hu.min(), study.hu.max()) == (-1024, 1470)
    np.testing.assert_allclose(study.positions[[0, -1], 2], [-437.7, -173.7])
    assert study.identity.sop_instance_uids == (None,) * 133
    assert study.warnings == ()
