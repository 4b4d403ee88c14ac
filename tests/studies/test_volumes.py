"""CT volumes of other formats: NIfTI, NRRD and MetaImage."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from covid_monai.errors import InputError, InputWarning
from covid_monai.studies import find_studies, read_study
from tests.studies.series_files import SeriesPlan, draw_chest, write_series

CHEST = draw_chest()
VOXELS = CHEST.transpose(2, 1, 0)
AFFINE = np.array([[-2.0, 0, 0, 31], [0, -2.5, 0, 28], [0, 0, 3, -120], [0, 0, 0, 1]])


def itk_image(kind: type = np.int16) -> sitk.Image:
    image = sitk.GetImageFromArray(CHEST.astype(kind))
    image.SetSpacing((2.0, 2.5, 3.0))
    image.SetOrigin((-31, -28, -120))
    return image


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".MHA"])
def test_every_format_gives_the_voxels_and_places_of_the_dicom_series(ending, tmp_path):
    file = tmp_path / f"ct{ending}"
    if "nii" in ending:
        nibabel.save(nibabel.Nifti1Image(VOXELS, AFFINE), file)
    else:
        sitk.WriteImage(itk_image(), str(file.with_suffix(ending.lower())))
        file.with_suffix(ending.lower()).rename(file)
    study = read_study(file)
    write_series(tmp_path / "dicom", SeriesPlan(CHEST))
    series = read_study(tmp_path / "dicom")
    np.testing.assert_array_equal(study.hu, series.hu)
    np.testing.assert_allclose(study.affine, series.affine)
    np.testing.assert_allclose(study.extents, series.extents)
    np.testing.assert_allclose(study.positions, series.positions)
    beside = [path for path in file.parent.glob("ct*") if path != file]
    assert study.files == (file, *beside)
    assert study.sources == study.files
    assert len(beside) == (ending in (".nhdr", ".mhd"))
    assert study.identity.series_uid is None
    assert (
        study.format
        == {"nii": "nifti", "nr": "nrrd", "nh": "nrrd", "mh": "metaimage"}[
            next(start for start in ("nii", "nr", "nh", "mh") if ending[1:].lower().startswith(start))
        ]
    )
    assert not study.placeholder_spacing


def test_an_nrrd_file_in_ras_lies_where_it_says(tmp_path):
    header = (
        "NRRD0005\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 32 24 8\n"
        "space directions: (-2,0,0) (0,-2.5,0) (0,0,3)\nkinds: domain domain domain\nendian: little\n"
        "encoding: raw\nspace origin: (31,28,-120)\n\n"
    )
    (tmp_path / "ct.nrrd").write_bytes(header.encode() + CHEST.tobytes())
    study = read_study(tmp_path / "ct.nrrd")
    np.testing.assert_allclose(study.affine, AFFINE)
    np.testing.assert_array_equal(study.hu, VOXELS)


@pytest.mark.parametrize(("order", "plane"), [((2, 0, 1), "coronal"), ((1, 2, 0), "sagittal")])
def test_volumes_stored_by_another_plane_get_their_slices_back(order, plane, tmp_path):
    stored = np.transpose(VOXELS, order)
    affine = AFFINE[:, [*order, 3]]
    nibabel.save(nibabel.Nifti1Image(stored, affine), tmp_path / "ct.nii.gz")
    with pytest.warns(InputWarning, match=f"stored as {plane} slices"):
        study = read_study(tmp_path / "ct.nii.gz")
    assert study.hu.shape[2] == 8
    np.testing.assert_allclose(study.extents, 3)
    voxel = np.argwhere(study.hu == study.hu.max())[0]
    original = np.argwhere(study.hu.max() == VOXELS)[0]
    np.testing.assert_allclose(study.affine @ [*voxel, 1], AFFINE @ [*original, 1])


def test_what_the_nifti_reader_warns_of_stands_in_the_study(tmp_path):
    image = nibabel.Nifti1Image(VOXELS, None)
    image.header.set_zooms((2, 2.5, 3))
    nibabel.save(image, tmp_path / "secret name.nii.gz")
    with pytest.warns(InputWarning, match="secret name"):
        study = read_study(tmp_path / "secret name.nii.gz")
    assert any("LAS" in message for message in study.warnings)
    assert not any("secret" in message for message in study.warnings)
    assert read_study(tmp_path / "secret name.nii.gz", orientation="LPS").affine[1, 1] < 0


def test_a_tilted_volume_keeps_its_shear(tmp_path):
    affine = AFFINE.copy()
    affine[1, 2] = 1.0
    nibabel.save(nibabel.Nifti1Image(VOXELS, affine), tmp_path / "ct.nii.gz")
    with pytest.warns(InputWarning, match="shear"):
        study = read_study(tmp_path / "ct.nii.gz")
    np.testing.assert_allclose(study.affine, affine)
    np.testing.assert_allclose(study.extents, 3.0)


def test_units_are_repaired_by_the_nifti_reader(tmp_path):
    image = nibabel.Nifti1Image(VOXELS, AFFINE / [[1000], [1000], [1000], [1]])
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "ct.nii")
    np.testing.assert_allclose(read_study(tmp_path / "ct.nii").affine, AFFINE, rtol=1e-5)


@pytest.mark.parametrize("known", [None, True, False])
def test_one_mm_everywhere_is_a_placeholder_unless_the_user_says_otherwise(known, tmp_path):
    nibabel.save(nibabel.Nifti1Image(VOXELS, np.diag([-1, -1, 1, 1])), tmp_path / "ct.nii.gz")
    study = read_study(tmp_path / "ct.nii.gz", spacing_known=known)
    assert study.placeholder_spacing is (known is not True)


def test_a_slice_of_two_dimensions_is_one_slice(tmp_path):
    image = sitk.GetImageFromArray(CHEST[3])
    image.SetSpacing((2.0, 2.5))
    sitk.WriteImage(image, str(tmp_path / "slice.mha"))
    study = read_study(tmp_path / "slice.mha")
    np.testing.assert_array_equal(study.hu, VOXELS[:, :, 3:4])


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
def test_other_scales_than_hu_are_refused_whatever_the_format(ending, tmp_path):
    file = tmp_path / f"ct.{ending}"
    sitk.WriteImage(itk_image() + 1024, str(file))
    with pytest.raises(InputError, match=r"look like HU \+ 1024"):
        read_study(file)
    np.testing.assert_array_equal(read_study(file, intensity="offset1024").hu, VOXELS)


def test_grey_values_are_mapped_on_the_users_word_alone(tmp_path):
    grey = np.clip((CHEST + 1024) / 1624 * 255, 0, 255).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(grey), str(tmp_path / "grey.mha"))
    with pytest.raises(InputError, match="8-bit grey values"):
        read_study(tmp_path / "grey.mha")
    study = read_study(tmp_path / "grey.mha", intensity="window")
    assert study.intensity == "window"
    assert np.abs(study.hu - np.minimum(VOXELS, 600)).max() < 7


def test_files_that_are_no_ct_volume_are_named(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 8, 8, 3), np.uint8), isVector=True), str(tmp_path / "rgb.mha"))
    (tmp_path / "broken.nrrd").write_bytes(b"NRRD0005\ntype: short\n")
    (tmp_path / "fake.nii.gz").write_bytes(b"not gzip")
    image = itk_image(np.float32)
    image[0, 0, 0] = float("nan")
    sitk.WriteImage(image, str(tmp_path / "nan.mha"))
    sitk.WriteImage(itk_image(), str(tmp_path / "lost.mhd"))
    (tmp_path / "lost.raw").unlink()
    for name, reason in {
        "rgb.mha": "3 values a voxel",
        "broken.nrrd": "no readable .nrrd file",
        "fake.nii.gz": "fake.nii.gz",
        "nan.mha": "NaN",
        "lost.mhd": "which is missing: copy both files",
    }.items():
        with pytest.raises(InputError, match=reason):
            read_study(tmp_path / name)


def test_a_folder_of_volumes_holds_a_study_for_each(tmp_path):
    for name in ("b", "a"):
        sitk.WriteImage(itk_image(), str(tmp_path / f"{name}.mha"))
    found = find_studies(tmp_path)
    assert [study.place.name for study in found.studies] == ["a.mha", "b.mha"]
    assert [read_study(study).hu.shape for study in found.studies] == [VOXELS.shape] * 2
    with pytest.raises(InputError, match="holds 2 studies"):
        read_study(tmp_path)


def test_a_tolerance_makes_a_volume_readable_that_is_refused_without(tmp_path):
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    image.set_sform(AFFINE, code=1)
    apart = AFFINE.copy()
    apart[0, 3] += 0.5
    image.set_qform(apart, code=1)
    nibabel.save(image, tmp_path / "ct.nii.gz")
    with pytest.raises(InputError, match="grid_tolerance"):
        read_study(tmp_path / "ct.nii.gz")
    np.testing.assert_allclose(read_study(tmp_path, grid_tolerance=1.0).affine, AFFINE)
