"""nnU-Net v2's 2-D network, as its planner makes it for square slices, in its own predictor, with random weights."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

# it warns of folders that are not set, which nothing here uses
for _name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(_name, os.devnull)

from tests.networks import references  # noqa: E402, F401, I001 - timm asks for a torchvision that can be imported
from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props  # noqa: E402
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: E402
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans  # noqa: E402
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager  # noqa: E402

LABELS = {"background": 0, "ground-glass": 1, "consolidation": 2, "effusion": 3}
# what its ExperimentPlanner starts with: features of the first stage, the most of a stage, the least edge at the bottom
FEATURES, MOST_FEATURES, LEAST_EDGE = 32, 512, 4


def configuration(size: int) -> dict[str, Any]:
    """What its default plan says of 2-D slices of ``size`` x ``size`` with even spacing, as far as predicting asks."""
    _, strides, kernels, patch, _ = get_pool_and_conv_props((1.0, 1.0), (size, size), LEAST_EDGE, 999999)
    stages = len(strides)
    arguments = {
        "n_stages": stages,
        "features_per_stage": [min(MOST_FEATURES, FEATURES * 2**stage) for stage in range(stages)],
        "conv_op": "torch.nn.modules.conv.Conv2d",
        "kernel_sizes": kernels,
        "strides": strides,
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": arguments,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    return {"patch_size": [int(side) for side in patch], "architecture": architecture}


def network(plan: ConfigurationManager) -> torch.nn.Module:
    """The network of a plan, with the weights that it starts training with."""
    built: torch.nn.Module = get_network_from_plans(
        plan.network_arch_class_name,
        plan.network_arch_init_kwargs,
        plan.network_arch_init_kwargs_req_import,
        1,
        len(LABELS),
        deep_supervision=False,
    )
    return built


def predictors(
    size: int, slices: int, device: torch.device
) -> Iterator[tuple[str, Callable[[], object], int, Callable[[], object]]]:
    """Name, a call, its slices, and a call whose operations are those of one slice; without mirroring and with it."""
    plans = PlansManager({"plans_name": "default", "configurations": {"2d": configuration(size)}})
    plan = plans.get_configuration("2d")
    volume = torch.rand(1, slices, size, size)
    for mirrored in (False, True):
        model = network(plan).to(device).eval()
        predictor = nnUNetPredictor(use_mirroring=mirrored, device=device, allow_tqdm=False)
        predictor.manual_initialization(
            model,
            plans,
            plan,
            [model.state_dict()],
            {"labels": LABELS, "channel_names": {"0": "CT"}, "file_ending": ".nii.gz"},
            "nnUNetTrainer",
            (0, 1),
        )
        images = torch.rand(4 if mirrored else 1, 1, *plan.patch_size, device=device)
        name = "nnU-Net v2, " + ("mirrored over both axes: four passes, its default" if mirrored else "not mirrored")
        yield (
            name,
            partial(predictor.predict_logits_from_preprocessed_data, volume),
            slices,
            partial(_once, model, images),
        )


def _once(model: torch.nn.Module, images: torch.Tensor) -> None:
    with torch.no_grad():
        model(images)
