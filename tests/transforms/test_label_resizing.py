import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, Invertd, Resized
from torch.nn import functional

from covid_monai.transforms import BatchRandAffined, LabelsToClassesd, ResizeLabelsd
from covid_monai.transforms.counter_random import CounterRandom, mixed
from covid_monai.transforms.label_resizing import by_largest_share, resize_labels


def disc(size: int, x: float, y: float, radius: float) -> torch.Tensor:
    """A disc whose centre lies at ``(x, y)`` in pixels; (1, size, size, 1)."""
    across, along = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return (((across - x) ** 2 + (along - y) ** 2) < radius**2).float()[None, ..., None]


def centre(weights: torch.Tensor) -> np.ndarray:
    """The centre of mass in parts of the edge's length, from 0 to 1; ``weights`` are (1, X, Y, 1)."""
    plane = np.asarray(weights)[0, ..., 0].astype(float)
    middles = [(np.arange(length) + 0.5) / length for length in plane.shape]
    return np.array([(plane.sum(1 - axis) * middles[axis]).sum() for axis in (0, 1)]) / plane.sum()


@pytest.mark.parametrize("size", [64, 75, 101, 128, 150])
def test_a_label_stays_where_its_image_is(size):
    drawn = disc(101, 40.3, 61.7, 17.2)
    image = Resized("image", (size, size, -1), mode="trilinear")({"image": drawn})["image"]
    label = resize_labels(drawn, (size, size))
    assert label.shape == image.shape == (1, size, size, 1)
    # a tenth of a pixel of 101; MONAI's "nearest" is off by up to half of one
    np.testing.assert_allclose(centre(label), centre(image), atol=0.1 / 101)
    np.testing.assert_allclose(centre(label), centre(drawn), atol=0.1 / 101)


@pytest.mark.parametrize("size", [(50, 64), (64, 50), (129, 200), (31, 31)])
def test_it_is_one_hot_encoding_linear_interpolation_and_the_largest(size):
    labels = torch.randint(0, 4, (1, 65, 65, 3), generator=torch.Generator().manual_seed(0))
    onehot = functional.one_hot(labels[0].permute(2, 0, 1), 4).permute(0, 3, 1, 2).double()
    shares = functional.interpolate(onehot, size=size, mode="bilinear", align_corners=False)
    # the last of equal ones, shares within rounding being equal
    best = 3 - (shares.flip(1) > shares.amax(1, keepdim=True) - 1e-5).int().argmax(1)
    assert torch.equal(resize_labels(labels, size)[0].permute(2, 0, 1), best)


def test_of_equal_shares_the_higher_label_wins():
    halves = torch.tensor([[0, 2], [0, 2]])[None, ..., None]
    assert resize_labels(halves, (1, 1)).item() == 2
    lesions = torch.tensor([[1, 1], [3, 3]])[None, ..., None]
    assert resize_labels(lesions, (1, 1)).item() == 3
    quarter = torch.tensor([[0, 0], [0, 3]])[None, ..., None]
    assert resize_labels(quarter, (1, 1)).item() == 0
    # thirds of float32 are equal up to rounding alone
    stripes = torch.tensor([0, 1, 1]).repeat(3, 1)[None, ..., None].repeat(1, 5, 5, 1)
    for kind in (torch.float32, torch.float64):
        assert torch.equal(resize_labels(stripes.to(kind), (10, 10)).long(), resize_labels(stripes, (10, 10)))


@pytest.mark.parametrize("kind", [torch.uint8, torch.int16, torch.int64, torch.float32])
def test_the_type_stays_and_no_label_is_invented(kind):
    labels = torch.tensor([0, 4]).to(kind).repeat_interleave(40)[None, :, None, None].repeat(1, 1, 80, 2)
    resized = resize_labels(labels, (33, 57))
    assert resized.dtype == kind
    assert resized.unique().tolist() == [0, 4]


def test_slices_of_a_volume_are_resized_one_by_one():
    volume = (torch.rand(1, 40, 40, 37, generator=torch.Generator().manual_seed(1)) > 0.6).float()
    resized = resize_labels(volume, (29, 31))
    assert resized.shape == (1, 29, 31, 37)
    for index in (0, 15, 16, 36):
        assert torch.equal(resized[..., index : index + 1], resize_labels(volume[..., index : index + 1], (29, 31)))


def test_the_affine_follows_as_that_of_the_image_does():
    affine = torch.tensor([[-0.8, 0, 0, 100], [0, -0.8, 0, 90], [0, 0, 5.0, -20], [0, 0, 0, 1]], dtype=torch.float64)
    label = MetaTensor(disc(40, 20, 20, 9), affine=affine)
    image = Resized("image", (25, 30, -1), mode="trilinear")({"image": label.clone()})["image"]
    resized = ResizeLabelsd("label", (25, 30))({"label": label})["label"]
    torch.testing.assert_close(resized.affine, image.affine)
    assert torch.equal(label.affine, affine)


def test_a_label_of_the_size_wanted_is_left_alone():
    label = disc(32, 15, 15, 8)
    assert resize_labels(label, (32, 32)) is label


def test_lesion_kinds_of_one_class_outweigh_the_background_together():
    # two fifths of background, three of lesions, of no kind as much
    label = torch.tensor([0, 0, 1, 2, 3])[None, :, None, None].repeat(1, 1, 5, 1).float()
    to_classes = LabelsToClassesd("label", [1, 2, 3], [1, 1, 1], 2)
    average = lambda shares: shares.mean((1, 2), keepdim=True)  # noqa: E731
    assert by_largest_share(to_classes({"label": label})["label"], average).item() == 1


def test_nothing_has_no_labels():
    with pytest.raises(ValueError, match="at least one pixel"):
        by_largest_share(torch.zeros(1, 0, 4), lambda shares: shares)


@pytest.mark.parametrize("size", [64, 75, 150])
def test_what_a_network_finds_comes_back_to_where_it_was(size):
    """The inverse of linear resizing, which brings probabilities to the image's grid, shifts nothing either."""
    forth = Compose([EnsureChannelFirstd("image", channel_dim=0), Resized("image", (size, size, -1), mode="trilinear")])
    drawn = disc(101, 40.3, 61.7, 17.2)
    data = forth({"image": MetaTensor(drawn)})
    data["pred"] = data["image"]
    back = Invertd("pred", transform=forth, orig_keys="image", nearest_interp=False)(data)["pred"]
    assert back.shape == drawn.shape
    np.testing.assert_allclose(centre(back), centre(drawn), atol=0.1 / 101)


def test_random_rotation_and_scaling_keep_image_and_label_together():
    drawn = disc(101, 40.3, 61.7, 17.2)[..., 0].repeat(20, 1, 1, 1)
    turn = BatchRandAffined(
        ["image", "label"],
        prob=1.0,
        rotate_range=0.26,
        scale_range=(0.15, 0.15),
        mode=["bilinear", "largest_share"],
        padding_mode="border",
    )
    turned = turn({"image": drawn, "label": drawn}, CounterRandom(mixed(torch.arange(20))))
    images, labels = ([101 * centre(values[..., None]) for values in turned[key]] for key in ("image", "label"))
    apart = np.subtract(images, labels)
    assert np.abs(apart.mean(axis=0)).max() < 0.03
    assert np.abs(apart).max() < 0.25


def test_half_a_pixel_of_nearest_is_what_this_is_about():
    drawn = disc(512, 205.3, 301.7, 40)
    shifted = Resized("label", (369, 369, -1), mode="nearest")({"label": drawn})["label"]
    pixels = (centre(drawn) - centre(shifted)) * 512
    # the pixel before its middle: (512 / 369 - 1) / 2 at the least, half a pixel of the coarser grid at the most
    assert all(math.isclose(abs(shift), 0.5, abs_tol=0.25) for shift in pixels)
