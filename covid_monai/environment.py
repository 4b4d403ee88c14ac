"""What computes: devices, bfloat16, versions, the processor, and whether all that is needed is installed."""

import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_monai.errors import InputError, first_line

if TYPE_CHECKING:
    import torch
    from packaging.specifiers import SpecifierSet


def device_setting(device: str) -> str:
    """The configuration's expression for ``device``, such as ``cpu`` or ``cuda:0``.

    Raises:
        InputError: torch knows no such device, or this machine has none.
    """
    import torch

    try:
        torch.empty(0, device=torch.device(device))
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r} cannot be used ({first_line(error)}); cpu always can") from error
    return f"$torch.device({device!r})"


def synchronise(device: "torch.device") -> None:
    """Wait until a device has done all that it was given, which a GPU does later."""
    import torch

    module = torch.get_device_module(device)
    if device.type == "cuda":
        # the current GPU else, which may be another one
        module.synchronize(device)
    else:
        module.synchronize()


def bfloat16_is_fast(device: "torch.device") -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware (AVX512-BF16 or AMX; CUDA from Ampere on)."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


# of glibc's malloc.h, and the most that it takes as a limit for blocks of its heap
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_LARGEST_HEAP_BLOCK = 32 * 2**20


def keep_freed_memory() -> bool:
    """Let the process keep the memory that tensors on the CPU give back, for the tensors that come after them.

    glibc returns large blocks to the system, which fills every page of the next one with zeros; docs/performance.md has
    what that costs a training step. From now on up to 2 GiB stay with the process. Results do not change. Nothing is
    done where the ``MALLOC_`` variables of glibc say otherwise.

    Returns:
        Whether it was done; False where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    # the first alone would end glibc's own adjustment of the second, and be slower than nothing
    limits = {_M_TRIM_THRESHOLD: 2**31 - 1, _M_MMAP_THRESHOLD: _LARGEST_HEAP_BLOCK, _M_TOP_PAD: 2**28}
    return all(mallopt(option, limit) for option, limit in limits.items())


PACKAGES = ("covid-monai", "torch", "monai", "pytorch-ignite", "numpy", "nibabel", "scipy", "SimpleITK", "pydicom")

# what a container or a cluster's job may use; absent outside of them
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


def describe_environment() -> dict[str, Any]:
    """Versions of what computes, the machine's processor, torch's threads and the CUDA devices."""
    import torch

    return {
        "python": sys.version.split()[0],
        "packages": {name: _version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": processor_name(),
        "cpu_capabilities": sorted(name for name, has in torch.cpu.get_capabilities().items() if has is True),
        "threads": torch.get_num_threads(),
        "cuda": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }


def describe_machine() -> dict[str, Any]:
    """Processors, memory and free disk of this process, in bytes; None for what the system does not tell."""
    memory = _memory()
    return {
        "system": platform.platform(),
        "processor": processor_name(),
        "processors": processors(),
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

    devices: list[dict[str, Any]] = [{"device": "cpu", "name": processor_name(), "memory_bytes": None}]
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        devices.append({"device": f"cuda:{index}", "name": about.name, "memory_bytes": about.total_memory})
    if torch.backends.mps.is_available():
        devices.append({"device": "mps", "name": "Apple GPU", "memory_bytes": None})
    return [{**device, "auto_is_bfloat16": bfloat16_is_fast(torch.device(device["device"]))} for device in devices]


def processors() -> int:
    """How many processors this process may use; a cluster's job has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def openvino_version() -> str | None:
    """The version of OpenVINO; None where it is not installed."""
    try:
        return version("openvino")
    except PackageNotFoundError:
        return None


def processor_name() -> str:
    """What the machine calls its processor."""
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


PACKAGE = "covid-monai"


@dataclass(frozen=True)
class Requirement:
    """A package that this one needs, or that an optional part of it needs.

    Attributes:
        name: of the package.
        allowed: versions, such as ``"<3,>=2.10"``; "" for any.
        installed: its version, None where it is missing.
        extra: the optional part that needs it; "" where all of the package does.
        state: ``"ok"``, ``"missing"`` or ``"outside its bounds"``.
    """

    name: str
    allowed: str
    installed: str | None
    extra: str
    state: str


def installation() -> list[Requirement]:
    """Python and every package that the metadata of this one name, the optional ones last.

    Raises:
        InputError: this package is not installed, or the one that reads requirements is not.
    """
    try:
        from packaging.requirements import Requirement as Parsed
        from packaging.specifiers import SpecifierSet
    except ImportError as error:
        raise InputError("the package packaging is missing; pip install packaging") from error
    try:
        python = SpecifierSet(metadata(PACKAGE)["Requires-Python"])
        declared = [Parsed(line) for line in requires(PACKAGE) or ()]
        extras = metadata(PACKAGE).get_all("Provides-Extra") or []
    except PackageNotFoundError as error:
        raise InputError(f"{PACKAGE} is not installed, only its files are there; pip install . in them") from error
    running = platform.python_version()
    state = "ok" if python.contains(running, prereleases=True) else "outside its bounds"
    found = [Requirement("python", str(python), running, "", state)]
    for extra in ("", *extras):
        for entry in declared:
            # a requirement of all is no requirement of an extra again
            needed = entry.marker is None or entry.marker.evaluate({"extra": extra})
            if needed and (not extra or not (entry.marker is None or entry.marker.evaluate({"extra": ""}))):
                found.append(_checked(entry.name, entry.specifier, extra))
    return found


def pip_command(requirements: Iterable[Requirement]) -> str:
    """The command that installs these packages in versions that are allowed."""
    return shlex.join(["pip", "install", *(f"{requirement.name}{requirement.allowed}" for requirement in requirements)])


def _checked(name: str, allowed: "SpecifierSet", extra: str) -> Requirement:
    try:
        installed = version(name)
    except PackageNotFoundError:
        return Requirement(name, str(allowed), None, extra, "missing")
    # a build of a version that is allowed, such as 2.13.0+cpu, is that version
    fits = allowed.contains(installed, prereleases=True)
    return Requirement(name, str(allowed), installed, extra, "ok" if fits else "outside its bounds")
