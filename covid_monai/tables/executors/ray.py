"""Jobs on a Ray cluster, or on a local Ray of this machine. Its nodes must share the output folder and the data."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from covid_monai.errors import InputError, first_line
from covid_monai.tables.executors.queue import POLL_SECONDS, Listener, Queue
from covid_monai.tables.folder import Outcome
from covid_monai.tables.job import RunOne
from covid_monai.tables.plan import Job

RETRIES = 3
"""How often a job is started again whose worker has died; it goes on from its last epoch."""


def run(
    queue: Queue,
    run_job: RunOne,
    listener: Listener,
    workers: int | None = None,
    per_device: int | None = None,
    device: str | None = None,
) -> None:
    """Run all jobs of ``queue`` on the cluster of ``RAY_ADDRESS``, or on a Ray that is started here.

    Args:
        queue: the jobs.
        run_job: runs one of them; it and its outcome are sent to other processes.
        listener: is told of the jobs.
        workers: how many at once at most; as many as the cluster has room for if None.
        per_device: how many share a GPU; 1 if None.
        device: ``cpu`` leaves the cluster's GPUs alone; they are used if None or ``cuda``.

    Raises:
        InputError: Ray is not installed or cannot be reached, or the cluster has no such device.
    """
    check_device(device)
    with _connected() as ray:
        resources = ray.cluster_resources()
        gpus = 0 if device == "cpu" else int(resources.get("GPU", 0))
        if device == "cuda" and not gpus:
            raise InputError("device is cuda, but no node of the Ray cluster has a GPU; leave it away, or give cpu")
        processors = int(resources.get("CPU", 1))
        room = gpus * (per_device or 1) if gpus else workers or processors
        room = min(room, workers or room)
        # more than a node has would wait for ever
        threads = max(1, min(processors // room, processors_of_smallest_node(ray, with_gpu=gpus > 0)))
        # max_calls: a process a job, so that its memory is its own and nothing is left of it for the next
        task = ray.remote(
            max_calls=1, max_retries=RETRIES, num_cpus=threads, num_gpus=1 / (per_device or 1) if gpus else 0
        )(_work)
        _run(ray, task, queue, run_job, listener, room, ("cuda:0" if gpus else "cpu", threads))


def check_device(device: str | None) -> None:
    """Refuse a device that has a number.

    Raises:
        InputError: ``device`` is neither ``cpu`` nor ``cuda`` nor None.
    """
    if device not in (None, "cpu", "cuda"):
        raise InputError(f"device is {device}, but Ray gives every job its own; it can be cpu, cuda, or left away")


def processors_of_smallest_node(ray: Any, with_gpu: bool) -> int:
    """Of the nodes that jobs can run on."""
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    usable = [resource for resource in resources if resource.get("CPU") and (resource.get("GPU") or not with_gpu)]
    return min((int(entry["CPU"]) for entry in usable), default=1)


def _run(
    ray: Any, task: Any, queue: Queue, run_job: RunOne, listener: Listener, room: int, where: tuple[str, int]
) -> None:
    running: dict[Any, Job] = {}
    try:
        while queue or running:
            while len(running) < room and (job := queue.take()):
                listener.started(job, where[1])
                running[task.remote(run_job, job, *where)] = job
            if not running:
                time.sleep(POLL_SECONDS if queue else 0)
                continue
            ended, _ = ray.wait(list(running), timeout=POLL_SECONDS)
            for reference in ended:
                queue.settle(_outcome(ray, reference, running.pop(reference)))
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def _work(run_job: RunOne, job: Job, device: str, threads: int) -> Outcome:
    return run_job(job, device, threads)


def _outcome(ray: Any, reference: Any, job: Job) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
    except ray.exceptions.RayError as error:
        return Outcome(job, "failed", f"its worker was lost ({first_line(error)}); `resume=True` goes on with it")
    return outcome


@contextmanager
def _connected() -> Iterator[Any]:
    """The module ``ray``, with a cluster behind it."""
    # Ray tells its makers of its use unless it is told not to
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise InputError("Ray is not installed; `pip install 'covid-monai[cluster]'` brings it") from error
    if ray.is_initialized():
        yield ray
        return
    try:
        # without an address Ray would join whatever cluster it finds traces of on this machine
        ray.init(address=os.environ.get("RAY_ADDRESS", "local"), include_dashboard=False, logging_level="warning")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"Ray cannot be reached or started ({first_line(error)}); RAY_ADDRESS is the head's, and "
            "RAY_AUTH_TOKEN that which it was started with"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
