"""The six zones of the lungs, whose planes both sides share."""

from dataclasses import dataclass

import numpy as np

from covid_monai.measurements.completeness import EDGES, Completeness
from covid_monai.measurements.definitions import Number, Unknown, known
from covid_monai.measurements.geometry import Array, SliceGeometry
from covid_monai.measurements.region import LungRegions, Region
from covid_monai.measurements.volumes import Part, parts_by_level, volumes_between

VEINS_BELOW_CARINA = 1 / 3
"""Of the way from the carina to the lower end of the lungs; a surrogate of the inferior pulmonary veins' level."""

_NO_CARINA = "no carina was found, which parts the upper zones from the middle ones"


@dataclass(frozen=True)
class Planes:
    """The heights that part the zones, in mm, RAS: growing towards the head.

    Attributes:
        carina: between upper and middle zones.
        veins: between middle and lower zones.
    """

    carina: Number
    veins: Number


def planes_of(lungs: LungRegions, geometry: SliceGeometry, whole: Completeness) -> Planes:
    """The planes of a CT, or why there are none.

    Args:
        lungs: with their carina.
        geometry: of the CT.
        whole: which lungs are wholly there.
    """
    if lungs.carina is None:
        return Planes(Unknown(_NO_CARINA), Unknown(_NO_CARINA))
    carina = geometry.height_of(lungs.carina)
    ends = geometry.range_of(np.asarray(lungs.labels > 0))
    if ends is None:
        return Planes(carina, Unknown("no lung was found"))
    if whole.cut_at("bottom"):
        reason = "the field of view cuts the lungs' lower end, from which the level of the veins is reckoned"
        return Planes(carina, Unknown(reason))
    if not ends[0] < carina < ends[1]:
        reason = "the carina that was found does not lie between the lungs' lower and upper end"
        return Planes(Unknown(reason), Unknown(reason))
    return Planes(carina, carina - (carina - ends[0]) * VEINS_BELOW_CARINA)


def zones_of(
    region: Region,
    planes: Planes,
    geometry: SliceGeometry,
    whole: Completeness,
    *,
    no_volumes: Unknown | None = None,
) -> dict[str, dict[str, Part]]:
    """The zones of each lung; one that the field of view cuts is unknown, the others are not.

    Args:
        region: R and its lesions.
        planes: that part the zones.
        geometry: of the CT.
        whole: which lungs are wholly there.
        no_volumes: why volumes in mL are unknown; None where they are known.

    Returns:
        by side, then by level.
    """
    inner = [known(planes.veins), known(planes.carina)]
    edges: Array = np.array([[-np.inf, *(0.0 if height is None else height for height in inner), np.inf]] * 2)
    return parts_by_level(
        volumes_between(region, geometry, edges),
        region,
        missing=lambda side, level: _missing(side, level, planes, whole),
        empty=lambda side, level: f"the {side} lung has no aerated or infected tissue in its {level} zone",
        no_volumes=no_volumes,
    )


def _missing(side: str, level: str, planes: Planes, whole: Completeness) -> str | None:
    """Why a zone cannot be told; None where it can."""
    # the top of the field does not cut a lower zone, nor its bottom an upper one, and neither a middle one
    beyond = {"upper": ("bottom",), "middle": ("top", "bottom"), "lower": ("top",)}[level]
    edges = [edge for edge in EDGES if edge not in beyond]
    if missing := whole.missing(side, edges=edges):
        return missing
    needed = {"upper": [planes.carina], "middle": [planes.carina, planes.veins], "lower": [planes.veins]}[level]
    return next((plane.reason for plane in needed if isinstance(plane, Unknown)), None)
