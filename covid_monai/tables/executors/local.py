"""Jobs on this machine: one after the other in this process, or several in processes of their own."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from covid_monai.environment import processors
from covid_monai.errors import InputError
from covid_monai.tables.executors.queue import POLL_SECONDS, Listener, Queue
from covid_monai.tables.folder import Outcome
from covid_monai.tables.job import RunOne
from covid_monai.tables.plan import Job


def run_in_process(queue: Queue, run_job: RunOne, listener: Listener, device: str | None = None) -> None:
    """Run all jobs of ``queue`` on ``device``, the bundle's choice if None."""
    while queue:
        job = queue.take()
        if job is None:
            time.sleep(POLL_SECONDS)
            continue
        listener.started(job, None)
        queue.settle(run_job(job, device, None))


@dataclass(frozen=True)
class Slot:
    """A place where one job at a time is run."""

    device: str
    threads: int


def slots_of(device: str | None, workers: int | None, per_device: int | None) -> list[Slot]:
    """The slots of this machine.

    Args:
        device: a device that all slots are on; all GPUs if None or ``cuda``, the CPU where there is none.
        workers: how many slots at most; on the CPU how many, 2 if None.
        per_device: how many slots on each GPU; 1 if None.

    Returns:
        Slots in turn over the devices, the processors divided among them; ``OMP_NUM_THREADS`` goes before that.

    Raises:
        InputError: a number is under 1, or the machine has no such device.
    """
    for name, number in (("workers", workers), ("per-device", per_device)):
        if number is not None and number < 1:
            raise InputError(f"{name} is {number}; it must be at least 1")
    devices = _devices(device)
    if devices == ["cpu"]:
        if per_device is not None:
            raise InputError(f"`per_device` is {per_device}, but the device is cpu; give `workers` for its processes")
        count = workers or 2
    else:
        count = len(devices) * (per_device or 1)
        count = min(count, workers or count)
    threads = _threads(count)
    return [Slot(devices[index % len(devices)], threads) for index in range(count)]


def _devices(device: str | None) -> list[str]:
    import torch

    from covid_monai.environment import device_setting

    # counted without opening a context, which would take memory on the first GPU for as long as this process lives
    count = torch.cuda.device_count()
    if device is None or (device == "cuda" and count):
        return [f"cuda:{index}" for index in range(count)] or ["cpu"]
    device_setting(device)
    return [device]


def _threads(slots: int) -> int:
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return max(1, processors() // slots)


@dataclass(frozen=True)
class _Running:
    job: Job
    slot: Slot
    process: SpawnProcess
    answer: "Connection[None, Outcome]"


def run_in_processes(queue: Queue, run_job: RunOne, listener: Listener, slots: Sequence[Slot]) -> None:
    """Run all jobs of ``queue``, as many at once as there are slots.

    A process that dies takes its job with it and no other. Those that run when this one is interrupted, or dies,
    end with it; what they have trained is there for the next time.

    Args:
        queue: the jobs.
        run_job: runs one of them; it and its outcome are sent to another process.
        listener: is told of the jobs.
        slots: where they are run.
    """
    free, running = list(reversed(slots)), list[_Running]()
    try:
        while queue or running:
            while free and (job := queue.take()):
                listener.started(job, free[-1].threads)
                running.append(_start(job, run_job, free.pop()))
            if not running:
                time.sleep(POLL_SECONDS if queue else 0)
                continue
            # its answer comes before its end: a process whose answer nobody reads cannot end
            watched = [end for entry in running for end in (entry.answer, entry.process.sentinel)]
            ended = wait(watched, timeout=POLL_SECONDS)
            for entry in [entry for entry in running if entry.answer in ended or entry.process.sentinel in ended]:
                running.remove(entry)
                free.append(entry.slot)
                queue.settle(_end(entry))
    finally:
        for entry in running:
            entry.process.terminate()
        for entry in running:
            entry.process.join()


def _start(job: Job, run_job: RunOne, slot: Slot) -> _Running:
    # a forked process could not use the GPU, nor the threads that torch has started here
    context = multiprocessing.get_context("spawn")
    answer, send = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, run_job, slot, send))
    process.start()
    send.close()
    return _Running(job, slot, process, answer)


def _end(running: _Running) -> Outcome:
    try:
        outcome: Outcome | None = running.answer.recv() if running.answer.poll() else None
    except EOFError:
        outcome = None
    running.answer.close()
    running.process.join()
    if outcome is not None:
        return outcome
    code = running.process.exitcode or 0
    why = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return Outcome(running.job, "failed", f"its process {why} before it was done; `resume=True` goes on with it")


def _work(job: Job, run_job: RunOne, slot: Slot, send: "Connection[Outcome, None]") -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # before torch is imported, which reads it
    os.environ["OMP_NUM_THREADS"] = str(slot.threads)
    send.send(run_job(job, slot.device, slot.threads))


def _end_with_parent() -> None:
    """A process whose parent was killed would train on unseen and hold its job."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
