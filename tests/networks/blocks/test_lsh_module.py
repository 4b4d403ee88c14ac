"""The module around LSH attention: projections, rotations over training and evaluation, number formats."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from covid_monai.networks.blocks.lsh.attention import LSHAttention, lsh_attention
from covid_monai.networks.blocks.lsh.hashing import draw_rotations


def module(channels: int = 16, heads: int = 4, rounds: int = 2, chunk: int = 8, seed: int = 0) -> LSHAttention:
    torch.manual_seed(0)
    return LSHAttention(channels, heads, rounds, chunk, seed)


def test_in_one_chunk_it_is_multi_head_attention_over_the_pixels_in_row_major_order():
    attention = module(channels=8, heads=2, chunk=64).double().eval()
    features = torch.randn(3, 8, 5, 6, dtype=torch.float64)

    def heads(projection):
        # weights as a matrix, pixels in rows, four features a head
        projected = features.permute(0, 2, 3, 1).reshape(3, 30, 8) @ projection.weight[:, :, 0, 0].T
        return projected[:, :, :4], projected[:, :, 4:]

    attended = []
    for shared, values in zip(heads(attention.shared), heads(attention.values), strict=True):
        scores = shared @ functional.normalize(shared, dim=2).mT / math.sqrt(4)
        scores.diagonal(0, 1, 2).fill_(-1e5)
        attended.append(scores.softmax(-1) @ values)
    output = torch.cat(attended, 2) @ attention.output.weight[:, :, 0, 0].T + attention.output.bias
    expected = output.reshape(3, 5, 6, 8).permute(0, 3, 1, 2)
    torch.testing.assert_close(attention(features), expected, rtol=0, atol=1e-10)


def test_a_gradient_reaches_every_parameter_and_the_features():
    attention, features = module(), torch.randn(2, 16, 7, 9, requires_grad=True)
    attention(features).square().sum().backward()
    for tensor in (features, *attention.parameters()):
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.abs().sum() > 0


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (3, 3), (33, 35)])
def test_any_size_keeps_its_shape(size):
    features = torch.randn(2, 16, *size)
    assert module().train()(features).shape == features.shape
    assert module().eval()(features).shape == features.shape


def test_rotations_change_with_each_training_step():
    attention, features = module().train(), torch.randn(1, 16, 12, 12)
    assert not torch.equal(attention(features), attention(features))
    assert int(attention.step) == 2


def test_evaluation_repeats_to_the_bit_and_does_not_advance_the_step():
    attention, features = module(), torch.randn(1, 16, 12, 12)
    before = attention.eval()(features)
    attention.train()(features)
    assert torch.equal(attention.eval()(features), before)
    assert int(attention.step) == 1


def test_another_seed_hashes_differently():
    features = torch.randn(1, 16, 12, 12)
    assert not torch.equal(module(seed=1).eval()(features), module(seed=2).eval()(features))


def test_resumed_training_goes_on_with_the_rotations_it_would_have_had():
    interrupted, features = module().train(), torch.randn(1, 16, 12, 12)
    for _ in range(3):
        interrupted(features)
    state = {name: tensor.clone() for name, tensor in interrupted.state_dict().items()}
    resumed = module().train()
    resumed.load_state_dict(state)
    for _ in range(2):
        assert torch.equal(resumed(features), interrupted(features))


def test_the_state_is_the_projections_and_the_step():
    names = ["output.bias", "output.weight", "shared.weight", "step", "values.weight"]
    assert sorted(module().state_dict()) == names


def test_rounds_and_chunk_can_differ_from_those_of_training():
    trained = module(rounds=2, chunk=8)
    with_more = module(rounds=6, chunk=32)
    with_more.load_state_dict(trained.state_dict())
    assert torch.isfinite(with_more.eval()(torch.randn(1, 16, 9, 9))).all()


def test_it_is_deterministic_where_only_deterministic_algorithms_are_allowed():
    torch.use_deterministic_algorithms(True)
    gradients = []
    for _ in range(2):
        attention = module().train()
        features = torch.linspace(-1, 1, 16 * 81).sin().reshape(1, 16, 9, 9).requires_grad_()
        attention(features).square().sum().backward()
        gradients.append(features.grad)
    assert torch.equal(*gradients)


def test_bfloat16_autocast_stays_near_float32():
    # projections and output round to 8 bits, and the few tokens that this brings into another bucket see others
    attention, features = module(channels=32, chunk=32).eval(), torch.randn(1, 32, 24, 24)
    exact = attention(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fast = attention(features)
    assert fast.dtype == torch.bfloat16
    difference = (fast.float() - exact).square().mean().sqrt()
    assert difference < 0.1 * exact.square().mean().sqrt()


def test_scores_stay_in_float32_under_autocast():
    # a query of length 4000: in bfloat16 the scores of all its keys would be steps of 16 apart
    attention = LSHAttention(4, 1, 1, 64).eval()
    for projection in (attention.shared, attention.values, attention.output):
        nn.init.dirac_(projection.weight)
    nn.init.zeros_(attention.output.bias)
    angles = torch.linspace(0, 0.1, 16)
    features = torch.stack([4096 * angles.cos(), 4096 * angles.sin(), angles, torch.ones(16)]).bfloat16().float()
    features = features.reshape(1, 4, 4, 4)
    exact = attention(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fast = attention(features).float()
    torch.testing.assert_close(fast[:, 2], exact[:, 2], rtol=0.01, atol=1e-4)


def test_autocast_changes_neither_pass_of_the_attention_itself():
    generator = torch.Generator().manual_seed(0)
    shared, values = (torch.randn(2, 40, 8, generator=generator).requires_grad_() for _ in range(2))
    results = []
    for enabled in (False, True):
        # backward within autocast too, as some training loops have it
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            output = lsh_attention(shared, values, draw_rotations(0, 0, 2, 8), chunk=8)
            results.append((output, *torch.autograd.grad(output.square().sum(), (shared, values))))
    for without, within in zip(*results, strict=True):
        assert torch.equal(without, within)


def test_a_float64_module_computes_in_float64_and_a_bfloat16_one_gives_bfloat16():
    features = torch.randn(1, 16, 6, 6)
    assert module().double().eval()(features.double()).dtype == torch.float64
    assert module().bfloat16().eval()(features.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("training", [True, False])
def test_operations_are_counted_on_the_meta_device(training):
    attention = module().to("meta").train(training)
    with FlopCounterMode(display=False) as counter:
        output = attention(torch.empty(1, 16, 32, 32, device="meta"))
    assert output.shape == (1, 16, 32, 32)
    projections = 3 * 2 * 1024 * 16 * 16
    hashing = 2 * 2 * 1024 * 16 * 64
    # a pixel's 16 keys: a product for the scores, one for the values
    pairs = 2 * 2 * 2 * 1024 * 16 * 16
    assert counter.get_total_flops() == projections + hashing + pairs


@pytest.mark.parametrize("settings", [{"heads": 3}, {"rounds": 0}, {"chunk": 0}, {"heads": 0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match="all must be positive, and channels a multiple of heads"):
        module(**settings)
