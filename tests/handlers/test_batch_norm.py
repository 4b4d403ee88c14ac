"""Batch normalisation over two processes against torch's own over the joined batch in one."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from covid_monai.handlers.distributed import SynchronisedBatchNorm, synchronise_batch_norm
from tests.handlers.processes import run_in_processes

CHANNELS = 3
# images of each process: even and uneven shares, one empty, one of a single value, and one whose last image does
# not count
SHARES = {"even": (2, 2), "uneven": (3, 1), "empty": (2, 0), "repeated": (2, 2)}
COUNTED = {"repeated": (2, 1)}
MADE = {
    "2d": ((5, 4), lambda: nn.BatchNorm2d(CHANNELS)),
    "1d without space": ((), lambda: nn.BatchNorm1d(CHANNELS, momentum=0.3)),
    "3d": ((2, 3, 4), lambda: nn.BatchNorm3d(CHANNELS, eps=1e-3)),
    "mean of all batches": ((5, 4), lambda: nn.BatchNorm2d(CHANNELS, momentum=None)),
    "not affine": ((5, 4), lambda: nn.BatchNorm2d(CHANNELS, affine=False)),
    "no running statistics": ((5, 4), lambda: nn.BatchNorm2d(CHANNELS, track_running_stats=False)),
}


def counted_of(shares: str) -> tuple[int, int]:
    return COUNTED.get(shares, SHARES[shares])


def joined(kind: str, shares: str, offset: float = 0.0) -> tuple[Tensor, Tensor]:
    """Two steps' images of all processes and the factors that make a loss of the outputs, (2, N, C, ...)."""
    generator = torch.Generator().manual_seed(0)
    size = (2, sum(counted_of(shares)), CHANNELS, *MADE[kind][0])
    return torch.randn(size, generator=generator) * 3 + offset, torch.randn(size, generator=generator)


def steps(module: nn.Module, images: Tensor, factors: Tensor) -> dict[str, Tensor]:
    """Two training steps' outputs, gradients and running statistics."""
    images = images.clone().requires_grad_()
    outputs = torch.stack([module(step) for step in images])
    (outputs * factors).sum().backward()
    assert images.grad is not None
    gradients = {
        f"gradient of {name}": parameter.grad
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    return {"outputs": outputs.detach(), "gradient": images.grad, **gradients, **buffers}


def share_of(rank: int, kind: str, shares: str, offset: float = 0.0) -> dict[str, Tensor]:
    """One process's steps on its own images; images that do not count are noise with a gradient of their own."""
    counted = counted_of(shares)
    start = sum(counted[:rank])
    images, factors = (entry[:, start : start + counted[rank]] for entry in joined(kind, shares, offset))
    surplus = SHARES[shares][rank] - counted[rank]
    extra = 100 * torch.ones(2, surplus, *images.shape[2:])
    module = synchronise_batch_norm(MADE[kind][1](), SimpleNamespace(images=counted[rank]))
    found = steps(module, torch.cat([images, extra], 1), torch.cat([factors, 0 * extra], 1))
    for name in ("outputs", "gradient"):
        assert found[name].shape[1] == SHARES[shares][rank]
    if surplus:
        # what does not count gets no gradient
        assert found["gradient"][:, counted[rank] :].abs().max() == 0
    return {
        name: entry[:, : counted[rank]] if name in ("outputs", "gradient") else entry for name, entry in found.items()
    }


def in_bfloat16(rank: int) -> dict[str, Tensor]:
    images, factors = (entry[:, 2 * rank : 2 * rank + 2] for entry in joined("2d", "even"))
    module = synchronise_batch_norm(MADE["2d"][1]())
    return steps(module, images.bfloat16(), factors)


def one_value_in_all(rank: int) -> str:
    try:
        SynchronisedBatchNorm(CHANNELS)(torch.ones(1 - rank, CHANNELS))
    except ValueError as error:
        return str(error)
    return ""


def everything(rank: int) -> dict[str, object]:
    found: dict[str, object] = {f"{kind}, {shares}": share_of(rank, kind, shares) for kind in MADE for shares in SHARES}
    found["far from zero"] = share_of(rank, "2d", "uneven", 1000.0)
    found["bfloat16"] = in_bfloat16(rank)
    found["one value"] = one_value_in_all(rank)
    return found


@pytest.fixture(scope="module")
def two_processes() -> list[dict]:
    return run_in_processes(everything)


def assert_joined(two: list[dict], alone: dict[str, Tensor], **tolerance: float) -> None:
    for name, expected in alone.items():
        if name in ("outputs", "gradient"):
            found = torch.cat([entry[name] for entry in two], 1)
        elif name.startswith("gradient of"):
            found = two[0][name] + two[1][name]
        else:
            found = two[0][name]
            assert torch.equal(found, two[1][name])
        torch.testing.assert_close(found, expected, **tolerance, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.slow
@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("kind", MADE)
def test_two_processes_are_one_with_the_joined_batch(two_processes, kind, shares):
    alone = steps(MADE[kind][1](), *joined(kind, shares))
    assert_joined([process[f"{kind}, {shares}"] for process in two_processes], alone, atol=2e-6, rtol=1e-5)


@pytest.mark.slow
def test_a_mean_far_from_zero_costs_no_more_than_its_own_last_digit(two_processes):
    exact = steps(MADE["2d"][1]().double(), *(entry.double() for entry in joined("2d", "uneven", 1000.0)))
    found = torch.cat([process["far from zero"]["outputs"] for process in two_processes], 1)
    # 1000 / 3 in float32 has steps of 3e-5; a variance from float32 squares would be wrong by 1e-2
    assert (found.double() - exact["outputs"]).abs().max() < 6e-5


@pytest.mark.slow
def test_bfloat16_stays_bfloat16_and_agrees_with_torch(two_processes):
    images, factors = joined("2d", "even")
    alone = steps(MADE["2d"][1](), images.bfloat16(), factors)
    assert alone["outputs"].dtype == torch.bfloat16
    assert_joined([process["bfloat16"] for process in two_processes], alone, atol=0.02, rtol=0.01)


@pytest.mark.slow
def test_one_value_in_all_processes_is_refused_in_each(two_processes):
    assert [process["one value"] for process in two_processes] == [
        "1 value a channel in all processes together; give larger batches or images"
    ] * 2


@pytest.mark.parametrize("kind", MADE)
def test_one_process_has_torchs_own_to_the_bit(kind):
    result = MADE[kind][1](), synchronise_batch_norm(MADE[kind][1]())
    torchs, ours = (steps(entry, *joined(kind, "even")) for entry in result)
    assert all(torch.equal(torchs[name], ours[name]) for name in torchs)


def test_conversion_keeps_parameters_names_and_mode_and_touches_nothing_else():
    network = nn.Sequential(
        nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3), nn.Sequential(nn.InstanceNorm2d(3), nn.BatchNorm2d(3))
    ).eval()
    names, kept = list(network.state_dict()), {id(entry) for entry in (*network.parameters(), *network.buffers())}
    assert synchronise_batch_norm(network) is network
    assert [type(module).__name__ for module in network.modules()].count("SynchronisedBatchNorm") == 2
    assert isinstance(network[2][0], nn.InstanceNorm2d)
    assert list(network.state_dict()) == names
    assert {id(entry) for entry in (*network.parameters(), *network.buffers())} == kept
    assert not network[1].training
    assert isinstance(synchronise_batch_norm(nn.BatchNorm3d(2)), SynchronisedBatchNorm)


def test_an_input_of_other_channels_is_refused():
    with pytest.raises(ValueError, match=r"input is \(2, 4, 5\); it must be \(N, 3, \.\.\.\)"):
        SynchronisedBatchNorm(3)(torch.zeros(2, 4, 5))
