"""The moving average of weights that a training validates and keeps."""

from collections.abc import Iterator

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from covid_monai.errors import InputError
from covid_monai.handlers import MovingAverage
from covid_monai.handlers.state import last_epoch_folder, load_nested
from covid_monai.run.training import train
from tests.tiny import SMALL_NETWORK

SETTINGS = {**SMALL_NETWORK, "batch_size": 2, "epochs": 2, "learning_rate": 0.1, "weight_averaging": 0.9}


def small_network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def steps(network: nn.Module, count: int) -> Iterator[int]:
    """Weights that move, and a norm that sees a batch, step by step."""
    torch.manual_seed(0)
    for step in range(count):
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(torch.randn_like(weight))
        network(torch.randn(8, 3))
        yield step


def test_after_its_first_steps_it_is_torchs_moving_average():
    network = small_network()
    average = MovingAverage(network, decay=0.5)
    average.steps = 1000
    reference = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.5), use_buffers=True)
    # torch's takes the first weights as they are
    reference.update_parameters(network)
    for _ in steps(network, 5):
        average.update()
        reference.update_parameters(network)
    expected = reference.module.state_dict()
    for name, ours in average.network.state_dict().items():
        if ours.is_floating_point():
            torch.testing.assert_close(ours, expected[name])
    assert average.network.state_dict()["1.num_batches_tracked"] == 5


def test_the_first_steps_forget_the_weights_at_the_start():
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 1000.0)
    average = MovingAverage(network, decay=0.999)
    nn.init.constant_(network.weight, 1.0)
    for _ in range(60):
        average.update()
    # with a decay of 0.999 throughout, 94 per cent of the start were left
    assert average.network.weight.item() == pytest.approx(1.0, abs=0.01)


def test_it_is_no_part_of_the_training():
    network = small_network()
    average = MovingAverage(network, decay=0.5)
    assert not any(weight.requires_grad for weight in average.network.parameters())
    assert not average.network.training
    assert all(weight.requires_grad for weight in network.parameters())


def test_a_decay_of_0_is_the_network_itself_and_has_no_state():
    network = small_network()
    average = MovingAverage(network, decay=0.0)
    assert average.network is network
    assert average.state_dict() == {}


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_other_decays_are_refused(decay):
    with pytest.raises(InputError, match="at least 0"):
        MovingAverage(small_network(), decay)


def test_a_training_keeps_the_average_and_not_the_weights_of_its_last_step(tiny_dataset, tmp_path):
    run = train("covid_lesion", tiny_dataset, tmp_path / "run", settings=SETTINGS)
    state = last_epoch_folder(run.folder / "state")
    average, network = load_nested(state, "averaging"), load_nested(state, "network")
    kept = load_file(run.weights)
    assert average["steps"] > 0
    assert all(torch.equal(kept[name], average["network"][name]) for name in kept)
    assert not all(torch.equal(kept[name], network[name]) for name in kept)
