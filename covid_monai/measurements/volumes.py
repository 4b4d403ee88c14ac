"""Volumes and shares of both lungs, each lung, and parts of them between heights."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from covid_monai.measurements.definitions import LEVELS, SIDES, Number, Unknown, percentage
from covid_monai.measurements.geometry import Array, SliceGeometry, slices_with
from covid_monai.measurements.region import CONSOLIDATION, GROUND_GLASS, NOT_DIVIDED, Region

KINDS = 4
"""Values of :attr:`covid_monai.measurements.region.Region.lesion`, none among them."""


@dataclass(frozen=True)
class Part:
    """A part of the lungs, such as one lung or a zone of it.

    Attributes:
        lung_ml: the volume of R there.
        lesion_ml: of ground-glass or consolidation in R.
        infected_percent: the infected share, of R.
        ground_glass_ml: of ground-glass in R.
        ground_glass_percent: of R.
        consolidation_ml: of consolidation in R.
        consolidation_percent: of R.
    """

    lung_ml: Number
    lesion_ml: Number
    infected_percent: Number
    ground_glass_ml: Number
    ground_glass_percent: Number
    consolidation_ml: Number
    consolidation_percent: Number


def unknown_part(reason: str) -> Part:
    """A part of which nothing can be told."""
    return Part(*(Unknown(reason) for _ in fields(Part)))


def volumes_between(region: Region, geometry: SliceGeometry, edges: Array) -> Array:
    """The volumes of each lung between heights, in mL.

    Args:
        region: R and its lesions.
        geometry: of the CT.
        edges: (2, bands + 1), for the right and the left lung: heights in mm, growing; infinity at an end takes all.

    Returns:
        (2, bands, 4): by side, band, and kind of lesion, none among them. A voxel that an edge passes through is
        divided by it.
    """
    bands = edges.shape[1] - 1
    volumes = np.zeros((bands, 2 * KINDS))
    for k in slices_with(region.lung):
        inside = region.lung[:, :, k] > 0
        side = region.lung[:, :, k][inside].astype(np.intp) - 1
        code = side * KINDS + region.lesion[:, :, k][inside]
        for band in range(bands):
            low, high = edges[:, band], edges[:, band + 1]
            shares = geometry.shares_between(k, inside, low[side], high[side])
            volumes[band] += np.bincount(code, shares, minlength=2 * KINDS) * geometry.voxel_ml[k]
    return volumes.reshape(bands, 2, KINDS).swapaxes(0, 1)


def whole_volumes(region: Region, geometry: SliceGeometry) -> Array:
    """The volumes of each lung in mL: (2, 4), by side and kind of lesion, none among them."""
    return volumes_between(region, geometry, np.array([[-np.inf, np.inf]] * 2))[:, 0]


def parts_by_level(
    volumes: Array,
    region: Region,
    *,
    missing: Callable[[str, str], str | None],
    empty: Callable[[str, str], str],
    no_volumes: Unknown | None = None,
) -> dict[str, dict[str, Part]]:
    """What is told of three bands of each lung, by side, then by level.

    Args:
        volumes: (2, 3, 4), by side, band from below, and kind of lesion.
        region: what they are parts of.
        missing: of a side and a level, why nothing can be told of it; None where something can.
        empty: of a side and a level, why shares cannot be told where it holds no lung.
        no_volumes: why volumes in mL are unknown; None where they are known.
    """

    def part(side: str, level: str, band: Array) -> Part:
        if reason := missing(side, level):
            return unknown_part(reason)
        return part_of(band, region, empty=empty(side, level), no_volumes=no_volumes)

    return {
        side: {level: part(side, level, band) for level, band in zip(LEVELS, bands[::-1], strict=True)}
        for side, bands in zip(SIDES, volumes, strict=True)
    }


def part_of(volumes: Array, region: Region, *, empty: str, no_volumes: Unknown | None = None) -> Part:
    """What is told of a part of the lungs.

    Args:
        volumes: (4,), mL by kind of lesion, none among them.
        region: what it is a part of, for what is not divided or has no class.
        empty: why shares cannot be told where the part holds no lung.
        no_volumes: why volumes in mL are unknown; None where they are known.
    """
    lung, lesion = float(volumes.sum()), float(volumes[1:].sum())
    kinds: list[Number] = [
        _missing(region, name) or float(volumes[kind])
        for name, kind in (("ground_glass", GROUND_GLASS), ("consolidation", CONSOLIDATION))
    ]

    def both(volume: Number) -> tuple[Number, Number]:
        shown = volume if isinstance(volume, Unknown) else no_volumes or volume
        return shown, percentage(volume, lung, empty=empty)

    return Part(no_volumes or lung, *both(lesion), *both(kinds[0]), *both(kinds[1]))


def _missing(region: Region, name: str) -> Unknown | None:
    """Why nothing is known of a kind of lesion; None where it is."""
    if region.division == NOT_DIVIDED:
        return Unknown(
            "the mask does not tell ground-glass from consolidation, and intensities that are not true HU cannot"
        )
    if not {name, "lesion"} & region.findings:
        return Unknown(f"the mask has no class for {name.replace('_', '-')}")
    return None
