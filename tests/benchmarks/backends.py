"""Slices a second of a trained network with each back end and precision, in turns: ``docs/performance.md``.

    python -m tests.benchmarks.backends runs/first

The argument is a run, or ``shipped``. The least of several rounds is taken, since other jobs of the machine can only
add to it. What cannot be used is named with its reason.
"""

import sys
import time
from itertools import product

import torch

import covid_monai as cm
from covid_monai.environment import describe_environment
from covid_monai.errors import InputError
from covid_monai.inference.backends import PRECISIONS

ROUNDS = 5
SLICES = 16


def main(run: str) -> None:
    """Print the least milliseconds a slice of each way."""
    segmenters, size, refused = {}, (), {}
    ways = [way for way in product(("torch", "openvino"), PRECISIONS) if way != ("torch", "int8")]
    for backend, precision in ways:
        try:
            model = cm.load(run, device="cpu", backend=backend, precision=precision)
            segmenters[backend, precision] = model._segmenter
            # a SliceInferer that was called has a third number in it
            size = tuple(model._segmenter.inferer.inferer.roi_size)
        except InputError as error:
            refused[backend, precision] = str(error)
    least = dict.fromkeys(segmenters, float("inf"))
    for number in range(ROUNDS + 1):
        for way, segmenter in segmenters.items():
            volume = torch.rand(1, 1, *size, SLICES)
            started = time.perf_counter()
            with torch.inference_mode():
                segmenter.inferer(volume, segmenter.logits)
            # the first one prepares what the others use
            if number:
                least[way] = min(least[way], time.perf_counter() - started)
    print(f"{torch.get_num_threads()} threads, {describe_environment()['processor']}")
    print("| back end | precision | milliseconds a slice |\n|---|---|---|")
    for (backend, precision), seconds in least.items():
        print(f"| {backend} | {precision} | {1000 * seconds / SLICES:.1f} |")
    for (backend, precision), reason in refused.items():
        print(f"| {backend} | {precision} | {reason} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
