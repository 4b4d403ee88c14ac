"""Processes that share this machine: spawned, each with its part of the processors, and ended with this one."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from covid_monai.environment import processors

GRACE_SECONDS = 20.0
"""How long a process that is asked to end may tidy up."""


@dataclass(frozen=True)
class Slot:
    """A place where one job at a time is run."""

    device: str
    threads: int


def devices_of(device: str | None) -> list[str]:
    """The devices of this machine that ``device`` means: all GPUs if None or ``cuda``, the CPU where there is none.

    Raises:
        InputError: the machine has no such device.
    """
    import torch

    from covid_monai.environment import device_setting

    # counted without opening a context, which would take memory on the first GPU for as long as this process lives
    count = torch.cuda.device_count()
    if device is None or (device == "cuda" and count):
        return [f"cuda:{index}" for index in range(count)] or ["cpu"]
    device_setting(device)
    return [device]


def slots_on(devices: list[str], count: int) -> list[Slot]:
    """So many slots, in turn over the devices, with the processors divided among them."""
    threads = threads_of_each(count)
    return [Slot(devices[index % len(devices)], threads) for index in range(count)]


def threads_of_each(count: int) -> int:
    """The threads of each of so many processes: its part of the processors; ``OMP_NUM_THREADS`` goes before that."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else max(1, processors() // count)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch have so many threads within."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class DiedError(Exception):
    """A process ended before it had answered; the message says how, as in ``was killed by SIGKILL``."""


@dataclass(frozen=True, eq=False)
class Child:
    """A process that this one has started, and the connection to it."""

    process: SpawnProcess
    connection: "Connection[Any, Any]"

    def send(self, content: Any) -> None:
        """Send what it is to work on; where it has ended, :meth:`answer` says so."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(content)

    def answer(self) -> Any:
        """What it sends next.

        Raises:
            DiedError: it has ended and sent nothing.
        """
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.connection.close()
            self.process.join()
        code = self.process.exitcode or 0
        raise DiedError(f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}")


def start_child(work: Callable[..., object], *arguments: Any, threads: int) -> Child:
    """Call ``work(connection, *arguments)`` in a process of its own, with so many threads of OpenMP.

    Args:
        work: a function of a module; it and its arguments are pickled.
        arguments: what it is called with, after its end of the connection.
        threads: that OpenMP may have there.
    """
    # a forked process could not use the GPU, nor the threads that torch has started here
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, threads, pickle.dumps((work, arguments))))
    process.start()
    # so that its end is the end of the connection
    theirs.close()
    return Child(process, ours)


def wait_for(children: Iterable[Child], seconds: float | None = None) -> list[Child]:
    """Those that have sent something or have ended, as soon as one has, or after so many seconds."""
    by_connection = {child.connection: child for child in children}
    return [by_connection[ready] for ready in wait(list(by_connection), timeout=seconds) if ready in by_connection]


def end_all(children: Iterable[Child]) -> None:
    """End processes that are not wanted any more: by SIGTERM, and by SIGKILL where that takes too long."""
    left = list(children)
    for child in left:
        child.process.terminate()
    for child in left:
        child.process.join(GRACE_SECONDS)
        child.process.kill()
        child.process.join()
        child.connection.close()


def _run(connection: "Connection[Any, Any]", threads: int, content: bytes) -> None:
    # Ctrl-C reaches all processes of a terminal; it is the first one that ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # an ordinary end, so that what is being written is removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # before torch is imported, which reads it
    os.environ["OMP_NUM_THREADS"] = str(threads)
    work, arguments = pickle.loads(content)
    work(connection, *arguments)


def _end_with_parent() -> None:
    """A process whose parent was killed would compute on unseen and hold its locks."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
