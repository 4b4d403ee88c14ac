"""How a result was made: the model and its limits, what was read, versions, and seconds per stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.metadata import read_metadata
from covid_monai.errors import InputError

LIMITS = (
    "For research, not for diagnosis. No radiologist has read this result.",
    "Opacities of any cause look alike: a mask does not say that they are COVID-19.",
    "Zone scores and CT-0 to CT-4 are computed from the mask, surrogates of a radiologist's reading.",
)
"""What holds for every mask."""

_DIGITS = 12


@dataclass(frozen=True)
class Source:
    """Where a mask comes from.

    Attributes:
        name: of the model, or that a file was given.
        lines: (name, value) of what is known of it.
        limits: what one may not conclude.
    """

    name: str
    lines: list[tuple[str, str]]
    limits: tuple[str, ...]


def source_of(record: Mapping[str, Any]) -> Source:
    """The model of a study's record, or the mask that was given."""
    model, mask = record.get("model"), record.get("mask")
    if model is None:
        given = dict(mask or {})
        lines = [("classes", str(given.pop("labels", "unknown")))]
        lines += [(name.replace("_sha256", ", SHA-256"), _short(digest)) for name, digest in given.items()]
        return Source("A mask from a file", lines, LIMITS)
    metadata = _metadata(model["bundle"])
    trained_on = record.get("trained_on") or ["not recorded with these weights"]
    lines = [
        ("what it is", metadata.get("description", "")),
        ("weights trained on", "; ".join(trained_on)),
        ("source", "; ".join(metadata.get("references", ()))),
        ("weights, SHA-256", ", ".join(map(_short, model["weights_sha256"].split("+")))),
        ("settings", ", ".join(f"{name} {value}" for name, value in model["settings"].items()) or "the bundle's own"),
    ]
    intended = (metadata["intended_use"],) if "intended_use" in metadata else ()
    return Source(metadata.get("name", model["bundle"]), [line for line in lines if line[1]], (*intended, *LIMITS))


def _metadata(bundle: str) -> dict[str, Any]:
    """Of a bundle; nothing where it is not at hand any more."""
    try:
        return read_metadata(bundle_folder(bundle))
    except InputError:
        return {}


def read_lines(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was read, in words."""
    read = record.get("read")
    if read is None:
        return []
    columns, rows, slices = read["shape"]
    x, y, z = read["spacing_mm"]
    spacing = f"{x:.3g} x {y:.3g} x {z:.3g} mm"
    intensity = {"hu": "HU", "anchored": "grey values, HU by air and fat", "window": "grey values, HU by a window"}
    return [
        ("format", {"dicom": "DICOM", "nifti": "NIfTI", "nrrd": "NRRD", "metaimage": "MetaImage"}[read["format"]]),
        ("voxels", f"{columns} x {rows} x {slices}"),
        ("spacing", "unknown (a placeholder in the file)" if read["placeholder_spacing"] else spacing),
        ("intensities", intensity.get(read["intensity"], read["intensity"])),
        ("first file, SHA-256", _short(next(iter(record["files_sha256"]), ""))),
    ]


def version_lines(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Versions, the device, and what computed the network on it."""
    environment = record["environment"]
    packages = environment.get("packages", {})
    lines = [("software", record["software"]), ("definitions", f"version {record['definitions_version']}")]
    lines += [(name, str(packages[name])) for name in ("torch", "monai", "numpy") if packages.get(name)]
    lines += [("Python", str(environment.get("python", ""))), ("device", str(record.get("device") or ""))]
    # where a mask was given, no network was computed
    if backend := record.get("backend"):
        lines.append(("back end", f"{backend['name']} {backend['version']}, {backend['precision']}"))
    return [line for line in lines if line[1]]


def stages_of(record: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """(name, seconds, share of the longest stage) of each stage."""
    seconds = record.get("seconds", {})
    longest = max(seconds.values(), default=0.0) or 1.0
    return [(name, value, value / longest) for name, value in seconds.items()]


def identifier_lines(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Paths and UIDs of the study, which a record has where they are to be kept."""
    names = {
        "path": "path",
        "study_uid": "study UID",
        "series_uid": "series UID",
        "frame_of_reference_uid": "frame of reference",
    }
    kept = record.get("identifiers", {})
    return [(text, str(kept[name])) for name, text in names.items() if kept.get(name)]


def _short(digest: str) -> str:
    return digest[:_DIGITS]
