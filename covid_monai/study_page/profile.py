"""How much of each slice is lesion, from the feet to the head, and where zones part."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from covid_monai.measurements.geometry import SliceGeometry
from covid_monai.studies import Study
from covid_monai.study_page.labels import FINDINGS, Painted


@dataclass(frozen=True)
class Profile:
    """Areas of each slice, in cm², or in pixels where the spacing is not known.

    Attributes:
        unit: ``cm²`` or ``pixels``.
        areas: by finding; those that no slice has are left out.
        lungs: of both lungs.
        planes: the slices, with fractions, at which zones part; those that are not known are left out.
        largest: the slice with most lesion, from 0; the middle of the lungs where there is none.
    """

    unit: str
    areas: dict[str, list[float]]
    lungs: list[float]
    planes: dict[str, float]
    largest: int


def profile_of(painted: Painted, study: Study, planes_mm: dict[str, float | None]) -> Profile:
    """The profile of a study.

    Args:
        painted: its labels.
        study: the CT.
        planes_mm: of its measurements.
    """
    known = not study.placeholder_spacing
    area = float(np.linalg.norm(np.cross(study.affine[:3, 0], study.affine[:3, 1]))) / 100 if known else 1.0
    counts = {name: painted.of(name).sum(axis=(0, 1)) for name in FINDINGS}
    lungs = (painted.lungs > 0).sum(axis=(0, 1))
    lesion = counts["ground_glass"] + counts["consolidation"] + counts["lesion"]
    held = np.flatnonzero(lungs) if lungs.any() else np.arange(len(lungs))
    return Profile(
        unit="cm²" if known else "pixels",
        areas={name: np.round(count * area, 3).tolist() for name, count in counts.items() if count.any()},
        lungs=np.round(lungs * area, 2).tolist(),
        planes=_places(study, planes_mm),
        largest=int(lesion.argmax()) if lesion.any() else int(held[len(held) // 2]),
    )


def _places(study: Study, planes_mm: dict[str, Any]) -> dict[str, float]:
    """Slices at heights, counted from the feet."""
    geometry = SliceGeometry(study.hu.shape, study.affine, study.extents)
    middle = tuple(length // 2 for length in study.hu.shape[:2])
    heights = np.sort([float(geometry.heights(k)[middle]) for k in range(study.hu.shape[2])])
    return {
        name: round(float(np.interp(height, heights, np.arange(len(heights)))), 2)
        for name, height in planes_mm.items()
        if height is not None
    }
