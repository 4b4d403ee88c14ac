"""Jobs on this machine: one after the other in this process, or several in processes of their own."""

import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

from covid_monai.errors import InputError
from covid_monai.processes import Child, DiedError, Slot, devices_of, end_all, slots_on, start_child, wait_for
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
    devices = devices_of(device)
    if devices == ["cpu"]:
        if per_device is not None:
            raise InputError(f"`per_device` is {per_device}, but the device is cpu; give `workers` for its processes")
        count = workers or 2
    else:
        count = len(devices) * (per_device or 1)
        count = min(count, workers or count)
    return slots_on(devices, count)


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
    free = list(reversed(slots))
    running: dict[Child, tuple[Job, Slot]] = {}
    try:
        while queue or running:
            while free and (job := queue.take()):
                slot = free.pop()
                listener.started(job, slot.threads)
                running[start_child(_work, job, run_job, slot, threads=slot.threads)] = job, slot
            if not running:
                time.sleep(POLL_SECONDS if queue else 0)
                continue
            for child in wait_for(running, POLL_SECONDS):
                job, slot = running.pop(child)
                free.append(slot)
                queue.settle(_outcome(child, job))
    finally:
        end_all(running)


def _outcome(child: Child, job: Job) -> Outcome:
    try:
        # before its end: a process whose answer nobody reads cannot end
        outcome: Outcome = child.answer()
    except DiedError as died:
        return Outcome(job, "failed", f"its process {died} before it was done; `resume=True` goes on with it")
    child.process.join()
    child.connection.close()
    return outcome


def _work(connection: "Connection[Outcome, None]", job: Job, run_job: RunOne, slot: Slot) -> None:
    connection.send(run_job(job, slot.device, slot.threads))
