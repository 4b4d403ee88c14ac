"""What a result was made with: versions, processor, threads, devices."""

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("covid-monai", "torch", "monai", "pytorch-ignite", "numpy", "nibabel", "scipy")

# what a container or a cluster's job may use; absent outside of them
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


def describe_environment() -> dict[str, Any]:
    """Versions of what computes, the machine's processor, torch's threads and the CUDA devices."""
    import torch

    return {
        "python": sys.version.split()[0],
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": _processor(),
        "cpu_capabilities": sorted(name for name, has in torch.cpu.get_capabilities().items() if has is True),
        "threads": torch.get_num_threads(),
        "cuda": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


def describe_machine() -> dict[str, Any]:
    """Processors, memory and free disk of this process, in bytes; None for what the system does not tell."""
    memory = _memory()
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "processors": _processors(),
        "memory_bytes": memory.get("MemTotal"),
        "memory_available_bytes": memory.get("MemAvailable"),
        "folder": str(Path.cwd()),
        "disk_free_bytes": shutil.disk_usage(Path.cwd()).free,
    }


def describe_devices() -> list[dict[str, Any]]:
    """The devices that torch can compute on, and whether ``precision: auto`` means bfloat16 on them.

    Raises:
        ImportError: torch or monai is not there, or broken.
    """
    import torch

    from covid_monai.inference.autocast import bfloat16_is_fast

    devices: list[dict[str, Any]] = [{"device": "cpu", "name": _processor(), "memory_bytes": None}]
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        devices.append({"device": f"cuda:{index}", "name": about.name, "memory_bytes": about.total_memory})
    if torch.backends.mps.is_available():
        devices.append({"device": "mps", "name": "Apple GPU", "memory_bytes": None})
    return [{**one, "auto_is_bfloat16": bfloat16_is_fast(torch.device(one["device"]))} for one in devices]


def _processors() -> int | None:
    """Those that this process may use, which a cluster or container can limit."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()


def _memory() -> dict[str, int]:
    """The machine's memory in bytes, no more than the process's control group allows."""
    if sys.platform != "linux":
        return {}
    memory = {}
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name in ("MemTotal", "MemAvailable"):
            memory[name] = int(value.split()[0]) * 1024
    allowed = _MEMORY_LIMIT.read_text(encoding="utf-8").strip() if _MEMORY_LIMIT.is_file() else "max"
    return memory if allowed == "max" else {name: min(size, int(allowed)) for name, size in memory.items()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
