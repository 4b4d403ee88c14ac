import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

from covid_monai.networks import AUNet
from covid_monai.networks.blocks import SpatialChannelAttention

SMALL = {"in_channels": 1, "out_channels": 2, "channels": [4, 8, 8, 16, 16]}
ABLATIONS = [{}, {"attention": False}, {"heads": 1}, {"heads": 4}, {"reduction": 1}, {"head_enlargement": "nearest"}]


def small_network(**settings) -> AUNet:
    torch.manual_seed(0)
    return AUNet(**{**SMALL, **settings}).eval()


@pytest.mark.parametrize("size", [(256, 256), (369, 369), (512, 512), (33, 70), (17, 1)])
@pytest.mark.parametrize("attention", [True, False])
def test_output_has_the_input_size_whatever_it_is(size, attention):
    with torch.inference_mode():
        assert small_network(attention=attention)(torch.randn(1, 1, *size)).shape == (1, 2, *size)


def test_an_image_within_one_pixel_of_the_coarsest_level_cannot_be_normalised():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        small_network()(torch.randn(1, 1, 16, 16))


@pytest.mark.parametrize(("inputs", "classes"), [(1, 1), (3, 4)])
def test_output_has_one_channel_a_class(inputs, classes):
    network = small_network(in_channels=inputs, out_channels=classes)
    assert network(torch.randn(2, inputs, 32, 32)).shape == (2, classes, 32, 32)


@pytest.mark.parametrize("settings", ABLATIONS)
def test_a_gradient_reaches_every_parameter(settings):
    network = small_network(**settings).train()
    network(torch.randn(2, 1, 64, 64)).square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())
    # a bias before a normalisation changes nothing, but every weight does
    assert [name for name, gradient in gradients.items() if gradient.ndim > 1 and not gradient.any()] == []


def test_attention_stands_at_every_level_of_encoder_and_decoder_and_nowhere_without():
    def attentions(module):
        return sum(isinstance(part, SpatialChannelAttention) for part in module.modules())

    network = small_network()
    assert [attentions(level) for level in network.encoders] == [1] * 5
    assert [attentions(level) for level in network.decoders] == [1] * 4
    assert attentions(small_network(attention=False)) == 0


def test_the_next_level_and_the_skip_read_the_attended_features():
    network, seen = small_network(), {}
    network.encoders[0][-1].register_forward_hook(lambda *call: seen.update(attended=call[2]))
    network.encoders[1].register_forward_hook(lambda *call: seen.update(next=call[1][0]))
    network.decoders[-1].register_forward_hook(lambda *call: seen.update(skip=call[1][1]))
    network(torch.randn(1, 1, 64, 64))
    assert torch.equal(seen["next"], seen["attended"])
    assert torch.equal(seen["skip"], seen["attended"])


def test_a_level_halves_height_and_width_by_a_stride_and_the_first_does_not():
    network = small_network()
    sizes = []
    for level in network.encoders:
        level.register_forward_hook(lambda *call: sizes.append(tuple(call[2].shape[2:])))
    network(torch.randn(1, 1, 64, 96))
    assert sizes == [(64, 96), (32, 48), (16, 24), (8, 12), (4, 6)]
    assert not any(isinstance(part, (nn.MaxPool2d, nn.AvgPool2d)) for part in network.modules())


@pytest.mark.parametrize("heads", [1, 3, 4])
def test_logits_are_the_sum_of_the_finest_levels_heads_enlarged_step_by_step(heads):
    network, outputs = small_network(heads=heads), []
    for head in (network.coarsest_head, *network.finer_heads):
        head.register_forward_hook(lambda *call: outputs.append(call[2]))
    logits = network(torch.randn(1, 1, 64, 96))
    assert len(outputs) == heads
    enlarge = nn.Upsample(scale_factor=2, mode="bilinear")
    expected = outputs[0]
    for finer in outputs[1:]:
        expected = enlarge(expected) + finer
    torch.testing.assert_close(logits, expected)


def test_odd_sizes_are_seen_as_if_the_border_went_on():
    network, image = small_network(), torch.randn(1, 1, 41, 50)
    extended = functional.pad(image, (0, 14, 0, 7), mode="replicate")
    assert torch.equal(network(image), network(extended)[:, :, :41, :50])


def test_parameters_are_those_of_a_count_by_hand():
    # biases everywhere but in scSE's spatial part; a normalisation has two numbers a channel
    def convolution(before, after):
        return 9 * before * after + after + 2 * after

    def dilated_residual(before, after):
        shortcut = 0 if before == after else before * after + after
        return convolution(before, after) + convolution(after, after) + shortcut

    def attention(channels):
        half = channels // 2
        return (channels * half + half) + (half * channels + channels) + channels

    channels = [32, 64, 128, 256, 512]
    encoder = sum(
        convolution(before, width) + dilated_residual(width, width) + attention(width)
        for before, width in itertools.pairwise([1, *channels])
    )
    decoder = sum(
        convolution(coarse, fine) + attention(2 * fine) + dilated_residual(2 * fine, fine)
        for fine, coarse in itertools.pairwise(channels)
    )
    heads = sum(2 * width + 2 for width in channels[:3])
    with torch.device("meta"):
        network = AUNet(1, 2, channels)
    assert sum(parameter.numel() for parameter in network.parameters()) == encoder + decoder + heads


def test_evaluation_repeats_to_the_bit():
    network, image = small_network(), torch.randn(1, 1, 65, 64)
    assert torch.equal(network(image), network(image))


def test_training_is_allowed_where_only_deterministic_algorithms_are():
    torch.use_deterministic_algorithms(True)
    small_network().train()(torch.randn(1, 1, 65, 64)).sum().backward()


@pytest.mark.parametrize("attention", [True, False])
def test_bfloat16_stays_near_float32(attention):
    network, image = small_network(attention=attention), torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        exact = network(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fast = network(image).float()
    # each image's own normalisation, over 4 x 4 pixels at the coarsest level, makes more of the rounding than a batch's
    assert 0 < (fast - exact).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": [8]}, r"channels are \[8\]; give at least two levels"),
        ({"heads": 0}, "heads is 0; with 5 levels it can be 1 to 4"),
        ({"heads": 5}, "heads is 5; with 5 levels it can be 1 to 4"),
        ({"reduction": 5}, "r=5 in_channels=4"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small_network(**settings)


@pytest.mark.parametrize("enlargement", ["bilinear", "nearest"])
def test_segmentation_layers_are_enlarged_as_asked_for_and_added_up(enlargement):
    network, layers = small_network(head_enlargement=enlargement), []
    for head in (network.coarsest_head, *network.finer_heads):
        head.register_forward_hook(lambda module, inputs, output: layers.append(output))
    with torch.inference_mode():
        logits = network(torch.randn(1, 1, 64, 64))
    expected = layers[0]
    for layer in layers[1:]:
        if enlargement == "nearest":
            expected = layer + expected.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        else:
            expected = layer + functional.interpolate(expected, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(logits, expected)


def test_an_unknown_enlargement_is_refused():
    with pytest.raises(ValueError, match="'cubic'; it can be one of bilinear, nearest"):
        small_network(head_enlargement="cubic")
