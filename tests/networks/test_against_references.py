"""Blocks against those of torchvision and segmentation_models_pytorch, with the same weights."""

import pytest
import torch
from torch import Tensor, nn

from covid_monai.networks.blocks import ResNeXtBlock, SpatialChannelAttention


@pytest.fixture(scope="module")
def references():
    # imported late, as it takes seconds
    from tests.networks import references

    return references


def value_and_gradients(module: nn.Module, features: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The output, and what an uneven sum of it gives as gradients of the input and of each parameter."""
    features = features.clone().requires_grad_()
    output = module(features)
    (output * torch.linspace(-1, 1, output.numel()).reshape(output.shape)).sum().backward()
    return output, features.grad, {name: parameter.grad for name, parameter in module.named_parameters()}


def spread(module: nn.Module) -> nn.Module:
    """Give normalisations weights and statistics that are not 1 and 0, which would hide an exchange."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for numbers in (part.weight, part.running_var):
                nn.init.uniform_(numbers, 0.5, 1.5)
            for numbers in (part.bias, part.running_mean):
                nn.init.normal_(numbers)
    return module


def renamed_as_torchvisions(name: str) -> str:
    part, *place, kind = name.split(".")
    normalises = "adn" in place
    if part == "shortcut":
        return f"downsample.{int(normalises)}.{kind}"
    return f"{'bn' if normalises else 'conv'}{int(place[0]) + 1}.{kind}"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("inputs", "cardinality"), [(32, 1), (32, 4), (16, 4), (8, 16)])
def test_resnext_block_is_torchvisions(references, inputs, cardinality, training):
    torch.manual_seed(0)
    ours = spread(ResNeXtBlock(inputs, 32, cardinality)).double().train(training)
    downsample = None
    if inputs != 32:
        downsample = nn.Sequential(nn.Conv2d(inputs, 32, kernel_size=1, bias=False), nn.BatchNorm2d(32))
    # a bottleneck half as wide as its output
    theirs = references.Bottleneck(inputs, 8, downsample=downsample, groups=cardinality, base_width=128 // cardinality)
    theirs.load_state_dict({renamed_as_torchvisions(name): value for name, value in ours.state_dict().items()})
    theirs = theirs.double().train(training)

    features = torch.randn(2, inputs, 6, 5, dtype=torch.float64)
    output, of_input, of_parameters = value_and_gradients(ours, features)
    expected, of_their_input, of_their_parameters = value_and_gradients(theirs, features)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(of_input, of_their_input)
    assert len(of_parameters) == len(of_their_parameters)
    for name, gradient in of_parameters.items():
        torch.testing.assert_close(gradient, of_their_parameters[renamed_as_torchvisions(name)])
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, theirs.state_dict()[renamed_as_torchvisions(name)])


@pytest.mark.parametrize(("channels", "reduction"), [(4, 1), (32, 2), (32, 16)])
def test_scse_is_that_of_segmentation_models(references, channels, reduction):
    torch.manual_seed(0)
    ours = SpatialChannelAttention(channels, reduction).double()
    theirs = references.SCSEModule(channels, reduction).double()
    # linear layers there, convolutions of one pixel here; our convolution to one map has no bias
    pairs = {
        "channel_attention.fc.0.weight": theirs.cSE[1].weight,
        "channel_attention.fc.0.bias": theirs.cSE[1].bias,
        "channel_attention.fc.2.weight": theirs.cSE[3].weight,
        "channel_attention.fc.2.bias": theirs.cSE[3].bias,
        "spatial_attention.weight": theirs.sSE[0].weight,
    }
    ours.load_state_dict({name: pairs[name].reshape(value.shape) for name, value in ours.state_dict().items()})
    nn.init.zeros_(theirs.sSE[0].bias)

    features = torch.randn(2, channels, 6, 5, dtype=torch.float64)
    output, of_input, of_parameters = value_and_gradients(ours, features)
    expected, of_their_input, _ = value_and_gradients(theirs, features)
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(of_input, of_their_input)
    for name, gradient in of_parameters.items():
        torch.testing.assert_close(gradient, pairs[name].grad.reshape(gradient.shape))
