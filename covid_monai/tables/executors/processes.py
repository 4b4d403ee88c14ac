"""Cells in processes of this machine, one process a cell: its memory, its GPU and its crash are its own."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from covid_monai.tables.cell import RunOne
from covid_monai.tables.executors.lanes import Lane
from covid_monai.tables.executors.queue import POLL_SECONDS, Listener, Queue
from covid_monai.tables.outcome import Outcome
from covid_monai.tables.plan import Cell


@dataclass(frozen=True)
class _Running:
    cell: Cell
    lane: Lane
    process: SpawnProcess
    answer: "Connection[None, Outcome]"


def run(queue: Queue, run_one: RunOne, listener: Listener, lanes: Sequence[Lane]) -> None:
    """Run all cells of ``queue``, as many at once as there are lanes.

    A process that dies takes its cell with it and no other. Those that run when this one is interrupted, or dies,
    end with it; what they have trained is there for the next time.

    Args:
        queue: the cells.
        run_one: runs one of them; it and its outcome are sent to another process.
        listener: is told of the cells.
        lanes: where they are run.
    """
    free, running = list(reversed(lanes)), list[_Running]()
    try:
        while queue or running:
            while free and (cell := queue.take()):
                listener.started(cell, free[-1].threads)
                running.append(_start(cell, run_one, free.pop()))
            if not running:
                time.sleep(POLL_SECONDS if queue else 0)
                continue
            # its answer comes before its end: a process whose answer nobody reads cannot end
            watched = [end for one in running for end in (one.answer, one.process.sentinel)]
            ended = wait(watched, timeout=POLL_SECONDS)
            for one in [one for one in running if one.answer in ended or one.process.sentinel in ended]:
                running.remove(one)
                free.append(one.lane)
                queue.settle(_end(one))
    finally:
        for one in running:
            one.process.terminate()
        for one in running:
            one.process.join()


def _start(cell: Cell, run_one: RunOne, lane: Lane) -> _Running:
    # a forked process could not use the GPU, nor the threads that torch has started here
    context = multiprocessing.get_context("spawn")
    answer, send = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(cell, run_one, lane, send))
    process.start()
    send.close()
    return _Running(cell, lane, process, answer)


def _end(one: _Running) -> Outcome:
    try:
        outcome: Outcome | None = one.answer.recv() if one.answer.poll() else None
    except EOFError:
        outcome = None
    one.answer.close()
    one.process.join()
    if outcome is not None:
        return outcome
    code = one.process.exitcode or 0
    why = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return Outcome(one.cell, "failed", f"its process {why} before it was done; --resume goes on with it")


def _work(cell: Cell, run_one: RunOne, lane: Lane, send: "Connection[Outcome, None]") -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # before torch is imported, which reads it
    os.environ["OMP_NUM_THREADS"] = str(lane.threads)
    send.send(run_one(cell, lane.device, lane.threads))


def _end_with_parent() -> None:
    """A process whose parent was killed would train on unseen and hold its cell."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
