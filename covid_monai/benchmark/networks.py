"""A bundle's network at work: its training step as its trainer takes it, its inference as its segmenter does."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from covid_monai.benchmark.timing import time_calls
from covid_monai.catalog.config import build_workflow, known_settings
from covid_monai.catalog.metadata import input_channels
from covid_monai.catalog.sizes import operations_of
from covid_monai.environment import device_setting
from covid_monai.errors import InputError, building
from covid_monai.inference.segment import Segmenter, build_segmenter
from covid_monai.inference.study_record import peak_memory

TRAINING, INFERENCE = "training step", "inference"
WORK = (TRAINING, INFERENCE)

BATCHES = 2
"""How many times the network is called for the volume that inference is timed with."""


def measure_network(
    bundle: str,
    size: int,
    work: str,
    backend: str,
    precision: str,
    device: str,
    batch: int,
    rounds: int,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Seconds, floating-point operations and peak memory of one network at one size.

    Images are random, and so are the weights: neither changes how long it takes. Transforms are not part of it.

    Args:
        bundle: its name or folder.
        size: height and width of the slices that the network is given.
        work: one of ``WORK``.
        backend: ``torch`` or ``openvino``; the latter for inference alone.
        precision: ``float32`` or ``bfloat16``.
        device: such as ``cpu`` or ``cuda:0``.
        batch: slices at a time.
        rounds: see :func:`covid_monai.benchmark.timing.time_calls`.
        settings: further settings of the bundle.

    Returns:
        ``batch``, ``seconds`` of ``slices`` slices, ``flops_per_slice``, ``slices_per_second``, ``flops_per_second``,
        ``peak_memory_bytes``, of the whole process where the device is no GPU, and ``memory_before_bytes``, which of
        these the process had taken before the network was there.

    Raises:
        InputError: the network cannot be built so.
        RuntimeError: it cannot be computed so, as where memory does not suffice.
    """
    folder = Path(bundle)
    before = peak_memory(None)["process"]
    known = settings if work == TRAINING else known_settings(folder, "inference", settings)
    given = {
        **known,
        "image_size": [size, size],
        "precision": precision,
        "device": device_setting(device),
        "batch_size" if work == TRAINING else "slices_at_once": batch,
    }
    with building(folder.name):
        work_of_it = training_step(folder, given) if work == TRAINING else segmentation(folder, given)
    if backend == "openvino":
        _compute_by_openvino(work_of_it, precision)
    timing = time_calls(work_of_it.compute, rounds=rounds, device=torch.device(device))
    # before operations are counted, which computes once more
    memory = peak_memory(device)
    operations = work_of_it.operations_per_slice()
    per_second = work_of_it.slices / timing.median
    return {
        "batch": work_of_it.batch,
        "slices": work_of_it.slices,
        "seconds": asdict(timing),
        "slices_per_second": per_second,
        "flops_per_slice": operations,
        "flops_per_second": operations * per_second,
        "peak_memory_bytes": memory.get("cuda", memory["process"]),
        "memory_before_bytes": 0 if "cuda" in memory else before,
    }


@dataclass(frozen=True)
class Work:
    """What is timed, and what it is counted by.

    Attributes:
        compute: one call of it.
        network: that it is of.
        slices: that a call computes.
        batch: of them at a time.
        operations_per_slice: the floating-point operations of one slice, counted when this is called.
        segmenter: that computes it; None for training.
    """

    compute: Callable[[], object]
    network: nn.Module
    slices: int
    batch: int
    operations_per_slice: Callable[[], float]
    segmenter: Segmenter | None = None


def training_step(bundle: Path, settings: Mapping[str, Any]) -> Work:
    """A step of a bundle's trainer on random images: forward, loss, backward, optimizer.

    Algorithms are the deterministic ones where the bundle asks for them.
    """
    workflow = build_workflow(bundle, "train", settings)
    workflow.initialize()
    part: Callable[[str], Any] = workflow.parser.get_parsed_content
    network, inferer, loss_function = part("network").train(), part("train#inferer"), part("loss_function")
    optimizer, device, batch = part("optimizer"), part("device"), part("batch_size")
    height, width = part("image_size")
    images = torch.rand(batch, input_channels(bundle), height, width, device=device)
    labels = torch.randint(len(part("class_names")), (batch, 1, height, width), device=device).float()

    def step() -> None:
        # as MONAI's SupervisedTrainer does by default
        optimizer.zero_grad(set_to_none=False)
        loss_function(inferer(images, network), labels).backward()
        optimizer.step()

    return Work(step, network, batch, batch, lambda: operations_of(step) / batch)


def segmentation(bundle: Path, settings: Mapping[str, Any]) -> Work:
    """A volume through the inferer of a bundle's segmenter: all slices, ``slices_at_once`` of them at a time."""
    untrained = "$@network_def.to(device=@device, memory_format=torch.channels_last)"
    workflow = build_workflow(bundle, "inference", {**settings, "network": untrained})
    workflow.initialize()
    segmenter = build_segmenter(workflow.parser)
    batch = int(workflow.parser.get_parsed_content("slices_at_once"))
    height, width = workflow.parser.get_parsed_content("image_size")
    volume = torch.rand(1, input_channels(bundle), height, width, BATCHES * batch, device=segmenter.device)

    def compute() -> None:
        with torch.inference_mode():
            segmenter.inferer(volume, segmenter.logits)

    def operations() -> float:
        # not inference_mode, in which matrix products arrive undivided and are counted as nothing
        with torch.no_grad():
            return operations_of(lambda: segmenter.network(volume[..., 0]))

    return Work(compute, segmenter.network, BATCHES * batch, batch, operations, segmenter)


def _compute_by_openvino(work: Work, precision: str) -> None:
    """Put OpenVINO into the segmenter, without the trial that guards ``predict``: this process is for it alone."""
    from covid_monai.inference.openvino_network import OpenVinoNetwork, compile_network, convert_network

    segmenter = work.segmenter
    assert segmenter is not None
    height, width = segmenter.inferer.inferer.roi_size[:2]
    shape = (work.batch, next(work.network.parameters()).shape[1], height, width)
    try:
        model = convert_network(work.network, shape)
        segmenter.logits = OpenVinoNetwork(compile_network(model, precision, torch.get_num_threads()))
    # tracing and conversion fail in as many ways as there are operations
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[-1].lstrip("- ") if lines else type(error).__name__
        raise InputError(f"OpenVINO cannot compute it ({reason[:200]})") from error
