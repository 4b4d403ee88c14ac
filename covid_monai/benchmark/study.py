"""A whole study through ``predict``: the seconds of each stage, as its record has them."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from covid_monai.data.phantom import write_phantom
from covid_monai.errors import InputError, collecting_warnings
from covid_monai.files import read_json
from covid_monai.inference.inputs import Inputs, find_inputs
from covid_monai.inference.predict import predict
from covid_monai.inference.study_record import RECORD, peak_memory, without_identifiers

PHANTOM_SIZE = 512
"""Height and width of the slices of the phantom."""

WHOLE = "all, and loading the model"
"""The row beside the stages: from the call of ``predict`` to its end."""


def draw_study(folder: str, slices: int) -> str:
    """The path of a phantom of ``slices`` slices of 512 x 512 in ``folder``, for a benchmark without a CT.

    Raises:
        InputError: there are too few slices.
    """
    (image,) = write_phantom(folder, 1, size=PHANTOM_SIZE, slices=slices)
    return str(image)


def one_study(study: str | os.PathLike[str]) -> Inputs:
    """What ``predict`` finds at a path, if that is one study.

    Raises:
        InputError: there is none, there are several, or it cannot be read.
    """
    found = find_inputs([study], measure=True)
    if len(found) != 1:
        raise InputError(f"{os.fspath(study)} is {len(found)} studies; give one of them")
    if found.studies[0].error is not None:
        raise InputError(found.studies[0].error)
    return found


def measure_study(study: str, device: str, precision: str | None, rounds: int) -> dict[str, Any]:
    """Seconds of each stage of one study with the shipped model, its page included, and the peak memory of the process.

    It is predicted once before that counts, into a new folder each time.

    Args:
        study: a CT as ``predict`` takes it, that is one study.
        device: such as ``cpu`` or ``cuda:0``.
        precision: see :func:`covid_monai.inference.model.load`.
        rounds: how often it is predicted after the first time.

    Returns:
        ``shape``, ``format``, ``backend``, ``stages`` (the seconds of the rounds by stage) and ``peak_memory_bytes``.

    Raises:
        InputError: the study cannot be used, or it is several.
    """
    given = one_study(study)
    stages: dict[str, list[float]] = {}
    record: dict[str, Any] = {}
    with TemporaryDirectory(prefix="covid-monai-") as folder, collecting_warnings():
        for number in range(rounds + 1):
            start = time.perf_counter()
            (done,) = predict(given, Path(folder) / str(number), page=True, device=device, precision=precision)
            whole = time.perf_counter() - start
            if done.mask is None:
                # what comes of this may be shown to others
                raise InputError(without_identifiers(str(done.error), given.studies[0]))
            record = read_json(done.mask.parent / RECORD)
            # the first one reads from the disk what the others find in memory
            if number:
                for stage, seconds in {**record["seconds"], WHOLE: whole}.items():
                    stages.setdefault(stage, []).append(seconds)
    memory = peak_memory(device)
    return {
        "shape": record["read"]["shape"],
        "format": record["read"]["format"],
        "backend": record["backend"],
        "stages": stages,
        "peak_memory_bytes": memory["process"],
        "peak_cuda_memory_bytes": memory.get("cuda"),
    }
