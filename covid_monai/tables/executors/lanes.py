"""How many cells are run at once on one machine, each on which device and with how many threads."""

import os
from dataclasses import dataclass

from covid_monai.errors import InputError


@dataclass(frozen=True)
class Lane:
    """A place where one cell at a time is run."""

    device: str
    threads: int


def lanes_of(device: str | None, workers: int | None, per_device: int | None) -> list[Lane]:
    """The lanes of this machine.

    Args:
        device: a device that all lanes are on; all GPUs if None or ``cuda``, the CPU where there is none.
        workers: how many lanes at most; on the CPU how many, 2 if None.
        per_device: how many lanes on each GPU; 1 if None.

    Returns:
        Lanes in turn over the devices, the processors divided among them; ``OMP_NUM_THREADS`` goes before that.

    Raises:
        InputError: a number is under 1, or the machine has no such device.
    """
    for name, number in (("workers", workers), ("per-device", per_device)):
        if number is not None and number < 1:
            raise InputError(f"{name} is {number}; it must be at least 1")
    devices = _devices(device)
    if devices == ["cpu"]:
        if per_device is not None:
            raise InputError(f"per-device is {per_device}, but the device is cpu; give --workers for its processes")
        count = workers or 2
    else:
        count = len(devices) * (per_device or 1)
        count = min(count, workers or count)
    threads = _threads(count)
    return [Lane(devices[index % len(devices)], threads) for index in range(count)]


def processors() -> int:
    """How many processors this process may use; a cluster's job has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _devices(device: str | None) -> list[str]:
    import torch

    from covid_monai.workflow.device import device_setting

    # counted without opening a context, which would take memory on the first GPU for as long as this process lives
    count = torch.cuda.device_count()
    if device is None or (device == "cuda" and count):
        return [f"cuda:{index}" for index in range(count)] or ["cpu"]
    device_setting(device)
    return [device]


def _threads(lanes: int) -> int:
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return max(1, processors() // lanes)
