"""``run.json`` of a study: what was read, with what it was segmented and measured, and how long each stage took."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import covid_monai
from covid_monai.environment import describe_environment
from covid_monai.errors import InputError
from covid_monai.exchange.formats import NIFTI_ALONE, Formats
from covid_monai.files import read_json, sha256_of
from covid_monai.inference.mask_record import Origin, as_json
from covid_monai.inference.study_inputs import StudyInput
from covid_monai.measurements.definitions import (
    DEFINITIONS_VERSION,
    FLOOR_ML,
    FLOOR_PERCENT,
    GROUND_GLASS_BELOW_HU,
)
from covid_monai.studies import Study
from covid_monai.study_page import PAGE, THUMBNAIL

FORMAT = "covid-monai study"
VERSION = 1
RECORD = "run.json"

DICOM_SEG = "dicom_seg"
"""Where a record has how a DICOM-SEG was written."""

DONE, FAILED = "done", "failed"

# at least five numbers with points between them: no version and no measure has as many
_UID = re.compile(r"\b\d+(?:\.\d+){4,}\b")


@dataclass(frozen=True)
class StudySettings:
    """How studies are read and measured.

    Attributes:
        intensity: how values are read; a mode of :mod:`covid_monai.transforms.intensity`.
        spacing: ``auto``, ``known`` or ``unknown``: whether the spacing is real.
        ground_glass_below: see :func:`covid_monai.measurements.measure`.
        floor_ml: see :func:`covid_monai.measurements.measure`.
        floor_percent: see :func:`covid_monai.measurements.measure`.
        keep_identifiers: whether paths and UIDs stand in what is written.
    """

    intensity: str = "checked"
    spacing: str = "auto"
    ground_glass_below: float = GROUND_GLASS_BELOW_HU
    floor_ml: float = FLOOR_ML
    floor_percent: float = FLOOR_PERCENT
    keep_identifiers: bool = False

    @property
    def spacing_known(self) -> bool | None:
        """As :func:`covid_monai.studies.read_study` takes it."""
        return {"auto": None, "known": True, "unknown": False}[self.spacing]


def record_of_study(
    key: str,
    given: StudyInput,
    digests: Sequence[str],
    settings: StudySettings,
    *,
    origin: Origin | None,
    mask: Mapping[str, str] | None = None,
    study: Study | None = None,
    device: str | None = None,
    warnings: Sequence[str] = (),
    outputs: Mapping[str, Path] | None = None,
    seconds: Mapping[str, float] | None = None,
    error: str | None = None,
    trained_on: Sequence[str] = (),
    formats: Formats = NIFTI_ALONE,
) -> dict[str, Any]:
    """What ``run.json`` holds.

    Args:
        key: of the study.
        given: what was read.
        digests: SHA-256 of its files.
        settings: of reading and measuring.
        origin: the model; None where a mask was given.
        mask: of a mask that was given: its SHA-256, that of the lungs, and what its values are.
        study: what was read; None where it could not be.
        device: that the network ran on.
        warnings: what was assumed, or is not as sure as one may believe.
        outputs: the complete files, by their names.
        seconds: per stage.
        error: why there is no result; None where there is.
        trained_on: what the weights were trained on, in words.
        formats: what was written beside NIfTI.
    """
    kept = settings.keep_identifiers
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "study": key,
        "state": DONE if error is None else FAILED,
        "error": error if kept or error is None else without_identifiers(error, given),
        **_made_with(digests, settings, origin, mask),
        "trained_on": list(trained_on),
        "software": f"covid-monai {covid_monai.__version__}",
        "environment": describe_environment(),
        "backend": asdict(origin.backend) if origin is not None else None,
        "device": device,
        "read": _read(study),
        "assumed": [text if kept else without_identifiers(text, given) for text in warnings],
        DICOM_SEG: formats.of_segmentation(),
        "outputs": {name: sha256_of(file) for name, file in (outputs or {}).items()},
        "seconds": dict(seconds or {}),
        "peak_memory_bytes": peak_memory(device),
    }
    if kept:
        content["identifiers"] = _identifiers(given, study)
    return content


def _made_with(
    digests: Sequence[str], settings: StudySettings, origin: Origin | None, mask: Mapping[str, str] | None
) -> dict[str, Any]:
    """What a result depends on: where this is the same, so is the result."""
    model = None
    if origin is not None:
        model = {
            "bundle": origin.bundle,
            "weights_sha256": origin.weights,
            "settings": as_json(origin.settings),
        }
        if origin.terms is not None:
            model["terms"] = origin.terms
    return {
        "model": model,
        "settings": asdict(settings),
        "definitions_version": DEFINITIONS_VERSION,
        "files_sha256": list(digests),
        "mask": dict(mask) if mask is not None else None,
    }


def is_finished(
    folder: Path,
    digests: Sequence[str],
    settings: StudySettings,
    *,
    origin: Origin | None,
    mask: Mapping[str, str] | None = None,
) -> bool:
    """Whether a folder has the results of these files, model, masks and settings, all as they were written.

    A page is no result: it can be made of them at any time.
    """
    content = read_record_of_study(folder)
    if content.get("state") != DONE or (origin is not None and not origin.backend.made(content)):
        return False
    expected = _made_with(digests, settings, origin, mask)
    outputs = content.get("outputs", {})
    return {name: content.get(name) for name in expected} == expected and all(
        (folder / name).is_file() and sha256_of(folder / name) == digest
        for name, digest in outputs.items()
        if name not in (PAGE, THUMBNAIL)
    )


def read_record_of_study(folder: Path) -> dict[str, Any]:
    """What a folder's ``run.json`` holds; nothing where there is none of ours."""
    file = folder / RECORD
    try:
        content = read_json(file) if file.is_file() else None
    except InputError:
        return {}
    return content if isinstance(content, dict) and content.get("format") == FORMAT else {}


def without_identifiers(text: str, given: StudyInput) -> str:
    """A message without the paths, file names and UIDs of a study."""
    for path, reason in given.problems:
        for name in (str(path), path.name):
            text = text.replace(f"{name} {reason}", f"a file {reason}")
    places = {str(given.place), os_path(given.place), *map(str, given.files)}
    if given.series is not None:
        places |= {str(header.entry.path) for header in given.series.slices}
        places.add(str(given.series.place))
    for place in sorted(filter(None, places), key=len, reverse=True):
        text = re.sub(re.escape(place) + r"(?:/[^\s:;,]+)*", "the study", text)
    return _UID.sub("a UID", text)


def os_path(path: Path) -> str:
    """A path from the root on."""
    return str(path.absolute())


def _read(study: Study | None) -> dict[str, Any] | None:
    if study is None:
        return None
    return {
        "format": study.format,
        "shape": list(study.hu.shape),
        "spacing_mm": [round(length, 4) for length in study.spacing],
        "placeholder_spacing": study.placeholder_spacing,
        "intensity": study.intensity,
        "slices_left_out": len(study.left_out),
    }


def _identifiers(given: StudyInput, study: Study | None) -> dict[str, Any]:
    identity = study.identity if study is not None else None
    return {
        "path": os_path(given.place),
        "files": [os_path(file) for file in given.files],
        "study_uid": identity.study_uid if identity is not None else None,
        "series_uid": identity.series_uid if identity is not None else None,
        "frame_of_reference_uid": identity.frame_of_reference_uid if identity is not None else None,
    }


def peak_memory(device: str | None) -> dict[str, int | None]:
    """The most memory, in bytes, that this process has held so far, and that torch has on a CUDA device."""
    found: dict[str, int | None] = {"process": None}
    if sys.platform != "win32":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Linux counts kilobytes, macOS bytes
        found["process"] = peak if sys.platform == "darwin" else peak * 1024
    if device is not None and device.startswith("cuda"):
        import torch

        found["cuda"] = torch.cuda.max_memory_allocated(device)
    return found
