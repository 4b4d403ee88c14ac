"""Settings that stand for what the papers may have done: each trains, and changes what it says."""

import json

import pytest
from torch.optim.lr_scheduler import ReduceLROnPlateau

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow
from covid_monai.run.training import train
from tests.tiny import SMALL_NETWORK

QUICK = {"image_size": [32, 32], "epochs": 3, "batch_size": 4, "augmentation": 0.0}
U_NET = {**QUICK, "channels": [4, 8, 16, 32, 64], "copy_quarter_turns": [], "copy_scalings": []}
ONE_LESION = {"class_names": ["background", "lesion"], "lesion_labels": [1, 2, 3, 4], "lesion_classes": [1, 1, 1, 1]}
ISENSEE = {
    "batch_size": 1,
    "weights_metric": "validation_loss",
    "head_enlargement": "nearest",
    "include_background": False,
    "negative_slope": 0.3,
}


def log_of(run) -> list[dict]:
    return [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]


def test_au_net_trains_as_the_keras_port_of_isensee_does(tiny_dataset, tmp_path):
    run = train("au_net", tiny_dataset, tmp_path / "run", settings={**SMALL_NETWORK, **QUICK, **ISENSEE})
    losses = [line["validation_loss"] for line in log_of(run)]
    note = run.read_weights_record()
    assert note["epoch"] == 1 + losses.index(min(losses))
    assert note["metric"] == "validation_loss"


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "generalised_dice", "weight_decay": 1e-4},
        {"loss": "cross_entropy"},
        {"loss": "dice", "gate_input": "pooled"},
    ],
)
def test_a_segnet_trains_with_what_matlab_has_and_with_pooled_gates(settings, tiny_dataset, tmp_path):
    small = {**SMALL_NETWORK, **QUICK, "learning_rate": 0.01}
    run = train("a_segnet", tiny_dataset, tmp_path / "run", settings={**small, **settings})
    losses = [line["loss"] for line in log_of(run)]
    assert losses[-1] < losses[0]


def test_u_net_trains_on_zhous_schedule_with_zhous_loss(tiny_dataset, tmp_path):
    zhou = {"loss": "dice", "learning_rate_patience": 2, "learning_rate_factor": 0.5}
    zhou |= {"patience": 5, "patience_metric": "validation_loss"}
    run = train("unet", tiny_dataset, tmp_path / "run", settings={**U_NET, **ONE_LESION, **zhou})
    assert all(0 < line["validation_loss"] < 2 for line in log_of(run))
    scheduler = build_workflow(bundle_folder("unet"), "train", zhou).parser.get_parsed_content("scheduler")
    assert isinstance(scheduler, ReduceLROnPlateau)
    # torch counts one epoch less
    assert scheduler.patience == 1


def test_u_net_keeps_chens_schedule_where_nobody_asks_for_another(tiny_dataset, tmp_path):
    for folder, settings, expected in (
        ("halved", {"learning_rate_step": 1, "learning_rate_factor": 0.5}, [0.001, 0.0005, 0.00025]),
        ("as it is", {}, [0.001] * 3),
    ):
        run = train("unet", tiny_dataset, tmp_path / folder, settings={**U_NET, **settings})
        assert [line["learning_rate"] for line in log_of(run)] == expected
