"""The share of a training's loop that is the network itself, not batches and their transforms: ``docs/performance.md``.

    python -m tests.benchmarks.loop_share a_segnet DATA batch_size=8

DATA is a prepared data set with its ``split.json``; settings follow. The second of two epochs counts. On a CPU it is
the process's own time, to which other jobs of the machine add little.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
from ignite.engine import Engine, Events

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow
from covid_monai.catalog.literals import parse_setting
from covid_monai.environment import describe_environment

EPOCHS = 2


class Clock:
    """Seconds of the loop's parts in the last epoch."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("loading", "transforms", "network", "the rest"), 0.0)
        self.began = 0.0
        self.runs = False

    def ends(self, part: str) -> None:
        """Count the time since the last call as that of ``part``."""
        now = self._now()
        if self.runs:
            self.seconds[part] += now - self.began
        self.began = now

    def attach(self, trainer: Any) -> None:
        """Time ``trainer`` from the start of an epoch to its last step, without what follows the epoch."""
        trainer.prepare_batch = self._around(trainer.prepare_batch)
        trainer.add_event_handler(Events.EPOCH_STARTED, self._start)
        for event, part in (
            (Events.GET_BATCH_STARTED, "the rest"),
            (Events.GET_BATCH_COMPLETED, "loading"),
            (Events.ITERATION_STARTED, "the rest"),
            (Events.ITERATION_COMPLETED, "network"),
        ):
            trainer.add_event_handler(event, self.ends, part)

    def _start(self, engine: Engine) -> None:
        self.runs = engine.state.epoch == EPOCHS
        self.began = self._now()

    @staticmethod
    def _now() -> float:
        if not torch.cuda.is_available():
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def _around(self, prepare_batch: Callable[..., Any]) -> Callable[..., Any]:
        def prepare(*arguments: Any, **options: Any) -> Any:
            self.ends("the rest")
            prepared = prepare_batch(*arguments, **options)
            self.ends("transforms")
            return prepared

        return prepare


def main(bundle: str, data: str, *settings: str) -> None:
    """Print the milliseconds of each part of a step, and the network's share of all."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as output:
        given = {"dataset_dir": data, "split_file": f"{data}/split.json", "output_dir": output}
        schedule = {"epochs": EPOCHS, "validation_interval": EPOCHS}
        workflow = build_workflow(
            bundle_folder(bundle), "train", {**given, **schedule, **dict(map(parse_setting, settings))}
        )
        workflow.initialize()
        clock.attach(workflow.trainer)
        workflow.run()
    batches = workflow.trainer.state.epoch_length
    share = clock.seconds["network"] / sum(clock.seconds.values())
    parts = ", ".join(f"{part} {1000 * seconds / batches:.1f} ms" for part, seconds in clock.seconds.items())
    print(f"{bundle}: {parts}; network {share:.1%} on {torch.get_num_threads()} threads")
    print(describe_environment()["processor"])


if __name__ == "__main__":
    main(*sys.argv[1:])
