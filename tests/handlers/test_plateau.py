"""AU-Net's schedule and end, which follow its validation loss."""

import json

import pytest
import torch

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow
from covid_monai.run.training import train
from covid_monai.weights import load_weights

SMALL = {"channels": [4, 4, 8], "heads": 2, "image_size": [32, 32], "augmentation": 0.0, "precision": "float32"}
# so low a rate that no epoch has a lower validation loss than the first
AT_REST = {**SMALL, "learning_rate": 1e-6, "batch_size": 4}


def records(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def rates(run):
    return [round(line["learning_rate"] / 1e-6, 6) for line in records(run)]


def test_the_rate_is_halved_after_the_set_epochs_without_a_lower_validation_loss(tiny_dataset, tmp_path):
    settings = {**AT_REST, "epochs": 7, "learning_rate_patience": 2}
    assert rates(train("au_net", tiny_dataset, tmp_path / "run", settings=settings).folder) == [
        1,
        1,
        1,
        0.5,
        0.5,
        0.25,
        0.25,
    ]


def test_the_rate_stays_while_the_validation_loss_falls(tiny_dataset, tmp_path):
    settings = {**SMALL, "learning_rate": 3e-3, "batch_size": 4, "epochs": 5, "learning_rate_patience": 1}
    lines = records(train("au_net", tiny_dataset, tmp_path / "run", settings=settings).folder)
    losses = [line["validation_loss"] for line in lines]
    assert losses == sorted(losses, reverse=True)
    assert {line["learning_rate"] for line in lines} == {3e-3}


def test_training_ends_after_the_patience_without_a_lower_validation_loss(tiny_dataset, tmp_path):
    # weights that do not move have the same loss for ever
    settings = {**SMALL, "learning_rate": 0.0, "batch_size": 4, "epochs": 9, "patience": 3}
    assert len(records(train("au_net", tiny_dataset, tmp_path / "run", settings=settings).folder)) == 4


def test_epochs_without_a_validation_have_no_lower_loss_and_resume_all_the_same(tiny_dataset, tmp_path):
    settings = {**AT_REST, "epochs": 6, "learning_rate_patience": 3, "validation_interval": 2}
    whole = train("au_net", tiny_dataset, tmp_path / "whole", settings=settings).folder
    # the loss of epoch 2 is the lowest; 3, 4 and 5 have none that is lower
    assert rates(whole) == [1, 1, 1, 1, 1, 0.5]
    pieces = train("au_net", tiny_dataset, tmp_path / "pieces", settings={**settings, "epochs": 2}).folder
    train("au_net", tiny_dataset, pieces, settings={"epochs": 6}, resume=True)
    assert rates(pieces) == rates(whole)
    for name in ("scheduler.json", "network.safetensors"):
        entry, other = (run / "state" / "epoch-0006" / name for run in (whole, pieces))
        assert entry.read_bytes() == other.read_bytes()


def test_validation_loss_is_the_training_loss_of_the_validation_images(tiny_dataset, tmp_path):
    settings = {**SMALL, "learning_rate": 1e-3, "epochs": 1}
    run = train("au_net", tiny_dataset, tmp_path / "run", settings=settings).folder
    folder = {"dataset_dir": str(tiny_dataset), "output_dir": str(tmp_path)}
    parser = build_workflow(bundle_folder("au_net"), "train", {**settings, **folder}).parser
    network = load_weights(parser.get_parsed_content("network"), run / "model.safetensors").eval()
    loss = parser.get_parsed_content("loss_function")
    with torch.inference_mode():
        losses = [
            loss(network(case["image"][None].as_tensor()), case["label"][None].as_tensor()).item()
            for case in parser.get_parsed_content("validate#dataset")
        ]
    assert len(losses) > 1
    assert records(run)[0]["validation_loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)
