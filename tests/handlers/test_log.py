import json
import math

import pytest
import torch
from ignite.engine import Engine, Events
from monai.utils import CommonKeys

from covid_monai.errors import InputError
from covid_monai.handlers import EpochLog


def logged(path, losses, metrics) -> EpochLog:
    """Train three epochs of batches with these losses; ``metrics`` are those of the validations, by epoch."""
    trainer = Engine(lambda engine, batch: {CommonKeys.LOSS: torch.tensor(batch)})
    evaluator = Engine(lambda engine, batch: None)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)

    def validate(engine):
        if engine.state.epoch in metrics:
            evaluator.state.epoch = engine.state.epoch
            evaluator.state.metrics = metrics[engine.state.epoch]

    def halve_the_rate(engine):
        optimizer.param_groups[0]["lr"] /= 2

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, halve_the_rate)
    log = EpochLog(path, optimizer, evaluator)
    log.attach(trainer)
    trainer.run(losses, max_epochs=3)
    return log


def test_all_of_the_evaluators_metrics_are_logged_in_the_epochs_that_validate(tmp_path):
    metrics = {
        1: {"validation_dice": torch.tensor(0.25), "validation_loss": 1.5},
        3: {"validation_dice": torch.tensor(0.5), "validation_loss": 0.75, "validation_hd95": 4},
    }
    log = logged(tmp_path / "log.jsonl", [1.0, 2.0], metrics)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == log.records
    assert [{name: line[name] for name in line if name.startswith("validation")} for line in lines] == [
        {"validation_dice": 0.25, "validation_loss": 1.5},
        {},
        {"validation_dice": 0.5, "validation_loss": 0.75, "validation_hd95": 4.0},
    ]


def test_loss_is_the_epochs_mean_and_the_rate_that_of_its_steps(tmp_path):
    log = logged(tmp_path / "log.jsonl", [1.0, 2.0, 6.0], {})
    assert [(line["epoch"], line["loss"], line["learning_rate"]) for line in log.records] == [
        (1, 3.0, 0.1),
        (2, 3.0, 0.05),
        (3, 3.0, 0.025),
    ]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_training_with_advice(loss, tmp_path):
    with pytest.raises(InputError, match=r"in epoch 1, iteration 2; lower learning_rate"):
        logged(tmp_path / "log.jsonl", [1.0, loss], {})
