"""Which epoch's weights a run keeps, whatever happens to it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from safetensors.torch import load_file
from torch import nn

from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.config import check_settings
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.handlers.checkpoint import KEPT, KeepWeights
from covid_monai.run.evaluation import evaluate
from covid_monai.run.training import train
from covid_monai.weights import check_weights
from tests.tiny import SMALL_NETWORK

QUICK = {**SMALL_NETWORK, "epochs": 2, "batch_size": 4, "augmentation": 0.0}


def trained(
    folder: Path,
    dice: Sequence[float | None],
    patience: int | None = None,
    losses: Sequence[float] | None = None,
    **settings,
) -> int:
    """Epochs that are done when each has this validation Dice, or no validation, and its number as its weight."""
    network, log = nn.Linear(1, 1), SimpleNamespace(records=[])
    trainer = Engine(lambda engine, batch: None)

    @trainer.on(Events.EPOCH_COMPLETED)
    def end(engine: Engine) -> None:
        epoch = engine.state.epoch
        nn.init.constant_(network.weight, epoch)
        text = {} if dice[epoch - 1] is None else {"validation_dice": dice[epoch - 1]}
        if losses is not None and text:
            text["validation_loss"] = losses[epoch - 1]
        log.records.append({"epoch": epoch, **text})

    KeepWeights(folder, log, network, "some_bundle", patience, **settings).attach(trainer)
    trainer.run([0], max_epochs=len(dice))
    return len(log.records)


def kept(folder: Path) -> tuple[float, dict]:
    """The epoch whose weights are kept, by the weights themselves, and the note."""
    check_weights(folder)
    weight = load_file(folder / "model.safetensors")["weight"].item()
    return weight, json.loads((folder / "model.json").read_text())


@pytest.mark.parametrize(("which", "epoch"), [("best", 2), ("last", 4)])
def test_the_weights_of_the_best_or_of_the_last_epoch_are_kept_and_noted(which, epoch, tmp_path):
    dice = [0.1, 0.7, 0.3, 0.7]
    trained(tmp_path, dice, kept=which)
    weight, note = kept(tmp_path)
    assert weight == note["epoch"] == epoch
    assert note["kept"] == which
    assert note["validation_dice"] == dice[epoch - 1]


def test_the_best_are_kept_where_nobody_says(tmp_path):
    trained(tmp_path, [0.7, 0.1])
    assert kept(tmp_path)[0] == 1


def test_the_best_can_be_those_of_the_lowest_validation_loss(tmp_path):
    trained(tmp_path, [0.1, 0.7, 0.9], losses=[0.5, 0.2, 0.3], metric="validation_loss")
    weight, note = kept(tmp_path)
    assert weight == note["epoch"] == 2
    assert (note["metric"], note["validation_dice"]) == ("validation_loss", 0.7)


@pytest.mark.parametrize("settings", [{"metric": "validation_loss"}, {"progress": "validation_loss", "patience": 2}])
def test_a_metric_that_the_validation_does_not_give_stops_training_at_the_first_one(settings, tmp_path):
    with pytest.raises(InputError, match="'validation_loss'; the validation of this bundle gives validation_dice"):
        trained(tmp_path, [None, 0.5, 0.6], **settings)


def test_stopping_by_patience_keeps_the_epoch_in_which_it_stopped(tmp_path):
    assert trained(tmp_path, [0.5, 0.9, 0.1, 0.2, 0.95], patience=2, kept="last") == 4
    assert kept(tmp_path)[0] == 4


def test_the_last_epoch_need_not_be_validated(tmp_path):
    trained(tmp_path, [None, 0.5, None], kept="last")
    weight, note = kept(tmp_path)
    assert weight == 3
    assert note["validation_dice"] is None


def test_without_any_validation_the_last_are_kept_and_the_best_are_missed(tmp_path):
    trained(tmp_path / "last", [None, None], kept="last")
    assert kept(tmp_path / "last")[0] == 2
    with pytest.raises(InputError, match="or weights_kept to last"):
        trained(tmp_path / "best", [None, None], kept="best")


@pytest.mark.parametrize("wrong", ["Best", "first", "", None, 3])
def test_other_wishes_are_refused_with_what_is_allowed(wrong, tmp_path):
    with pytest.raises(InputError, match=r"weights_kept is .*best .* or last"):
        trained(tmp_path, [0.5], kept=wrong)


@pytest.mark.parametrize("bundle", bundle_names())
def test_every_bundle_keeps_the_best_unless_told_otherwise(bundle):
    from covid_monai.catalog.config import build_workflow, read_config

    folder = bundle_folder(bundle)
    config = read_config(folder, "train")
    # the moving average of a schedule that falls to nothing is best at its end
    assert config["weights_kept"] == (KEPT[1] if config["weight_averaging"] else KEPT[0])
    check_settings(config, {"weights_kept": "last"}, bundle)
    parser = build_workflow(folder, "train", {"weights_kept": "last"}).parser
    assert parser.get_parsed_content("train#events#weights#kept") == "last"


@pytest.mark.parametrize(
    ("value", "message"),
    [("worst", "weights_kept is 'worst'; it must be one of best, last"), (1, "it must be one of")],
)
def test_a_wrong_value_stops_training_before_anything_is_written(value, message, tiny_dataset, tmp_path):
    with pytest.raises(InputError, match=message):
        train("a_segnet", tiny_dataset, tmp_path / "run", settings={**QUICK, "weights_kept": value})
    assert not (tmp_path / "run").exists()


KILLED = """
import os, signal, sys
from covid_monai.handlers import checkpoint, state
from covid_monai.run.training import train

moment, data, output = sys.argv[1:]
module = checkpoint if moment == "write_json" else state
original = getattr(module, moment)
def kill_in_second_epoch(first, second, *rest):
    if {"write_json": lambda: second["epoch"] == 2, "save_nested": lambda: "epoch-0002" in str(first)}[moment]():
        os.kill(os.getpid(), signal.SIGKILL)
    return original(first, second, *rest)
setattr(module, moment, kill_in_second_epoch)
train("a_segnet", data, output, settings=SETTINGS)
"""
LAST = {**QUICK, "epochs": 3, "weights_kept": "last"}


@pytest.fixture(scope="module")
def uninterrupted(tiny_dataset, tmp_path_factory) -> Path:
    return train("a_segnet", tiny_dataset, tmp_path_factory.mktemp("whole") / "run", settings=LAST).folder


def test_a_run_keeps_what_its_last_epoch_ended_with(uninterrupted, tiny_dataset):
    note = json.loads((uninterrupted / "model.json").read_text())
    log = [json.loads(line) for line in (uninterrupted / "log.jsonl").read_text().splitlines()]
    assert note["epoch"] == 3
    assert note["validation_dice"] == log[-1]["validation_dice"]
    (state,) = (uninterrupted / "state").iterdir()
    last, own = load_file(state / "network.safetensors"), load_file(uninterrupted / "model.safetensors")
    assert last.keys() == {f"network/{name}" for name in own}
    assert all(torch.equal(last[f"network/{name}"], own[name]) for name in own)
    assert (evaluate(uninterrupted, data=tiny_dataset).folder / "scores.json").is_file()


@pytest.mark.slow
# before the note of the weights is written, and before the state of their epoch is complete
@pytest.mark.parametrize("moment", ["write_json", "save_nested"])
def test_a_killed_run_that_is_resumed_keeps_the_same_last_weights(moment, uninterrupted, tiny_dataset, tmp_path):
    output = tmp_path / "run"
    script = KILLED.replace("SETTINGS", repr(LAST))
    command = [sys.executable, "-c", script, moment, str(tiny_dataset), str(output)]
    killed = subprocess.run(command, env=dict(os.environ), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    if moment == "write_json":
        with pytest.raises(InputError, match="train with `resume=True`"):
            check_weights(output)
    else:
        check_weights(output)
    train("a_segnet", tiny_dataset, output, resume=True)
    assert check_weights(output) == check_weights(uninterrupted)
    assert json.loads((output / "model.json").read_text()) == json.loads((uninterrupted / "model.json").read_text())


def test_a_run_goes_on_with_what_it_was_told_to_keep(uninterrupted, tiny_dataset, tmp_path):
    run = shutil.copytree(uninterrupted, tmp_path / "run")
    with pytest.raises(InputError, match="trained with weights_kept = last, not best"):
        train("a_segnet", tiny_dataset, run, settings={"weights_kept": "best"}, resume=True)
    before = sha256_of(run / "model.safetensors")
    train("a_segnet", tiny_dataset, run, resume=True)
    assert sha256_of(run / "model.safetensors") == before
    train("a_segnet", tiny_dataset, run, settings={"epochs": 4}, resume=True)
    assert json.loads((run / "model.json").read_text())["epoch"] == 4
