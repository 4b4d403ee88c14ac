import pytest
import torch
from torch import nn
from torch.nn import functional

from covid_monai.networks.blocks import DilatedResidualBlock


def seen_rows_and_columns(module: nn.Module) -> tuple[int, int]:
    """The extent of the input pixels that one output pixel depends on, all weights being positive."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.constant_(part.weight, 1.0)
    image = torch.ones(1, 2, 41, 41, requires_grad=True)
    module(image)[0, 0, 20, 20].backward()
    rows, columns = image.grad[0].sum(0).nonzero().unbind(1)
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def dilated_residual_without_normalisation() -> DilatedResidualBlock:
    # a normalisation by the image's own mean depends on every pixel
    block = DilatedResidualBlock(2, 2, negative_slope=0.01)
    block.first.norm = block.second.norm = nn.Identity()
    return block


def test_a_dilated_residual_block_sees_13_by_13_pixels():
    assert seen_rows_and_columns(dilated_residual_without_normalisation()) == (13, 13)


def test_after_a_convolution_of_dilation_one_it_sees_the_papers_15_by_15():
    convolution = nn.Conv2d(2, 2, kernel_size=3, padding=1)
    assert seen_rows_and_columns(nn.Sequential(convolution, dilated_residual_without_normalisation())) == (15, 15)


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 4), (6, 4)])
def test_a_dilated_residual_block_adds_its_input(inputs, outputs):
    torch.manual_seed(0)
    block, features = DilatedResidualBlock(inputs, outputs, negative_slope=0.1), torch.randn(1, inputs, 9, 9)
    nn.init.zeros_(block.second.norm.weight)
    added = features if inputs == outputs else block.shortcut(features)
    assert torch.equal(block(features), functional.leaky_relu(added, 0.1))
