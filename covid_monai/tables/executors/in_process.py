"""One cell after the other, in this process."""

import time

from covid_monai.tables.cell import RunOne
from covid_monai.tables.executors.queue import POLL_SECONDS, Listener, Queue


def run(queue: Queue, run_one: RunOne, listener: Listener, device: str | None = None) -> None:
    """Run all cells of ``queue`` on ``device``, the bundle's choice if None."""
    while queue:
        cell = queue.take()
        if cell is None:
            time.sleep(POLL_SECONDS)
            continue
        listener.started(cell, None)
        queue.settle(run_one(cell, device, None))
