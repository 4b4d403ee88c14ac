import nibabel
import numpy as np
import pytest

import covid_monai as cm
from covid_monai.errors import InputError

AFFINE = np.diag([-2.0, -2.0, 5.0, 1.0])


@pytest.fixture(scope="module")
def ct(tiny_dataset):
    """Three slices of one patient as a volume in HU."""
    slices = [nibabel.load(tiny_dataset / "images" / f"p0_s{index}.nii.gz") for index in range(3)]
    return nibabel.Nifti1Image(
        np.concatenate([np.asanyarray(each_slice.dataobj) for each_slice in slices], axis=2), AFFINE
    )


@pytest.fixture(scope="module")
def model(tiny_run):
    return cm.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def whole(model, ct):
    return model.predict(ct, probability=True)


def test_a_file_an_image_and_an_array_give_the_same_mask(model, ct, whole, tmp_path):
    nibabel.save(ct, tmp_path / "ct.nii.gz")
    of_file = model.predict(tmp_path / "ct.nii.gz", probability=True)
    of_array = model.predict((np.asanyarray(ct.dataobj), AFFINE), probability=True)
    assert 0 < np.count_nonzero(whole.mask) < whole.mask.size
    for other in (of_file, of_array):
        np.testing.assert_array_equal(other.mask, whole.mask)
        np.testing.assert_array_equal(other.affine, AFFINE)
        np.testing.assert_allclose(other.probability, whole.probability, atol=1e-6)


def test_a_slab_of_slices_comes_out_as_in_the_volume(model, ct, whole):
    slab = model.predict(ct.slicer[:, :, 1:3], probability=True)
    np.testing.assert_array_equal(slab.mask, whole.mask[:, :, 1:3])
    np.testing.assert_allclose(slab.probability, whole.probability[:, :, 1:3], atol=1e-6)


def test_a_slice_keeps_its_two_axes(model, ct, whole):
    prediction = model.predict((np.asanyarray(ct.dataobj)[:, :, 0], AFFINE))
    np.testing.assert_array_equal(prediction.mask, whole.mask[:, :, 0])


def test_the_mask_follows_the_patient_whatever_the_order_of_the_axes(model, ct, whole):
    turned = nibabel.as_closest_canonical(ct)
    mask = nibabel.Nifti1Image(model.predict(turned).mask, turned.affine)
    back = mask.as_reoriented(nibabel.io_orientation(np.linalg.inv(turned.affine) @ AFFINE))
    np.testing.assert_array_equal(np.asanyarray(back.dataobj), whole.mask)


def test_probability_is_over_a_half_where_the_mask_is_lesion(whole):
    assert whole.probability.dtype == np.float32
    assert whole.probability.min() >= 0
    assert whole.probability.max() <= 1
    np.testing.assert_array_equal(whole.probability > 0.5, whole.mask == 1)


def test_mask_and_probability_are_saved_on_the_grid_of_the_ct(whole, tmp_path):
    mask = nibabel.load(whole.save(tmp_path / "mask.nii.gz", probability=tmp_path / "probability.nii.gz"))
    assert mask.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asanyarray(mask.dataobj), whole.mask)
    np.testing.assert_array_equal(mask.affine, AFFINE)
    probability = nibabel.load(tmp_path / "probability.nii.gz")
    np.testing.assert_array_equal(np.asanyarray(probability.dataobj), whole.probability)


def test_weights_are_read_once(tiny_run, ct, whole, tmp_path):
    import shutil

    folder = shutil.copytree(tiny_run, tmp_path / "run")
    model = cm.load(cm.Run(folder), device="cpu")
    shutil.rmtree(folder)
    np.testing.assert_array_equal(model.predict(ct).mask, whole.mask)


BAD = {
    "affine of another shape": ((np.zeros((4, 4, 4)), np.eye(3)), r"affine has shape \(3, 3\); it must be 4x4"),
    "affine that spans nothing": ((np.zeros((4, 4, 4)), np.zeros((4, 4))), "broken affine"),
    "text": ((np.array([["a"]]), np.eye(4)), "give numbers in HU"),
    "four axes": ((np.zeros((4, 4, 4, 4)), np.eye(4)), "a volume has 3 axes"),
    "not finite": ((np.full((40, 40, 1), np.nan), np.eye(4)), "NaN or infinity"),
    "8-bit": ((np.tile(np.arange(64), (64, 1))[..., None] * 4, AFFINE), "8-bit"),
    "a file that is not there": ("none.nii.gz", "none.nii.gz is not a file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_ct_that_cannot_be_used_is_refused_with_its_reason(name, model):
    ct, message = BAD[name]
    with pytest.raises(InputError, match=message):
        model.predict(ct)


def test_model_and_prediction_say_what_they_are(model, whole):
    assert repr(model) == "Model of a_segnet_ct_segmentation on cpu: background, lesion"
    assert repr(whole).startswith("Prediction of 64 x 64 x 3 voxels: ")
    assert repr(whole).endswith("of lesion")


def test_what_cannot_be_loaded_is_named(tmp_path):
    with pytest.raises(InputError, match=r"is not a run folder"):
        cm.load(tmp_path)
