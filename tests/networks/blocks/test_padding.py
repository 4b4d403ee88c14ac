import pytest
import torch
from torch.nn import functional

from covid_monai.networks.blocks import crop_to, extend_to, pad_to_multiple


@pytest.mark.parametrize(("below", "right"), [(0, 0), (1, 0), (0, 1), (3, 2)])
def test_last_row_and_column_are_repeated(below, right):
    features = torch.randn(2, 3, 5, 4)
    expected = functional.pad(features, (0, right, 0, below), mode="replicate")
    assert torch.equal(extend_to(features, 5 + below, 4 + right), expected)


@pytest.mark.parametrize(("size", "padded"), [((5, 9), (8, 16)), ((8, 16), (8, 16)), ((1, 1), (8, 8))])
def test_padding_goes_to_the_next_multiple_and_cropping_takes_it_away(size, padded):
    image = torch.randn(1, 1, *size)
    larger = pad_to_multiple(image, 8)
    assert larger.shape[2:] == padded
    assert torch.equal(larger, extend_to(image, *padded))
    assert torch.equal(crop_to(larger, *size), image)


@pytest.mark.parametrize("change", [extend_to, crop_to])
def test_what_has_its_size_keeps_its_memory_and_layout(change):
    features = torch.randn(1, 3, 5, 4).to(memory_format=torch.channels_last)
    assert change(features, 5, 4) is features


@pytest.mark.parametrize("change", [extend_to, crop_to])
def test_exported_graphs_take_other_sizes(change):
    class Change(torch.nn.Module):
        def forward(self, features: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
            return change(features, like.shape[2], like.shape[3])

    same, other = torch.randn(1, 1, 6, 6), torch.randn(1, 1, 5, 4) if change is crop_to else torch.randn(1, 1, 8, 9)
    for exported in (torch.jit.trace(Change(), (same, same)), torch.jit.script(Change())):
        assert torch.equal(exported(same, other), change(same, other.shape[2], other.shape[3]))
