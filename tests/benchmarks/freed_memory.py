"""Training steps with and without the memory that tensors gave back: ``docs/performance.md``.

    python -m tests.benchmarks.freed_memory a_segnet 256 2

The arguments are a bundle, the size of its square images, and a batch. Each way has processes of its own, since what is
asked of the C library cannot be taken back; the two take turns, and the median step of each process counts.
"""

import multiprocessing
import statistics
import sys
import time

from covid_monai.environment import describe_environment, keep_freed_memory
from tests.benchmarks.training_step import Way, step_of

ROUNDS, STEPS = 3, 8


def seconds_of_step(bundle: str, size: int, batch: int, kept: bool) -> float:
    """The median of a process's steps after two that warm it up."""
    if kept and not keep_freed_memory():
        raise SystemExit("the C library is not glibc, or MALLOC_ variables are set")
    step = step_of(bundle, size, batch, Way())
    seconds = []
    for _ in range(2 + STEPS):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[2:])


def main(bundle: str, size: str, batch: str) -> None:
    """Print the range over the rounds of each way, and how many times faster the second is by their medians."""
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for kept, seconds in found.items():
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seconds.append(pool.apply(seconds_of_step, (bundle, int(size), int(batch), kept)))
    print(f"{bundle}, {batch} images of {size} x {size}, {describe_environment()['processor']}")
    for kept, seconds in found.items():
        print(f"{'kept' if kept else 'given back'}: {min(seconds):.3f} to {max(seconds):.3f} s a step")
    print(f"{statistics.median(found[False]) / statistics.median(found[True]):.2f} times as fast")


if __name__ == "__main__":
    main(*sys.argv[1:])
