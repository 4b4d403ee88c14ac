import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from covid_monai.networks.blocks import InstanceNorm


def by_the_equation(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean = features.mean((2, 3), keepdim=True)
    variance = features.var((2, 3), keepdim=True, correction=0)
    normalised = (features - mean) / (variance + 1e-5).sqrt()
    return normalised * weight[:, None, None] + bias[:, None, None]


def drawn(images: int, layout: torch.memory_format) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    features = torch.randn(images, 4, 5, 7, dtype=torch.float64).to(memory_format=layout)
    return features.requires_grad_(), torch.randn_like(features)


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("training", [True, False])
def test_values_and_gradients_are_those_of_the_equation(images, layout, training):
    norm = InstanceNorm(4).double().train(training)
    nn.init.uniform_(norm.weight, -2, 2)
    nn.init.uniform_(norm.bias, -2, 2)
    features, direction = drawn(images, layout)
    ours, theirs = norm(features), by_the_equation(features, norm.weight, norm.bias)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    leaves = (features, norm.weight, norm.bias)
    for entry, other in zip(
        torch.autograd.grad(ours, leaves, direction), torch.autograd.grad(theirs, leaves, direction), strict=True
    ):
        torch.testing.assert_close(entry, other, rtol=1e-10, atol=1e-10)


def test_torchs_own_still_has_a_wrong_gradient_for_one_channels_last_image():
    # once this fails, what InstanceNorm says of torch is out of date
    features, direction = drawn(1, torch.channels_last)
    theirs = torch.autograd.grad(functional.instance_norm(features), features, direction)[0]
    right = torch.autograd.grad(by_the_equation(features, torch.ones(4), torch.zeros(4)), features, direction)[0]
    assert (theirs - right).abs().max() > 0.1


@pytest.mark.parametrize("images", [1, 2])
def test_channels_last_stays_channels_last_forward_and_backward(images):
    features = torch.randn(images, 4, 5, 7).to(memory_format=torch.channels_last).requires_grad_()
    normalised = InstanceNorm(4)(features)
    assert normalised.is_contiguous(memory_format=torch.channels_last)
    normalised.square().sum().backward()
    assert features.grad.is_contiguous(memory_format=torch.channels_last)


def test_an_image_does_not_change_its_neighbours():
    norm, features = InstanceNorm(2), torch.randn(2, 2, 4, 4)
    alone = norm(features[:1])
    features[1] *= 100
    torch.testing.assert_close(norm(features)[:1], alone)


def test_scripted_and_traced_ones_take_another_number_of_images():
    norm, entry, three = InstanceNorm(2).eval(), torch.randn(1, 2, 4, 4), torch.randn(3, 2, 4, 4)
    for exported in (torch.jit.script(norm), torch.jit.trace(norm, entry)):
        torch.testing.assert_close(exported(three), norm(three))


def test_single_pixels_are_refused():
    with pytest.raises(ValueError, match="more than 1 value"):
        InstanceNorm(2)(torch.randn(2, 2, 1, 1))
