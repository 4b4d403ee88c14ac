"""The JSON beside a mask: what its values mean, what it was made from and with, and what the reader warned of."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import covid_monai
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.transforms.nifti import nifti_stem

FORMAT = "covid-monai mask"
VERSION = 1


@dataclass(frozen=True)
class Backend:
    """What computes the network.

    Attributes:
        name: ``torch`` or ``openvino``.
        version: of that package.
        precision: ``float32``, ``bfloat16`` or ``int8``: what it multiplies in.
    """

    name: str
    version: str
    precision: str

    def made(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of this back end in this precision; its version does not count.

        Records of releases that had torch alone name no back end.
        """
        noted = record.get("backend")
        if not isinstance(noted, Mapping):
            return self.name == "torch"
        return (noted.get("name"), noted.get("precision")) == (self.name, self.precision)

    def unlike(self, record: Mapping[str, Any]) -> str:
        """How a record's back end differs, for a message that goes on; empty where it does not."""
        noted = record.get("backend")
        if self.made(record) or not isinstance(noted, Mapping):
            return ""
        return (
            f" (computed by {noted.get('name')} in {noted.get('precision')}, now it would be {self.name} in "
            f"{self.precision}: name these by `backend` and `precision` to keep them)"
        )


@dataclass(frozen=True)
class Origin:
    """What a mask is made with: the same model and settings give the same mask of the same image.

    Attributes:
        bundle: the bundle's name.
        weights: SHA-256 of the weights.
        settings: how images are read and the network is applied, where that is not the bundle's default.
        backend: what computes the network.
        terms: under which the weights may be used, where they say so.
    """

    bundle: str
    weights: str
    settings: Mapping[str, Any]
    backend: Backend
    terms: str | None = None


def record_file(mask: Path) -> Path:
    """``<name>.json`` beside ``<name>.nii.gz``."""
    return mask.with_name(f"{nifti_stem(mask)}.json")


def write_record(
    mask: Path,
    *,
    image: str | os.PathLike[str] | None,
    origin: Origin,
    class_names: Sequence[str],
    voxels: Sequence[int],
    warnings: Sequence[str],
    files: Mapping[str, Path],
) -> None:
    """Write the record of a mask, before the mask takes its place: a mask without one was made or changed by others.

    Args:
        mask: where the mask will be.
        image: the file it was made from; None for an image in memory.
        origin: what it was made with.
        class_names: by the values of the mask, background first.
        voxels: how many voxels have each value.
        warnings: of the reader.
        files: the complete files that will be put in place, by what they are (``mask``, ``probability``).

    Raises:
        InputError: the folder cannot be written.
    """
    write_json(
        record_file(mask),
        {
            "format": FORMAT,
            "version": VERSION,
            "software": f"covid-monai {covid_monai.__version__}",
            "image": Path(image).name if image is not None else None,
            "image_sha256": sha256_of(image) if image is not None else None,
            "bundle": origin.bundle,
            "weights_sha256": origin.weights,
            "terms": origin.terms,
            "settings": as_json(origin.settings),
            "backend": asdict(origin.backend),
            "classes": {str(value): name for value, name in enumerate(class_names)},
            "voxels": {str(value): count for value, count in enumerate(voxels)},
            "warnings": list(warnings),
            "sha256": {kind: sha256_of(file) for kind, file in files.items()},
        },
    )


@dataclass(frozen=True)
class MaskRecord:
    """What a viewer needs of the record of a mask.

    Attributes:
        class_names: by the values of the mask, background first.
        intensity: how the values of the CT were read; a mode of :mod:`covid_monai.transforms.intensity`.
        orientation: where its axes were said to run.
        grid_tolerance: by how many mm its sform and qform were allowed to differ.
    """

    class_names: list[str]
    intensity: str | None
    orientation: str | None
    grid_tolerance: float | None


def read_record(mask: str | os.PathLike[str]) -> MaskRecord | None:
    """The record beside a mask; None where there is none of ours.

    Raises:
        InputError: it is damaged.
    """
    content = _content(record_file(Path(mask)))
    if not content:
        return None
    try:
        names = [str(name) for name in content["classes"].values()]
        settings = content["settings"]
        return MaskRecord(names, *(settings.get(key) for key in ("intensity", "orientation", "grid_tolerance")))
    except (KeyError, AttributeError) as error:
        raise InputError(f"{record_file(Path(mask))} is damaged (no {error}); predict the mask again") from error


def _content(file: Path) -> dict[str, Any]:
    """What a record holds; nothing where the file is missing or not ours."""
    try:
        content = read_json(file) if file.is_file() else None
    except InputError:
        return {}
    return content if isinstance(content, dict) and content.get("format") == FORMAT else {}


def is_unchanged(files: Mapping[str, Path], image: Path, origin: Origin) -> dict[str, bool]:
    """Which of the files for an image's mask are there as this image, model and settings made them.

    Args:
        files: where they are, by what they are; ``mask`` among them.
        image: the image now.
        origin: the model and the settings now.
    """
    found = _content(record_file(files["mask"]))
    expected = (origin.bundle, origin.weights, as_json(origin.settings))
    same = tuple(found.get(key) for key in ("bundle", "weights_sha256", "settings")) == expected
    same = same and origin.backend.made(found) and image.is_file() and found.get("image_sha256") == sha256_of(image)
    hashes = found.get("sha256") if same else None
    known = hashes if isinstance(hashes, dict) else {}
    return {kind: place.is_file() and known.get(kind) == sha256_of(place) for kind, place in files.items()}


def as_json(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a record holds them, in which a tuple is a list."""
    content: dict[str, Any] = json.loads(json.dumps(dict(settings), default=str))
    return content
