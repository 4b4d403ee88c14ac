"""The share of a training's loop that is the step itself, and not the loading of batches: ``docs/performance.md``.

    python -m tests.benchmarks.loop_share a_segnet DATA batch_size=8

DATA is a prepared data set with its ``split.json``; settings follow. The second of two epochs counts, when all is
cached.
"""

import sys
import tempfile
import time

from ignite.engine import Engine, Events

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow
from covid_monai.catalog.literals import parse_setting


def main(bundle: str, data: str, *settings: str) -> None:
    """Print the seconds of loading and of the step of a batch, and the step's share."""
    with tempfile.TemporaryDirectory() as output:
        given = {"dataset_dir": data, "split_file": f"{data}/split.json", "output_dir": output}
        schedule = {"epochs": 2, "validation_interval": 2}
        workflow = build_workflow(
            bundle_folder(bundle), "train", {**given, **schedule, **dict(map(parse_setting, settings))}
        )
        workflow.initialize()
        clock = {"loading": 0.0, "step": 0.0}
        began = time.perf_counter()

        def count(engine: Engine, what: str) -> None:
            nonlocal began
            now = time.perf_counter()
            if engine.state.epoch == 2 and what:
                clock[what] += now - began
            began = now

        trainer = workflow.trainer
        trainer.add_event_handler(Events.GET_BATCH_STARTED, count, "")
        trainer.add_event_handler(Events.GET_BATCH_COMPLETED, count, "loading")
        trainer.add_event_handler(Events.ITERATION_COMPLETED, count, "step")
        workflow.run()
    batches = trainer.state.epoch_length
    share = clock["step"] / sum(clock.values())
    loading, step = (seconds / batches for seconds in clock.values())
    print(f"{bundle}: loading {loading:.3f} s, step {step:.3f} s, {share:.1%} of both")


if __name__ == "__main__":
    main(*sys.argv[1:])
