"""Training steps of a bundle in several ways, timed in turns within one process: ``docs/performance.md``.

    python -m tests.benchmarks.training_step a_segnet 256 2

The arguments are a bundle, the size of its square images, and a batch. The least of several rounds is taken, since
other jobs of the machine can only add to it, and all ways are timed in each round.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow
from covid_monai.environment import describe_environment

ROUNDS = 3


@dataclass(frozen=True)
class Way:
    """How a step is computed."""

    precision: str = "auto"
    layout: torch.memory_format = torch.channels_last
    compiled: bool = False


WAYS = {
    "as the bundle does it": Way(),
    "float32": Way(precision="float32"),
    "contiguous layout": Way(layout=torch.contiguous_format),
    "torch.compile": Way(compiled=True),
}


def step_of(bundle: str, size: int, batch: int, way: Way) -> Callable[[], None]:
    """A training step on random images."""
    settings = {"image_size": [size, size], "precision": way.precision}
    part = build_workflow(bundle_folder(bundle), "train", settings).parser.get_parsed_content
    network = part("network").to(memory_format=way.layout)
    loss_function, inferer, optimizer = part("loss_function"), part("train#inferer"), part("optimizer")
    image = torch.rand(batch, 1, size, size)
    label = torch.randint(len(part("class_names")), image.shape).float()
    called = torch.compile(network) if way.compiled else network

    def step() -> None:
        optimizer.zero_grad()
        loss_function(inferer(image, called), label).backward()
        optimizer.step()

    return step


def main(bundle: str, size: str, batch: str) -> None:
    """Print the least seconds of each way, and how many times faster it is than the bundle's own."""
    steps = {name: step_of(bundle, int(size), int(batch), way) for name, way in WAYS.items()}
    first, least = {}, dict.fromkeys(steps, float("inf"))
    for name, step in steps.items():
        first[name] = _seconds(step)
    for _ in range(ROUNDS):
        for name, step in steps.items():
            least[name] = min(least[name], _seconds(step))
    processor = describe_environment()["processor"]
    print(f"{bundle}, {batch} images of {size} x {size}, {torch.get_num_threads()} threads, {processor}")
    print("| way | seconds | times as fast | seconds of the first step |\n|---|---|---|---|")
    for name, seconds in least.items():
        own = least["as the bundle does it"]
        print(f"| {name} | {seconds:.3f} | {own / seconds:.2f} | {first[name]:.1f} |")


def _seconds(step: Callable[[], None]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*sys.argv[1:])
