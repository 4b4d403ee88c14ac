"""A study's page: one file with its slices, its mask, what was measured and how; it loads nothing."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import covid_monai
from covid_monai.files import write_text
from covid_monai.palette import FINDING_COLOURS, LUNG_WINDOW, SOFT_TISSUE_WINDOW
from covid_monai.studies import Study
from covid_monai.study_page import PAGE, THUMBNAIL, provenance, summary, tables
from covid_monai.study_page.embedding import as_script, as_text, data_uri, filled, text_of
from covid_monai.study_page.labels import FINDINGS, SIDE_BITS, Painted, packed, painted
from covid_monai.study_page.numbers import ABSENT, millilitres, percent, whole
from covid_monai.study_page.profile import Profile, profile_of
from covid_monai.study_page.projection import projection_of, zones_of
from covid_monai.study_page.thumbnail import thumbnail_of
from covid_monai.study_page.volume import HU_KNOTS, LEVEL_KNOTS, ShownVolume, shown_volume
from covid_monai.transforms.grid import to_lps

_WORDS = {
    "ground_glass": "ground-glass",
    "consolidation": "consolidation",
    "lesion": "lesion",
    "effusion": "effusion",
    "not_counted": "marked, not counted",
}


def write_page(
    folder: Path,
    study: Study,
    mask: NDArray[Any],
    lungs: NDArray[np.uint8],
    *,
    classes: Mapping[int, str],
    document: Mapping[str, Any],
    record: Mapping[str, Any],
) -> dict[str, Path]:
    """Write the page of a study, and a small picture of it, to its folder.

    Args:
        folder: of the study.
        study: the CT.
        mask: (i, j, k), on the grid of the CT.
        lungs: (i, j, k), 1 the right lung, 2 the left one, without airways.
        classes: what the values of the mask are; see :func:`covid_monai.measurements.measure`.
        document: of :meth:`covid_monai.measurements.Measurements.to_dict`, measured of the same mask and lungs.
        record: ``run.json`` of the study.

    Returns:
        the files by their names.

    Raises:
        InputError: the folder cannot be written.
    """
    labels = painted(study, mask, lungs, classes=dict(classes), settings=document["settings"])
    hu, _ = to_lps(np.asarray(study.hu), study.affine)
    spacing = _lps_spacing(study)
    profile = profile_of(labels, study, document["planes_mm"])
    volume = shown_volume(hu, spacing)
    k = profile.largest
    thumbnail = thumbnail_of(hu[:, :, k], labels.codes[:, :, k], spacing[:2])
    viewer = _viewer(volume, labels, profile, spacing[2], known=not study.placeholder_spacing)
    page = filled(
        "page.html",
        css=text_of("page.css"),
        script=text_of("page.js"),
        viewer=as_script({key: value for key, value in viewer.items() if key not in ("slices", "labels")}),
        slices=as_script(viewer["slices"]),
        labels=viewer["labels"],
        study=record["study"],
        thumbnail=data_uri("webp", thumbnail),
        software=f"covid-monai {covid_monai.__version__}",
        sentence=summary.sentence_of(document),
        because=_capital(summary.because_of(document)),
        figures=summary.figures_of(document),
        legend=_legend(labels, document),
        projection=_zone_figure(labels, spacing, profile, document),
        reduced=_reduction(volume, study),
        profile=profile,
        tables=tables.tables_of(document),
        warnings=list(dict.fromkeys([*document["warnings"], *record["assumed"]])),
        source=provenance.source_of(record),
        read=[*provenance.read_lines(record), *provenance.identifier_lines(record)],
        versions=provenance.version_lines(record),
        stages=provenance.stages_of(record),
    )
    write_text(folder / PAGE, page)
    (folder / THUMBNAIL).write_bytes(thumbnail)
    return {name: folder / name for name in (PAGE, THUMBNAIL)}


def _capital(text: str | None) -> str | None:
    return text[:1].upper() + text[1:] if text else None


def _lps_spacing(study: Study) -> tuple[float, float, float]:
    """Along x, y and z of LPS order; between slices along their normal."""
    from nibabel import orientations

    order = orientations.io_orientation(study.affine)[:, 0].astype(int)
    x, y, z = (study.spacing[int(np.flatnonzero(order == axis)[0])] for axis in range(3))
    return x, y, z


def _viewer(volume: ShownVolume, labels: Painted, profile: Profile, slice_mm: float, *, known: bool) -> dict[str, Any]:
    """What the script needs."""
    return {
        "size": volume.size,
        "mm": [round(length, 5) for length in (*volume.pixel_mm, slice_mm)],
        "known": known,
        "knots": {"hu": HU_KNOTS, "level": LEVEL_KNOTS},
        "windows": {"lung": LUNG_WINDOW, "soft": SOFT_TISSUE_WINDOW},
        "findings": [{"name": _WORDS[name], "colour": FINDING_COLOURS[name]} for name in FINDINGS],
        "sideBits": SIDE_BITS,
        "profile": asdict(profile)
        | {"areas": [{"finding": FINDINGS.index(name), "values": values} for name, values in profile.areas.items()]},
        "start": _start(labels.codes, profile.largest, volume),
        "slices": [as_text(each) for each in volume.slices],
        "labels": as_text(packed(labels.codes, volume.size)),
    }


def _start(codes: NDArray[np.uint8], k: int, volume: ShownVolume) -> list[int]:
    """The pixel of a slice that is shown first: a voxel of lesion near the middle of all lesion there."""
    kind = codes[:, :, k] & 7
    places = np.argwhere((kind >= 1) & (kind <= 3))
    if len(places):
        middle = places.mean(axis=0)
        x, y = places[np.argmin(((places - middle) ** 2).sum(axis=1))]
    else:
        x, y = (length // 2 for length in codes.shape[:2])
    own, shown = codes.shape, volume.size
    return [min(int(x * shown[0] / own[0]), shown[0] - 1), min(int(y * shown[1] / own[1]), shown[1] - 1), k]


def _legend(labels: Painted, document: Mapping[str, Any]) -> list[dict[str, str]]:
    """What colours mean, with volumes; only what the mask holds."""
    part = document["lungs"]["both"] if document["lungs"]["both"]["lesion_ml"] is not None else document["in_field"]
    volumes = {
        "ground_glass": part["ground_glass_ml"],
        "consolidation": part["consolidation_ml"],
        "lesion": part["lesion_ml"],
        "effusion": document["effusion_ml"],
        "not_counted": None,
    }
    return [
        {
            "name": _WORDS[name],
            "colour": FINDING_COLOURS[name],
            "volume": millilitres(volumes[name]) if volumes[name] is not None else "",
        }
        for name in FINDINGS
        if labels.of(name).any()
    ]


def _zone_figure(
    labels: Painted, spacing: tuple[float, float, float], profile: Profile, document: Mapping[str, Any]
) -> dict[str, Any] | None:
    projection = projection_of(labels, spacing, profile.planes)
    if projection is None:
        return None
    lungs = document["lungs"]
    return {
        "picture": data_uri("png", projection.picture),
        "width": projection.size[0],
        "height": projection.size[1],
        "edges": projection.edges,
        "zones": [
            {**asdict(zone), "percent": percent(zone.percent), "score": whole(zone.score)}
            for zone in zones_of(dict(document), projection.edges)
        ],
        "known": any(
            each["infected_percent"] is not None for side in document["zones"].values() for each in side.values()
        ),
        "sides": {side: percent(lungs[side]["infected_percent"]) for side in ("right", "left")},
        "reasons": [text for place, text in document["unknown"].items() if place.startswith("zones.")][:1],
        "absent": ABSENT,
    }


def _reduction(volume: ShownVolume, study: Study) -> str:
    """In how far the pictures show less than the CT has."""
    size, pixel = volume.size, volume.pixel_mm
    shown = (
        f"{size[0]} x {size[1]} pixels"
        if study.placeholder_spacing
        else f"pixels of {pixel[0]:.2f} x {pixel[1]:.2f} mm"
    )
    if volume.reduced == 1:
        return f"Shown with all {shown}"
    return f"Shown with {shown}, means of {volume.reduced:.2g} x {volume.reduced:.2g} of the CT's"
