import nibabel
import numpy as np
import pytest
from nibabel import orientations

from covid_monai.errors import InputError
from covid_monai.scoring.grids import LabelImage, align
from covid_monai.scoring.mask_files import read_mask_file

from .mask_folders import AFFINE, write_itk, write_nifti, write_png
from .masks import label_map

LABELS = label_map((6, 5, 4), 0, 4)


def image(labels=LABELS, affine=AFFINE, path="prediction"):
    return LabelImage(path, labels, affine)


@pytest.mark.parametrize("order", ["RAS", "LPS", "SPL", "ILA", "ARS"])
def test_the_same_grid_in_another_order_of_axes_is_reordered(order):
    change = orientations.ornt_transform(orientations.io_orientation(AFFINE), orientations.axcodes2ornt(tuple(order)))
    turned = nibabel.Nifti1Image(LABELS, AFFINE).as_reoriented(change)
    masks = align(image(np.asarray(turned.dataobj), turned.affine), image(path="reference"))
    np.testing.assert_array_equal(masks.prediction, masks.reference)
    np.testing.assert_array_equal(masks.reference, LABELS)
    assert masks.spacing == pytest.approx((0.7, 0.9, 2.5))
    assert masks.reordered == (order != "LPS")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_of_any_plane_becomes_one_layer_with_its_own_pixel_size(axis):
    single = np.take(LABELS, [2], axis=axis)
    masks = align(image(single), image(single))
    assert masks.reference.shape == (*(length for k, length in enumerate((6, 5, 4)) if k != axis), 1)
    expected = [size for k, size in enumerate((0.7, 0.9, 2.5)) if k != axis]
    assert masks.spacing[:2] == pytest.approx(expected)


def test_unevenly_spaced_planes_of_two_files_have_to_be_the_same_ones():
    places = np.array([[0.0, 0, z] for z in (0, 1, 3, 7)])
    other = np.array([[0.0, 0, z] for z in (0, 2, 3, 7)])
    one, same, elsewhere = (LabelImage("mask.dcm", LABELS, AFFINE, planes=each) for each in (places, places, other))
    assert align(one, same).prediction.any()
    with pytest.raises(InputError, match="export both with all frames"):
        align(one, elsewhere)


def moved(shift=(0, 0, 0), scale=(1, 1, 1)):
    affine = AFFINE.copy()
    affine[:3, 3] += shift
    affine[:3, :3] *= scale
    return affine


def turned(degrees):
    angle = np.deg2rad(degrees)
    rotation = np.eye(4)
    rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return rotation @ AFFINE


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        (image(LABELS[:5]), r"5 x 5 x 4 voxels \(left, posterior, superior\), the reference 6 x 5 x 4"),
        (image(affine=moved(shift=(0, 0, 2.5))), r"2\.5 mm apart \(origin 90 80 -297\.5 against 90 80 -300 mm\)"),
        (image(affine=moved(scale=(1.01, 1.01, 1.01))), r"spacing 0\.707 0\.909 2\.525 against 0\.7 0\.9 2\.5 mm"),
        (image(affine=turned(5)), "the axes' directions differ"),
    ],
    ids=["shape", "origin", "spacing", "direction"],
)
def test_another_grid_is_refused_with_what_differs(prediction, message):
    with pytest.raises(InputError, match=message) as caught:
        align(prediction, image(path="reference"))
    assert str(caught.value).startswith("prediction lies on another grid than reference: ")


def test_mirrored_images_are_not_taken_for_the_same():
    mirrored = AFFINE @ np.diag([-1, 1, 1, 1])
    with pytest.raises(InputError, match="origin"):
        align(image(affine=mirrored), image())


def test_a_rounded_header_is_the_same_grid_and_a_tenth_of_a_millimetre_is_not():
    assert align(image(affine=AFFINE.astype(np.float32).astype(float) + 1e-4), image()).spacing
    with pytest.raises(InputError, match="mm apart"):
        align(image(affine=moved(shift=(0.1, 0, 0))), image())


def test_the_tolerance_that_a_refusal_names_takes_the_two_grids_for_one():
    other = image(affine=moved(scale=(1.01, 1.0, 1.0)))
    with pytest.raises(InputError, match=r"`grid_tolerance` 0\.04") as refusal:
        align(other, image())
    tolerance = float(str(refusal.value).rpartition(" ")[2])
    assert align(other, image(), grid_tolerance=tolerance).spacing == pytest.approx((0.7, 0.9, 2.5))


def test_a_spacing_that_drifts_over_the_grid_is_another_grid():
    # a hundredth of a millimetre a voxel is a voxel's width after a hundred of them
    labels = np.zeros((200, 5, 1), np.uint8)
    affine = AFFINE.copy()
    affine[0, 0] -= 0.005
    with pytest.raises(InputError, match=r"up to 0\.99[0-9] mm apart"):
        align(image(labels, affine), image(labels))


@pytest.mark.parametrize("ending", [".nrrd", ".seg.nrrd", ".nhdr", ".mha", ".mhd", ".nii.gz"])
def test_what_simpleitk_writes_lies_where_nibabel_puts_it(tmp_path, ending):
    pytest.importorskip("SimpleITK")
    affine = turned(20) @ np.diag([1, -1, 1, 1])
    ours = read_mask_file(write_itk(tmp_path / f"a{ending}", LABELS, affine))
    theirs = read_mask_file(write_nifti(tmp_path / "b.nii.gz", LABELS, affine))
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-4)


def test_pictures_have_no_spacing_and_match_by_their_size_alone(tmp_path):
    rows = label_map((4, 7), 0, 3)
    picture = read_mask_file(write_png(tmp_path / "a.png", rows))
    masks = align(picture, picture)
    assert masks.spacing is None
    np.testing.assert_array_equal(masks.reference[:, :, 0], rows.T)
    with pytest.raises(InputError, match=r"a\.png has 7 x 4 x 1 pixels, reference has 4 x 7 x 1"):
        align(picture, LabelImage("reference", picture.labels.transpose(1, 0, 2), None))


def test_a_picture_is_not_matched_with_a_file_that_has_a_place(tmp_path):
    picture = read_mask_file(write_png(tmp_path / "a.png", label_map((5, 6), 0, 3)))
    with pytest.raises(InputError, match="a picture has no place in the world"):
        align(picture, image(LABELS[:, :, :1]))
