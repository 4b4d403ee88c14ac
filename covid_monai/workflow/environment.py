"""What a result was made with: versions, processor, threads, devices."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("covid-monai", "torch", "monai", "pytorch-ignite", "numpy", "nibabel", "scipy")


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
