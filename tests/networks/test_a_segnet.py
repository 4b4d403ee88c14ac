import itertools

import pytest
import torch
from torch.nn import functional

from covid_monai.networks import ASegNet
from covid_monai.networks.blocks import MultiplicativeAttentionGate, pool_with_indices, unpool

SMALL = {"in_channels": 1, "out_channels": 2, "channels": [4, 8, 8, 8, 8], "convolutions": [2, 2, 3, 3, 3]}


def small_network(**settings) -> ASegNet:
    torch.manual_seed(0)
    return ASegNet(**{**SMALL, **settings}).eval()


@pytest.mark.parametrize("size", [(256, 256), (369, 369), (512, 512), (33, 70), (5, 9)])
@pytest.mark.parametrize("attention", [True, False])
def test_output_has_the_input_size_whatever_it_is(size, attention):
    assert small_network(attention=attention)(torch.randn(1, 1, *size)).shape == (1, 2, *size)


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_output_has_one_channel_a_class(classes):
    assert small_network(out_channels=classes)(torch.randn(2, 1, 32, 32)).shape == (2, classes, 32, 32)


@pytest.mark.parametrize(
    "settings",
    [{}, {"attention": False}, {"gate_merge": "add"}, {"decoder_relu": True}, {"gate_input": "pooled"}],
)
def test_a_gradient_reaches_every_parameter(settings):
    network = small_network(**settings).train()
    network(torch.randn(2, 1, 64, 64)).square().sum().backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_decoders_have_no_nonlinearity_unless_asked_for():
    def count(network):
        return sum(isinstance(module, torch.nn.ReLU) for module in network.decoders.modules())

    assert count(small_network()) == 0
    assert count(small_network(decoder_relu=True)) == 13


def test_five_gates_with_attention_and_none_without():
    def gates(network):
        return sum(isinstance(module, MultiplicativeAttentionGate) for module in network.modules())

    assert gates(small_network()) == 5
    assert gates(small_network(attention=False)) == 0


def test_parameters_of_the_baseline_are_those_of_a_vgg16_encoder_and_its_mirror():
    # 13 convolutions of VGG-16 for one input channel, biases and batch normalisation, their mirror, and the classifier
    def convolution(before, after):
        return 9 * before * after + after + 2 * after

    encoder = [1, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    decoder = [*reversed(encoder[1:]), 64]
    pairs = [*itertools.pairwise(encoder), *itertools.pairwise(decoder)]
    expected = sum(convolution(before, after) for before, after in pairs) + 64 * 2 + 2
    network = ASegNet(1, 2, [64, 128, 256, 512, 512], [2, 2, 3, 3, 3], attention=False)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_unpooling_agrees_with_torch():
    features = torch.randn(2, 3, 8, 10)
    pooled, indices = pool_with_indices(features)
    assert torch.equal(unpool(pooled, indices, like=features), functional.max_unpool2d(pooled, indices, 2))


def test_unpooling_is_allowed_where_only_deterministic_algorithms_are():
    torch.use_deterministic_algorithms(True)
    try:
        small_network().train()(torch.randn(1, 1, 64, 64)).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)


def test_gate_follows_its_formula():
    torch.manual_seed(0)
    gate = MultiplicativeAttentionGate(skip_channels=3, gate_channels=2)
    torch.nn.init.normal_(gate.gating_bias)
    skip, signal = torch.randn(1, 3, 4, 4), torch.randn(1, 2, 4, 4)
    weights = gate.gating.weight[:, :, 0, 0]
    gating = torch.einsum("oc,nchw->nohw", weights, signal)
    inner = torch.relu(gating * skip + gate.gating_bias)
    alpha = torch.sigmoid(torch.einsum("c,nchw->nhw", gate.psi.weight[0, :, 0, 0], inner) + gate.psi.bias)
    torch.testing.assert_close(gate(skip, signal), alpha[:, None] * skip)


def test_a_closed_gate_lets_nothing_through():
    gate = MultiplicativeAttentionGate(skip_channels=3, gate_channels=2)
    torch.nn.init.constant_(gate.psi.bias, -100.0)
    torch.nn.init.zeros_(gate.psi.weight)
    assert gate(torch.ones(1, 3, 4, 4), torch.ones(1, 2, 2, 2)).abs().max() < 1e-6


def test_evaluation_repeats_to_the_bit():
    network, image = small_network(), torch.randn(1, 1, 65, 64)
    assert torch.equal(network(image), network(image))


def test_bfloat16_stays_near_float32():
    network, image = small_network(), torch.randn(1, 1, 64, 64)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        fast = network(image).float()
    with torch.no_grad():
        exact = network(image)
    assert (fast - exact).abs().max() < 0.05 * exact.abs().max()


def test_over_fits_one_image():
    torch.manual_seed(0)
    network = ASegNet(1, 2, [16, 16, 32, 32, 32], [1, 1, 1, 1, 1]).train()
    image = torch.randn(1, 1, 64, 64)
    label = torch.zeros(1, 64, 64, dtype=torch.long)
    label[:, 20:40, 15:30] = 1
    image[:, 0][label == 1] += 1
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(network(image), label).backward()
        optimizer.step()
    predicted = network(image).argmax(1)
    assert 2 * (predicted * label).sum() / (predicted.sum() + label.sum()) > 0.95


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"gate_merge": "multiply"}, "concatenate, add"), ({"convolutions": [2, 2]}, "one number a level")],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small_network(**settings)


def test_a_gate_of_pooled_features_weighs_what_pooling_hands_on_and_puts_it_back():
    network = small_network(gate_input="pooled")
    level, seen = network.decoders[-1], {}
    level.gate.register_forward_hook(lambda module, inputs, output: seen.update(skip=inputs[0], gated=output))
    level.convolutions.register_forward_hook(lambda module, inputs, output: seen.update(joined=inputs[0]))
    network.encoders[0].register_forward_hook(lambda module, inputs, output: seen.update(features=output))
    with torch.inference_mode():
        network(torch.randn(2, 1, 64, 96))
    pooled, indices = functional.max_pool2d(seen["features"], 2, return_indices=True)
    assert torch.equal(seen["skip"], pooled)
    expected = functional.max_unpool2d(seen["gated"], indices, 2)
    torch.testing.assert_close(seen["joined"][:, -expected.shape[1] :], expected)


def test_both_inputs_of_gates_have_the_same_weights_but_are_other_networks():
    pooled, features = small_network(gate_input="pooled"), small_network()
    pooled.load_state_dict(features.state_dict())
    image = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        assert not torch.allclose(pooled(image), features(image))


def test_an_unknown_input_of_gates_is_refused():
    with pytest.raises(ValueError, match="'indices'; it can be one of features, pooled"):
        small_network(gate_input="indices")
