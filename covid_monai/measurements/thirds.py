"""Each lung in three parts of equal craniocaudal length."""

import numpy as np

from covid_monai.measurements.completeness import Completeness, cavity
from covid_monai.measurements.definitions import SIDES, Unknown
from covid_monai.measurements.geometry import Array, SliceGeometry
from covid_monai.measurements.region import LungRegions, Region
from covid_monai.measurements.volumes import Part, parts_by_level, volumes_between


def thirds_of(
    region: Region,
    edges: Array,
    geometry: SliceGeometry,
    whole: Completeness,
    *,
    no_volumes: Unknown | None = None,
) -> dict[str, dict[str, Part]]:
    """The thirds of each lung, between the lower and the upper end of its closed cavity.

    Ends are those of the cavity, whatever the mask says of it, so that a mask that was corrected by hand has the same
    thirds.

    Args:
        region: R and its lesions.
        edges: of :func:`edges_of_thirds`.
        geometry: of the region.
        whole: which lungs are wholly there.
        no_volumes: why volumes in mL are unknown; None where they are known.

    Returns:
        by side, then by level.
    """
    return parts_by_level(
        volumes_between(region, geometry, edges),
        region,
        missing=lambda side, _: whole.missing(side),
        empty=lambda *_: "this third holds no aerated or infected tissue",
        no_volumes=no_volumes,
    )


def edges_of_thirds(lungs: LungRegions, geometry: SliceGeometry) -> Array:
    """Heights in mm that divide the lungs, (2, 4): of the right and the left one, growing; the ends are infinite."""
    return np.array([_edges(lungs, geometry, side) for side in SIDES])


def _edges(lungs: LungRegions, geometry: SliceGeometry, side: str) -> Array:
    """Heights in mm that divide a lung, from its lower to its upper end."""
    ends = geometry.range_of(cavity(lungs, side))
    inner = np.linspace(*ends, 4)[1:3] if ends else [0, 0]
    # rounding must not cut the ends off
    return np.array([-np.inf, *inner, np.inf])
