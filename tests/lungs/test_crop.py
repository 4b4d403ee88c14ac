"""Volumes cropped to the lungs and back."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Orientationd, Resized

from covid_monai.errors import InputError, InputWarning
from covid_monai.lungs import CropToLungsd, box_of_lungs
from tests.lungs.phantom import AIR, SPACING, draw_chest


@pytest.fixture(scope="module")
def chest():
    return draw_chest()


def item_of(array, affine):
    return MetaTensor(torch.as_tensor(np.ascontiguousarray(array))[None].float(), affine=torch.as_tensor(affine))


@pytest.fixture(scope="module")
def cropped(chest):
    crop = CropToLungsd(["image", "label"], margin_mm=6)
    data = {"image": item_of(chest.hu, chest.affine), "label": item_of(chest.truth, chest.affine)}
    return crop, data, crop(data)


def test_the_box_has_the_lungs_and_the_margin(chest, cropped):
    _, _, small = cropped
    truth = np.argwhere(chest.truth > 0)
    expected = np.minimum(np.ptp(truth, axis=0) + 1 + 2 * 2, chest.truth.shape)
    assert np.abs(np.array(small["image"].shape[1:]) - expected).max() <= 2
    assert int((small["label"] > 0).sum()) == int((chest.truth > 0).sum())


def test_image_and_label_stay_on_one_grid_in_the_patient(chest, cropped):
    _, _, small = cropped
    assert small["label"].shape == small["image"].shape
    torch.testing.assert_close(small["label"].affine, small["image"].affine)
    # a voxel keeps its place in the patient
    index = np.array([5, 6, 7, 1])
    place = small["image"].affine.numpy() @ index
    before = np.linalg.inv(chest.affine) @ place
    assert float(small["image"][0, 5, 6, 7]) == pytest.approx(chest.hu[tuple(np.round(before[:3]).astype(int))])


def test_the_inverse_is_exact_within_the_box_and_zero_around_it(cropped):
    crop, data, small = cropped
    back = crop.inverse(small)
    torch.testing.assert_close(back["label"].as_tensor(), data["label"].as_tensor())
    torch.testing.assert_close(back["image"].affine, data["image"].affine)
    inside = back["image"] != 0
    torch.testing.assert_close(back["image"].as_tensor()[inside], data["image"].as_tensor()[inside])
    assert int(inside.sum()) == small["image"].numel()


def test_a_mask_comes_back_through_a_whole_chain(chest):
    chain = Compose(
        [
            Orientationd("image", axcodes="LPS", labels=None),
            CropToLungsd("image"),
            Resized("image", spatial_size=[128, 128, -1], mode="trilinear"),
        ]
    )
    prepared = chain({"image": item_of(chest.hu, chest.affine)})
    prepared["pred"] = MetaTensor(torch.ones_like(prepared["image"].as_tensor()), meta=prepared["image"].meta)
    back = Invertd("pred", transform=chain, orig_keys="image", nearest_interp=True)(prepared)["pred"]
    assert back.shape[1:] == chest.hu.shape
    torch.testing.assert_close(back.affine.double(), torch.as_tensor(chest.affine))
    assert bool((back[0].numpy()[chest.truth > 0] == 1).all())
    assert float(back.mean()) < 0.9


def test_slices_alone_are_left_whole(chest):
    slab = {"image": item_of(chest.hu[:, :, 40:41], chest.affine)}
    assert CropToLungsd("image")(slab)["image"].shape == slab["image"].shape


def test_a_volume_without_lungs_is_left_whole_with_a_warning():
    air = {"image": item_of(np.full((30, 30, 30), AIR, np.float32), np.diag([SPACING, SPACING, SPACING, 1.0]))}
    with pytest.warns(InputWarning, match="no lungs"):
        assert CropToLungsd("image")(air)["image"].shape == (1, 30, 30, 30)


def test_margins_are_in_mm_and_end_with_the_volume():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[8:12, 1:19, 10] = 1
    affine = np.diag([-1.0, 2.0, 5.0, 1.0])
    assert box_of_lungs(labels, affine, margin_mm=4) == (slice(4, 16), slice(0, 20), slice(9, 12))
    assert box_of_lungs(labels * 0, affine) is None


def test_what_cannot_be_cropped_is_refused(chest):
    image = item_of(chest.hu, chest.affine)
    with pytest.raises(InputError, match="affine"):
        CropToLungsd("image")({"image": torch.zeros(1, 4, 4, 4)})
    with pytest.raises(InputError, match="crop before resizing"):
        CropToLungsd(["image", "label"])({"image": image, "label": item_of(chest.truth[:-1], chest.affine)})
    with pytest.raises(InputError, match="margin_mm"):
        box_of_lungs(chest.truth, chest.affine, margin_mm=-1)
