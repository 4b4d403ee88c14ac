"""Several processes train the network that one trains with their batches joined, uneven shares and all."""

import json

import pytest
import torch
from torch import Tensor

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.data.epochs import EpochSampler
from covid_monai.handlers.distributed import CountedImages, MeanOverProcesses
from covid_monai.losses import FocalTverskyLoss
from covid_monai.networks import ASegNet
from covid_monai.run.training import train
from tests.handlers.processes import last_state, log_of, train_in_processes
from tests.tiny import LEARNING, SMALL_NETWORK


class DoubleASegNet(ASegNet):
    """A-SegNet in float64, in which rounding stays too small to matter through a whole training."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.double()

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image.double())


DOUBLE = {"network_def#_target_": f"{__name__}.DoubleASegNet"}


def both(data, folder, settings, processes=2):
    """The folders of a run of several processes with one image each a step, and of one process with all of these."""
    settings = {**SMALL_NETWORK, **LEARNING, "precision": "float32", **settings}
    train_in_processes(
        bundle_folder("a_segnet"), data, folder / "joint", {**settings, "batch_size": 1}, processes=processes
    )
    train("a_segnet", data, folder / "alone", settings={**settings, "batch_size": processes})
    return folder / "joint", folder / "alone"


def worst_difference(joint, alone):
    found, expected = last_state(joint), last_state(alone)
    assert found.keys() == expected.keys()
    return max(float((found[name].double() - expected[name].double()).abs().max()) for name in expected)


@pytest.mark.slow
def test_two_processes_are_one_through_a_training_but_for_rounding(tiny_dataset, tmp_path):
    # rotation and scaling fill areas with zeros, where pooling has ties that the last bit decides
    augmented = {"augmentation": 0.5, "rotation": 0.0, "scaling": 0.0, "epochs": 12}
    joint, alone = both(tiny_dataset, tmp_path, {**DOUBLE, **augmented})
    assert log_of(joint, "loss") == pytest.approx(log_of(alone, "loss"), rel=1e-6)
    assert log_of(joint, "validation_dice") == pytest.approx(log_of(alone, "validation_dice"), rel=1e-6)
    assert worst_difference(joint, alone) < 1e-6
    best = [json.loads((folder / "model.json").read_text())["epoch"] for folder in (joint, alone)]
    assert best[0] == best[1]
    # what was compared has learned, and finds lesions
    assert log_of(alone, "loss")[-1] < 0.9 * log_of(alone, "loss")[0]
    assert max(log_of(alone, "validation_dice")) > 0.2


@pytest.mark.slow
def test_two_processes_in_float32_part_by_rounding_only(tiny_dataset, tmp_path):
    joint, alone = both(tiny_dataset, tmp_path, {"epochs": 3})
    assert log_of(joint, "loss")[0] == pytest.approx(log_of(alone, "loss")[0], rel=1e-6)
    assert log_of(joint, "loss") == pytest.approx(log_of(alone, "loss"), rel=1e-5)
    assert log_of(joint, "validation_dice") == pytest.approx(log_of(alone, "validation_dice"), abs=1e-4)
    assert worst_difference(joint, alone) < 1e-3


@pytest.mark.slow
def test_a_process_without_a_case_of_its_own_changes_nothing(tiny_dataset, tmp_path):
    # four processes, three cases to train on, three to validate on
    joint, alone = both(tiny_dataset, tmp_path, {**DOUBLE, "epochs": 2}, processes=4)
    assert log_of(joint, "loss") == pytest.approx(log_of(alone, "loss"), rel=1e-6)
    assert log_of(joint, "validation_dice") == pytest.approx(log_of(alone, "validation_dice"), rel=1e-6)
    assert worst_difference(joint, alone) < 1e-6


@pytest.mark.parametrize(("length", "replicas"), [(7, 3), (6, 3), (2, 5)])
def test_own_items_are_each_case_once(length, replicas):
    shards = [EpochSampler(length, seed=0, rank=rank, replicas=replicas) for rank in range(replicas)]
    own = [position for shard in shards for _, position in list(shard)[: shard.own]]
    assert sorted(own) == list(range(length))


def test_a_loss_of_one_process_is_the_loss_itself():
    logits, target = torch.randn(3, 2, 8, 8), torch.randint(0, 2, (3, 1, 8, 8))
    loss = FocalTverskyLoss(0.3, 0.7, 4 / 3)
    assert MeanOverProcesses(loss, CountedImages(EpochSampler(3, seed=0)))(logits, target) == loss(logits, target)
