import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch.nn import functional

from covid_monai.errors import InputError
from covid_monai.scoring.other_grid import checked_grid, on_other_grid

LAS = torch.tensor([[-0.7, 0, 0, 50], [0, 0.9, 0, -40], [0, 0, 5.0, 7], [0, 0, 0, 1]], dtype=torch.float64)
LPS = torch.tensor([[-0.7, 0, 0, 50], [0, -0.9, 0, 40], [0, 0, 5.0, 7], [0, 0, 0, 1]], dtype=torch.float64)


def drawn(classes: int, depth: int = 3) -> torch.Tensor:
    return torch.randint(0, classes, (1, 40, 48, depth), generator=torch.Generator().manual_seed(0)).float()


def certain(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Probabilities of 0 and 1, (classes, X, Y, Z)."""
    return functional.one_hot(labels[0].long(), classes).permute(3, 0, 1, 2).float()


@pytest.mark.parametrize("classes", [2, 4])
def test_a_network_that_computes_on_the_grid_keeps_its_mask(classes):
    labels = drawn(classes)
    moved = on_other_grid(certain(labels, classes), MetaTensor(labels, affine=LPS), (40, 48))
    np.testing.assert_array_equal(moved.prediction, labels[0].numpy())
    np.testing.assert_array_equal(moved.reference, labels[0].numpy())
    np.testing.assert_array_equal(moved.probability, (labels[0] > 0).numpy())
    assert moved.spacing == pytest.approx((0.7, 0.9, 5.0))


def test_the_reference_is_turned_to_the_order_of_the_network():
    labels = drawn(2)
    moved = on_other_grid(certain(labels, 2), MetaTensor(labels.flip(2), affine=LAS), (40, 48))
    np.testing.assert_array_equal(moved.reference, moved.prediction)


def test_probabilities_are_interpolated_before_the_class_is_chosen():
    probabilities = torch.tensor([0.1, 0.6])[None, :, None, None]
    probabilities = torch.cat([1 - probabilities, probabilities])
    reference = MetaTensor(torch.ones(1, 4, 1, 1), affine=LPS)
    moved = on_other_grid(probabilities, reference, (4, 1))
    np.testing.assert_allclose(moved.probability[:, 0, 0], [0.1, 0.225, 0.475, 0.6], atol=1e-6)
    np.testing.assert_array_equal(moved.prediction[:, 0, 0], [0, 0, 0, 1])


def test_a_spacing_follows_the_size_and_slices_keep_theirs():
    labels = drawn(2, depth=5)
    moved = on_other_grid(certain(labels, 2), MetaTensor(labels, affine=LPS), (20, 96))
    assert moved.prediction.shape == moved.reference.shape == moved.probability.shape == (20, 96, 5)
    assert moved.spacing == pytest.approx((1.4, 0.45, 5.0))


@pytest.mark.parametrize("size", [0, -4, True, "512", [512], [512, 0], [512, 512, 1], [1.5, 2], None])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(InputError, match="such as 512"):
        checked_grid(size)


def test_one_number_is_a_square():
    assert checked_grid(512) == (512, 512)
    assert checked_grid([369, 256]) == (369, 256)
