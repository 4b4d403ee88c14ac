"""All measurements of a machine, one after another: what it reaches, each network, a whole study."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from covid_monai import environment
from covid_monai.benchmark.process import measure_apart
from covid_monai.benchmark.table import FORMAT, VERSION, Benchmark
from covid_monai.catalog.bundles import SUFFIX, bundle_folder, bundle_names, stored_name
from covid_monai.catalog.config import check_settings, read_config
from covid_monai.catalog.sizes import COUNTED
from covid_monai.errors import InputError

SIZES = (256, 369, 512)
"""Height and width of slices: what most networks are compared at, Chen's paper's, and a scanner's own."""

GIVEN = "study that was given"
PHANTOM, NO_STUDY = "phantom", "none"
"""Names in place of a study's path: one that is drawn, or none."""

BATCH = 4
"""As many as the bundles' inference takes, unless it is told otherwise."""

REPEATS = 5
PHANTOM_SLICES = 100

LIMITS_OF_ROWS = {"share_of_convolution": "convolution", "share_of_matrix_product": "matrix product"}

_FIGURES = (
    "batch",
    "slices",
    "seconds",
    "slices_per_second",
    "flops_per_slice",
    "flops_per_second",
    "peak_memory_bytes",
    "memory_before_bytes",
)
_FIGURES_OF_STUDY = ("shape", "format", "backend", "stages", "peak_memory_bytes", "peak_cuda_memory_bytes")


def measure_machine(
    *,
    bundles: Sequence[str] | None = None,
    sizes: Sequence[int] = SIZES,
    device: str | None = None,
    precisions: Sequence[str] | None = None,
    batch: int = BATCH,
    repeats: int = REPEATS,
    study: str | os.PathLike[str] = PHANTOM,
    phantom_slices: int = PHANTOM_SLICES,
    settings: Mapping[str, Any] | None = None,
    report: Callable[[str], object] | None = None,
) -> Benchmark:
    """Time training steps and inference of networks, a whole study, and what the device reaches; in minutes to an hour.

    Each is measured in a process of its own, one at a time, so that its peak memory is its own. What fails there, for
    want of memory or of an operation, has its reason in the row instead of figures.

    Args:
        bundles: names or folders; None for all of the package.
        sizes: heights and widths of slices.
        device: such as ``cpu`` or ``cuda:0``; None for a GPU where there is one.
        precisions: ``float32``, ``bfloat16``; None for the one that the bundles choose on this device.
        batch: slices at a time, the same for all, so that their memory compares too.
        repeats: how often each is timed after a warm-up; less often where that takes minutes.
        study: a CT that ``predict`` takes, ``phantom`` for a drawn one, or ``none``.
        phantom_slices: of the drawn one, whose slices are 512 x 512.
        settings: further settings of the bundles, such as ``channels``.
        report: called with lines of progress.

    Raises:
        InputError: a bundle, device, size or setting cannot be used, or the study is none.
    """
    tell, began = report or (lambda _: None), datetime.now(timezone.utc)
    folders = [bundle_folder(name) for name in (bundles or bundle_names())]
    chosen = dict(settings or {})
    for folder, size in product(folders, sizes):
        _check_size(folder, size, chosen)
    place = device or _default_device()
    environment.device_setting(place)
    formats = list(precisions or [_default_precision(place)])
    _check_study(study)
    cases = list(_cases(folders, sizes, formats, place))
    tell(f"{len(cases) + len(formats)} measurements" + ("" if study == NO_STUDY else " and a study"))
    limits = [row for precision in formats for row in _limits(place, precision, repeats, tell)]
    networks = []
    for number, case in enumerate(cases, 1):
        tell(f"{number}/{len(cases)} {_words(case)}")
        own = {"device": place, "batch": batch, "rounds": repeats, "settings": chosen}
        networks.append(_with_shares(_network(case, own, tell), limits))
    return Benchmark(
        {
            "format": FORMAT,
            "version": VERSION,
            "date": began.isoformat(timespec="seconds"),
            "device": place,
            "device_name": _device_name(place),
            "processors": environment.processors(),
            "environment": environment.describe_environment(),
            "openvino": environment.openvino_version(),
            "repeats": repeats,
            "counted": COUNTED,
            "settings": chosen,
            "limits": limits,
            "networks": networks,
            "study": _study(study, phantom_slices, place, precisions, repeats, tell),
        }
    )


def _check_size(folder: Path, size: int, settings: Mapping[str, Any]) -> None:
    given = {**settings, "image_size": [size, size]}
    try:
        check_settings(read_config(folder, "train"), given, where=folder.name, bundle=folder)
    except InputError as error:
        raise InputError(f"{folder.name.removesuffix(SUFFIX)} at {size} x {size}: {error}") from error


def _check_study(study: str | os.PathLike[str]) -> None:
    from covid_monai.benchmark.study import one_study

    if study not in (PHANTOM, NO_STUDY):
        one_study(study)


def _cases(
    folders: Iterable[Path], sizes: Sequence[int], formats: Sequence[str], device: str
) -> Iterator[dict[str, Any]]:
    backends = ["torch"]
    if environment.openvino_version() is not None and device.startswith("cpu"):
        backends.append("openvino")
    works = [("training step", "torch"), *(("inference", backend) for backend in backends)]
    for folder, size, precision, (work, backend) in product(folders, sizes, formats, works):
        yield {"bundle": folder, "size": size, "work": work, "backend": backend, "precision": precision}


def _words(case: Mapping[str, Any]) -> str:
    name = case["bundle"].name.removesuffix(SUFFIX)
    return f"{name} {case['size']} x {case['size']}, {case['work']}, {case['backend']} {case['precision']}"


def _limits(device: str, precision: str, rounds: int, tell: Callable[[str], object]) -> list[dict[str, Any]]:
    tell(f"what {device} reaches in {precision}")
    try:
        rows = measure_apart("limits", {"device": device, "precision": precision, "rounds": rounds})
        found = [{**row, "error": None} for row in rows]
    except InputError as error:
        found = [{"name": name, "precision": precision, "error": str(error)} for name in LIMITS_OF_ROWS.values()]
    for row in found:
        tell(f"    {row['name']}: " + (row["error"] or f"{row['flops_per_second'] / 1e9:.0f} GFLOP/s"))
    return found


def _network(case: Mapping[str, Any], own: Mapping[str, Any], tell: Callable[[str], object]) -> dict[str, Any]:
    named = {**case, "bundle": stored_name(case["bundle"])}
    try:
        figures = measure_apart("network", {**case, **own, "bundle": str(case["bundle"])})
    except InputError as error:
        tell(f"    {error}")
        return {**named, **dict.fromkeys(_FIGURES), "error": str(error)}
    tell(f"    {figures['slices_per_second']:.3g} slices/s")
    return {**named, **figures, "error": None}


def _with_shares(row: dict[str, Any], limits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A row with its share of what the device reaches in the same precision; None where either was not measured."""
    reached = {
        limit["name"]: limit["flops_per_second"]
        for limit in limits
        if limit["error"] is None and limit["precision"] == row["precision"]
    }
    achieved = row["flops_per_second"]
    shares = {
        share: achieved / reached[name] if achieved is not None and name in reached else None
        for share, name in LIMITS_OF_ROWS.items()
    }
    return {**row, **shares}


def _study(
    study: str | os.PathLike[str],
    slices: int,
    device: str,
    precisions: Sequence[str] | None,
    rounds: int,
    tell: Callable[[str], object],
) -> dict[str, Any] | None:
    """The study's figures; None where none is asked for."""
    if study == NO_STUDY:
        return None
    # names of files can be those of patients
    name = PHANTOM if study == PHANTOM else GIVEN
    try:
        with TemporaryDirectory(prefix="covid-monai-") as folder:
            ct = str(Path(study).absolute())
            if study == PHANTOM:
                tell(f"drawing a phantom of {slices} slices")
                # apart, since it takes much memory
                ct = measure_apart("phantom", {"folder": folder, "slices": slices})
            tell(f"{rounds + 1} times: {name}")
            precision = precisions[0] if precisions else None
            arguments = {"study": ct, "device": device, "precision": precision, "rounds": rounds}
            figures = measure_apart("study", arguments)
    except InputError as error:
        tell(f"    {error}")
        return {"name": name, **dict.fromkeys(_FIGURES_OF_STUDY), "error": str(error)}
    return {"name": name, **figures, "error": None}


def _default_device() -> str:
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def _default_precision(device: str) -> str:
    import torch

    return "bfloat16" if environment.bfloat16_is_fast(torch.device(device)) else "float32"


def _device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else environment.processor_name()
