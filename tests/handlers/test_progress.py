"""When training stops, and which weights are kept where the loss and the Dice disagree."""

import json

import pytest
import torch
from ignite.engine import Engine, Events
from safetensors.torch import load_file

from covid_monai.errors import InputError
from covid_monai.handlers import KeepWeights


class ScriptedLog:
    """A log whose records are known beforehand, and a network that is given the epoch for its weights."""

    def __init__(self, records):
        self.to_come = records
        self.records = []
        self.network = torch.nn.Linear(1, 1, bias=False)

    def attach(self, engine):
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def write(self, engine):
        self.records.append({"epoch": engine.state.epoch, **self.to_come[engine.state.epoch - 1]})
        torch.nn.init.constant_(self.network.weight, engine.state.epoch)


def trained(folder, records, patience=None, **settings) -> int:
    """Train through the records; how many epochs there were."""
    log, engine = ScriptedLog(records), Engine(lambda engine, batch: None)
    log.attach(engine)
    KeepWeights(folder, log, log.network, bundle="any", patience=patience, **settings).attach(engine)
    return engine.run([None], max_epochs=len(records)).epoch


def kept(folder) -> tuple[int, float]:
    """The epoch of ``model.json`` and the weight in ``model.safetensors``."""
    weights = load_file(folder / "model.safetensors")["weight"].item()
    return json.loads((folder / "model.json").read_text())["epoch"], weights


def dice_and_loss(dice, loss):
    return [{"validation_dice": a, "validation_loss": b} for a, b in zip(dice, loss, strict=True)]


def test_training_stops_when_the_loss_no_longer_falls_though_the_dice_rises(tmp_path):
    records = dice_and_loss(dice=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], loss=[0.9, 0.5, 0.6, 0.5, 0.7, 0.4])
    assert trained(tmp_path, records, patience=3, progress="validation_loss") == 5
    assert kept(tmp_path) == (5, 5.0)


def test_training_goes_on_while_the_loss_falls_though_the_dice_does_not_rise(tmp_path):
    records = dice_and_loss(dice=[0.5, 0.4, 0.3, 0.2, 0.1, 0.0], loss=[6, 5, 4, 3, 2, 1])
    assert trained(tmp_path, records, patience=1, progress="validation_loss") == 6
    assert kept(tmp_path) == (1, 1.0)


def test_without_a_choice_progress_is_that_of_the_dice(tmp_path):
    records = dice_and_loss(dice=[0.5, 0.4, 0.3, 0.2], loss=[4, 3, 2, 1])
    assert trained(tmp_path, records, patience=2) == 3


def test_without_patience_training_goes_to_the_end(tmp_path):
    records = dice_and_loss(dice=[0.5] * 9, loss=[1] * 9)
    assert trained(tmp_path, records, progress="validation_loss") == 9


def test_patience_counts_epochs_and_not_validations(tmp_path):
    lines = dice_and_loss(dice=[0.5] * 4, loss=[1] * 4)
    records = [{}, lines[0], {}, lines[1], {}, lines[2], {}, lines[3]]
    assert trained(tmp_path, records, patience=3, progress="validation_loss") == 5


@pytest.mark.parametrize("patience", [0, -1, 1.5])
def test_a_patience_that_is_no_number_of_epochs_is_refused(patience, tmp_path):
    with pytest.raises(InputError, match="it must be a number of epochs, or null"):
        trained(tmp_path, [{}], patience=patience)
