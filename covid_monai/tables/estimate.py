"""How long the jobs of a table will take on this machine, from a training step of each of their networks."""

import gc
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, known_settings, read_config
from covid_monai.data.splits import read_split
from covid_monai.environment import device_setting, synchronise
from covid_monai.tables.plan import Job

MOST_IMAGES = 4
"""Images of the step that is measured; a larger batch is taken to need as much for each of its images."""


@dataclass(frozen=True)
class ImageSeconds:
    """Seconds of one image: in a training step, and in a forward pass without gradients."""

    training: float
    inference: float


def expected_seconds(
    jobs: Sequence[Job], output: Path, *, device: str | None = None, threads: int | None = None
) -> list[float]:
    """The seconds of each job, one after another and undisturbed; at most, where training can stop early.

    A step of each different network is measured first. Reading the data and drawing pictures is left out, which is
    little beside the networks of the papers.

    Args:
        jobs: the jobs, whose splits are in ``output``.
        output: the table's output folder.
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.
        threads: of torch; as they are if None.
    """
    measured: dict[str, ImageSeconds] = {}
    for job in jobs:
        if (key := _network_of(job)) not in measured:
            measured[key] = seconds_of_an_image(job.bundle, job.settings, device=device, threads=threads)
    _give_back_memory()
    splits = {job.split: read_split(output / job.split) for job in jobs}
    seconds = []
    for job in jobs:
        each, settings = measured[_network_of(job)], {**read_config(bundle_folder(job.bundle), "train"), **job.settings}
        fold = splits[job.split].folds[job.fold]
        # bundles of users need not have all of these
        copies = 1 + len(settings.get("copy_quarter_turns", ())) + len(settings.get("copy_scalings", ()))
        epochs = settings["epochs"]
        training = epochs * copies * len(fold.train) * each.training
        validation = epochs // settings.get("validation_interval", 1) * len(fold.validation) * each.inference
        seconds.append(training + validation + len(fold.test) * each.inference)
    return seconds


def hours_in_words(seconds: Sequence[float], at_once: int = 1) -> str:
    """The sum for so many jobs at once, as one reads it: ``about 25 minutes``, ``about 7.5 hours``."""
    hours = sum(seconds) / max(1, min(at_once, len(seconds))) / 3600
    if hours < 1:
        minutes = max(1, math.ceil(60 * hours))
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    return f"about {hours:.1f} hours" if hours < 10 else f"about {hours:.0f} hours"


def seconds_of_an_image(
    bundle: str, settings: Mapping[str, Any], *, device: str | None = None, threads: int | None = None
) -> ImageSeconds:
    """Measure a training step and a forward pass of a bundle's network on random images of its input size.

    Args:
        bundle: its name or path.
        settings: overrides of its configuration.
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.
        threads: of torch; as they are if None.
    """
    import torch

    source = bundle_folder(bundle)
    chosen = {**settings, **({"device": device_setting(device)} if device is not None else {})}
    part = build_workflow(source, "train", chosen).parser.get_parsed_content
    network, loss_function, optimizer = part("network"), part("loss_function"), part("optimizer")
    inferer, used = part("train#inferer"), part("device")
    count = min(MOST_IMAGES, part("batch_size"))
    image = torch.rand(count, 1, *part("image_size"), device=used)
    label = torch.randint(len(part("class_names")), image.shape, device=used).float()

    def step() -> None:
        optimizer.zero_grad()
        loss_function(inferer(image, network), label).backward()
        optimizer.step()

    def forward() -> None:
        with torch.inference_mode():
            inferer(image, network)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads or before)
        training = _seconds(network.train(), step, used)
        inference = _seconds(network.eval(), forward, used)
    finally:
        torch.set_num_threads(before)
    return ImageSeconds(training / count, inference / count)


def _seconds(network: Any, run: Any, device: Any) -> float:
    # the first time memory is allocated and algorithms are chosen
    run()
    synchronise(device)
    started = time.perf_counter()
    run()
    synchronise(device)
    return time.perf_counter() - started


def _give_back_memory() -> None:
    """Leave a GPU to the processes of the jobs: the networks lie in cycles, and torch keeps what it had."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()


def _network_of(job: Job) -> str:
    """What the seconds of an image depend on: the bundle, the batch, and those settings that prediction has too."""
    settings = known_settings(bundle_folder(job.bundle), "inference", job.settings)
    return json.dumps([job.bundle, job.settings.get("batch_size"), settings], sort_keys=True)
