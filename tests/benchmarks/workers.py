"""Seconds a study of ``predict`` with 1, 2, ... workers: ``docs/performance.md``.

    python -m tests.benchmarks.workers --studies 6 --slices 60

Phantom studies are drawn first. Each call is a process of its own, into an empty folder, with all processors of the
machine to share; a short one before it, which does not count, fills the disk's cache and makes the trial of back ends
for these threads. Printed are the seconds a study of the whole command, and those after its start: from where as many
studies are done as there are workers to the end.
"""

import argparse
import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from covid_monai.data.phantom.write import write_phantom
from covid_monai.environment import processor_name, processors

BACKENDS = ("torch", "openvino")


def main() -> None:
    """Print a table of back ends and workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=6)
    parser.add_argument("--slices", type=int, default=60)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--run", default="shipped")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), choices=BACKENDS)
    options = parser.parse_args()
    if options.studies <= max(options.workers):
        parser.error(f"{options.studies} studies are too few for {max(options.workers)} workers")
    with TemporaryDirectory(prefix="covid-monai-") as name:
        folder = Path(name)
        images = write_phantom(folder / "in", options.studies, size=options.size, slices=options.slices)
        size = f"{options.size} x {options.size} x {options.slices}"
        print(f"{options.studies} studies of {size}, {processors()} processors, {processor_name()}")
        print("| back end | workers | seconds a study | after the start |\n|---|---|---|---|")
        for backend, workers in product(options.backends, options.workers):
            ways = ["--run", options.run, "--backend", backend, "--workers", str(workers)]
            seconds_of(images[:workers], folder / f"{backend}-{workers}-before", ways)
            ends = seconds_of(images, folder / f"{backend}-{workers}", ways)
            later = (ends[-1] - ends[workers - 1]) / (options.studies - workers)
            print(f"| {backend} | {workers} | {ends[-1] / options.studies:.1f} | {later:.1f} |", flush=True)


def seconds_of(images: list[Path], output: Path, ways: list[str]) -> list[float]:
    """When each study was done, in seconds after the start of a command."""
    command = [sys.executable, "-m", "covid_monai", "predict", *map(str, images), "-o", str(output), "--measure", *ways]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment["PYTHONUNBUFFERED"] = "1"
    begun, ends = time.perf_counter(), []
    errors = output.with_suffix(".txt")
    with (
        open(errors, "w") as told,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=told, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            # a study has a line with its folder, and then one with what was measured
            if not line.startswith(" "):
                ends.append(time.perf_counter() - begun)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{errors.read_text()}")
    return ends


if __name__ == "__main__":
    main()
