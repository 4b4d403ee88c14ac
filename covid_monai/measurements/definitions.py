"""What the measured values mean, by name and version; docs/measurements.md has the same with sources."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEFINITIONS_VERSION = "1"
"""It changes whenever a definition changes in such a way that a value can."""

DOCUMENT = "docs/measurements.md"

DEFINITIONS = {
    "region": "R: lungs with lesions and vessels in their closed cavity; without trachea, main bronchi, effusion and "
    "mediastinum",
    "infected_percent": "100 * volume of (ground-glass or consolidation) in R / volume of R, both of the same part",
    "third": "each lung in three parts of equal craniocaudal length",
    "zone": "upper above the carina, lower below the level of the inferior pulmonary veins, middle between them; "
    "planes at right angles to the craniocaudal axis, shared by both lungs; surrogate of the veins: a third of the way "
    "from the carina to the lower end of the lungs",
    "zone_score": "0 under the floor, 1 under 25 %, 2 under 50 %, 3 under 75 %, 4 from 75 % on; of six, 0 to 24",
    "ct_grade": "CT-0 under the floor, CT-1 to 25 %, CT-2 to 50 %, CT-3 to 75 %, CT-4 above; a surrogate of a "
    "radiologist's grade",
    "lesion": "a component of (ground-glass or consolidation) in R, voxels connected by faces, edges or corners",
    "floor": "lesions under floor_ml are left out everywhere; a share under floor_percent scores and grades as 0",
    "hu": "mean and percentiles over voxels, weighted by their volumes",
}
"""The definitions of this version, in one sentence each."""

CLASSES = {1: "ground_glass", 2: "consolidation", 3: "effusion"}
"""What the values of a mask mean, unless one says otherwise."""

FINDINGS = ("ground_glass", "consolidation", "effusion", "lesion")
"""What a class of a mask can be; ``lesion`` is ground-glass or consolidation, without saying which."""

SIDES = ("right", "left")
"""The patient's; the labels 1 and 2 of the lungs."""

LEVELS = ("upper", "middle", "lower")

GROUND_GLASS_BELOW_HU, FLOOR_ML, FLOOR_PERCENT = -200.0, 0.05, 0.1
"""The settings of this version, unless one says otherwise."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Unknown:
    """Stands where a value cannot be told, which is not 0.

    Attributes:
        reason: why, in words.
    """

    reason: str


Number = float | Unknown
"""A value, or why there is none."""


def known(number: Number) -> float | None:
    """The value; None where there is none."""
    return None if isinstance(number, Unknown) else number


def percentage(part: Number, whole: Number, *, empty: str) -> Number:
    """``100 * part / whole``.

    Args:
        part: in any unit.
        whole: in the same unit.
        empty: why it cannot be told where the whole is 0.
    """
    for number in (whole, part):
        if isinstance(number, Unknown):
            return number
    return 100 * part / whole if whole else Unknown(empty)  # type: ignore[operator]
