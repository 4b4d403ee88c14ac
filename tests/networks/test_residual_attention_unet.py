import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

from covid_monai.networks import ResidualAttentionUNet
from covid_monai.networks.blocks import LSHAttention, ResNeXtBlock

SMALL = {
    "in_channels": 1,
    "out_channels": 4,
    "channels": [4, 8, 16, 32, 64],
    "cardinality": 2,
    "attention_heads": 2,
    "attention_rounds": 2,
    "attention_chunk": 16,
}
ABLATIONS = [{}, {"attention": False}, {"resnext": False}, {"attention": False, "resnext": False}]


def small_network(**settings) -> ResidualAttentionUNet:
    torch.manual_seed(0)
    return ResidualAttentionUNet(**{**SMALL, **settings}).eval()


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


@pytest.mark.parametrize("size", [(256, 256), (369, 369), (512, 512), (33, 70), (16, 31)])
@pytest.mark.parametrize("attention", [True, False])
def test_output_has_the_input_size_whatever_it_is(size, attention):
    network = small_network(attention=attention, attention_heads=1, attention_rounds=1, attention_chunk=32)
    with torch.inference_mode():
        assert network(torch.randn(1, 1, *size)).shape == (1, 4, *size)


def test_an_image_that_the_poolings_use_up_is_refused():
    with pytest.raises(RuntimeError, match="too small"):
        small_network()(torch.randn(1, 1, 15, 31))


@pytest.mark.parametrize(("inputs", "classes"), [(1, 2), (3, 1)])
def test_output_has_one_channel_a_class(inputs, classes):
    network = small_network(in_channels=inputs, out_channels=classes)
    assert network(torch.randn(2, inputs, 32, 32)).shape == (2, classes, 32, 32)


@pytest.mark.parametrize("settings", ABLATIONS)
def test_a_gradient_reaches_every_parameter(settings):
    network = small_network(**settings).train()
    network(torch.randn(2, 1, 65, 64)).square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())
    assert [name for name, gradient in gradients.items() if gradient.ndim > 1 and not gradient.any()] == []


@pytest.mark.parametrize("settings", ABLATIONS)
def test_ablations_have_no_part_of_what_they_leave_out(settings):
    network = small_network(**settings)
    assert count(network, LSHAttention) == (4 if settings.get("attention", True) else 0)
    assert count(network, ResNeXtBlock) == (8 if settings.get("resnext", True) else 0)


def test_attention_stands_at_every_decoder_level_over_the_concatenated_features():
    network, seen = small_network(), []
    for level in network.decoders:
        level.attention.register_forward_hook(lambda *call: seen.append(tuple(call[1][0].shape[1:])))
    network(torch.randn(1, 1, 64, 48))
    assert seen == [(64, 8, 6), (32, 16, 12), (16, 32, 24), (8, 64, 48)]


def test_levels_hash_differently_and_by_the_seed():
    def rotations(network):
        return [level.attention.evaluation_rotations[..., :2, :] for level in network.decoders]

    for combination, other in itertools.combinations(rotations(small_network()), 2):
        assert not torch.equal(combination, other)
    for rotation, other in zip(rotations(small_network()), rotations(small_network(seed=10)), strict=True):
        assert not torch.equal(rotation, other)


def test_what_attention_finds_is_added_to_what_it_attended_to():
    network, without = small_network(), small_network(attention=False)
    for level in network.decoders:
        nn.init.zeros_(level.attention.output.weight)
        nn.init.zeros_(level.attention.output.bias)
    shared = {name: value for name, value in network.state_dict().items() if "attention" not in name}
    without.load_state_dict(shared)
    image = torch.randn(1, 1, 65, 64)
    assert torch.equal(network(image), without(image))


def test_where_pooling_dropped_a_row_or_column_the_decoder_repeats_its_own():
    level = small_network(attention=False).decoders[-1]
    features, skip = torch.randn(1, 8, 3, 4), torch.randn(1, 4, 7, 9)
    enlarged = functional.pad(level.enlarge(features), (0, 1, 0, 1), mode="replicate")
    torch.testing.assert_close(level(features, skip), level.convolutions(torch.cat([enlarged, skip], dim=1)))


@pytest.mark.parametrize("resnext", [True, False])
def test_parameters_are_those_of_a_count_by_hand(resnext):
    # convolutions have no bias, as a normalisation with two numbers a channel follows, but for the transposed ones,
    # attention's output and the classifier
    def convolution(before, after, area, groups=1):
        return area * before * after // groups + 2 * after

    def block(before, after):
        half = after // 2
        shortcut = 0 if before == after else convolution(before, after, 1)
        return convolution(before, half, 1) + convolution(half, half, 9, 32) + convolution(half, after, 1) + shortcut

    def two(before, after):
        return convolution(before, after, 9) + convolution(after, after, 9)

    channels = [64, 128, 256, 512]
    levels = [(before, after) for before, after in itertools.pairwise([1, *channels])]
    encoder = sum(
        block(before, after) + block(after, after) if resnext else two(before, after) for before, after in levels
    )
    decoder = sum(
        (4 * 2 * fine * fine + fine) + (3 * (2 * fine) ** 2 + 2 * fine) + two(2 * fine, fine) for fine in channels
    )
    expected = encoder + two(512, 1024) + decoder + 64 * 4 + 4
    with torch.device("meta"):
        network = ResidualAttentionUNet(1, 4, [*channels, 1024], resnext=resnext)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("settings", ABLATIONS)
def test_evaluation_repeats_to_the_bit(settings):
    network, image = small_network(**settings), torch.randn(1, 1, 65, 64)
    assert torch.equal(network(image), network(image))


def test_training_is_allowed_where_only_deterministic_algorithms_are():
    torch.use_deterministic_algorithms(True)
    small_network().train()(torch.randn(1, 1, 65, 64)).sum().backward()


@pytest.mark.parametrize("settings", ABLATIONS)
def test_bfloat16_stays_near_float32(settings):
    network, image = small_network(**settings), torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        exact = network(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fast = network(image).float()
    assert 0 < (fast - exact).abs().max() < 0.02 * exact.abs().max()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": [8]}, r"channels are \[8\]; give two levels or more"),
        ({"channels": [4, 8, 12]}, r"channels are \[4, 8, 12\]; .* each with twice the one before"),
        ({"cardinality": 4}, "cardinality is 4 and the bottleneck of 4 channels 2 wide; it must divide"),
        ({"attention_heads": 3}, "channels a multiple of heads"),
        ({"attention_rounds": 0}, "rounds 0.*must be positive"),
        ({"attention_chunk": 0}, "chunk 0.*must be positive"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small_network(**settings)
