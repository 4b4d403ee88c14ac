"""From a CT, its mask and its lungs to measurements."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covid_monai.errors import InputError
from covid_monai.measurements.completeness import Completeness
from covid_monai.measurements.definitions import (
    CLASSES,
    FLOOR_ML,
    FLOOR_PERCENT,
    GROUND_GLASS_BELOW_HU,
    SIDES,
    Mask,
    Number,
    Unknown,
    known,
)
from covid_monai.measurements.document import Measurements
from covid_monai.measurements.geometry import Array, SliceGeometry
from covid_monai.measurements.hu_statistics import HUStatistics, hu_statistics
from covid_monai.measurements.lesions import Lesions, without_specks
from covid_monai.measurements.region import LungRegions, Region, check_parts, find_region
from covid_monai.measurements.severity import severity_of
from covid_monai.measurements.thirds import edges_of_thirds, thirds_of
from covid_monai.measurements.volumes import Part, part_of, unknown_part, whole_volumes
from covid_monai.measurements.zones import Planes, planes_of, zones_of

OUTSIDE_PERCENT = 5.0
"""More of the mask's lesion than this outside the lungs is warned of."""


_NO_TISSUE = "there is no aerated or infected tissue"


@dataclass(frozen=True)
class _CavitiesInPlane:
    """What lies of the lungs in a part of all slices."""

    labels: NDArray[np.uint8]
    airways: Mask


def measure(
    hu: ArrayLike,
    affine: ArrayLike,
    mask: ArrayLike,
    lungs: LungRegions,
    *,
    extents: ArrayLike | None = None,
    classes: Mapping[int, str] = CLASSES,
    ground_glass_below: float = GROUND_GLASS_BELOW_HU,
    true_hu: bool = True,
    placeholder_spacing: bool = False,
    floor_ml: float = FLOOR_ML,
    floor_percent: float = FLOOR_PERCENT,
) -> Measurements:
    """Measure the lesions of a CT by the definitions of docs/measurements.md.

    Args:
        hu: (i, j, k) in HU; k counts slices.
        affine: 4x4, from (i, j, k) to RAS in mm; sheared where the gantry was tilted.
        mask: (i, j, k), values of ``classes``, 0 elsewhere.
        lungs: such as :func:`covid_monai.lungs.find_lungs` gives, on the same grid.
        extents: (k,), what each slice stands for in mm along the slices' normal; None for evenly spaced slices.
        classes: what each value of the mask is: ground_glass, consolidation, effusion, or lesion where the first two
            are one class.
        ground_glass_below: HU; voxels of the class lesion are ground-glass below it, consolidation from there on.
        true_hu: whether the intensities are HU rather than mapped to them from grey values; if not, HU are unknown,
            and lesions are not divided by them.
        placeholder_spacing: whether the spacing is not real; then volumes are unknown, and shares are not.
        floor_ml: lesions smaller than this are left out, unless volumes are unknown.
        floor_percent: infected shares smaller than this score and grade as 0.

    Raises:
        InputError: shapes do not fit, the mask holds a value that ``classes`` does not have, or a setting is out of
            its range.
    """
    values, labels = np.asarray(hu), np.asarray(mask)
    if floor_ml < 0 or not 0 <= floor_percent < 100:
        raise InputError(
            f"`floor_ml` is {floor_ml:g} and `floor_percent` {floor_percent:g}; give 0 or more, in percent under 100"
        )
    check_parts(values, labels, lungs, classes)
    geometry = SliceGeometry(values.shape, affine, extents)
    no_volumes = Unknown("the spacing is a placeholder, so that volumes are unknown") if placeholder_spacing else None
    # most of a slice is neither lung nor lesion
    plane = plane_of(labels, lungs.labels)
    values, within = values[plane], geometry.within(plane)
    region = find_region(
        values,
        labels[plane],
        _CavitiesInPlane(lungs.labels[plane], lungs.airways[plane]),
        classes=classes,
        ground_glass_below=ground_glass_below,
        true_hu=true_hu,
    )
    region, lesions = without_specks(region, within, floor_ml=floor_ml, no_volumes=no_volumes)
    whole = Completeness(lungs, _axis_between_sides(geometry.affine))
    volumes = whole_volumes(region, within)
    parts = _lungs_of(volumes, region, whole, no_volumes)
    planes = planes_of(lungs, geometry, whole)
    zones = zones_of(region, planes, within, whole, no_volumes=no_volumes)
    return Measurements(
        settings={
            "floor_ml": floor_ml,
            "floor_percent": floor_percent,
            "ground_glass_below_hu": ground_glass_below,
            "divided": region.division,
        },
        lungs=parts,
        in_field=part_of(volumes.sum(axis=0), region, empty=_NO_TISSUE, no_volumes=no_volumes),
        thirds=thirds_of(region, edges_of_thirds(lungs, geometry), within, whole, no_volumes=no_volumes),
        planes=Planes(no_volumes, no_volumes) if no_volumes else planes,
        zones=zones,
        severity=severity_of(parts, zones, floor_percent=floor_percent),
        lesions=lesions,
        hu=_hu(values, region, within, true_hu),
        effusion_ml=no_volumes or _effusion(region, within),
        warnings=tuple(dict.fromkeys((*lungs.warnings, *_warnings(region, lesions, placeholder_spacing)))),
    )


def plane_of(*parts: NDArray[np.generic]) -> tuple[slice, slice]:
    """The rectangle (i, j) that holds all that is over 0 in any slice; a single voxel where there is nothing."""
    inside = np.logical_or.reduce([part.any(axis=2) for part in parts])
    extents = [np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0)]
    first, second = (slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 1) for at in extents)
    return first, second


def _lungs_of(volumes: Array, region: Region, whole: Completeness, no_volumes: Unknown | None) -> dict[str, Part]:
    """Both lungs, and each."""
    found = {}
    both = volumes.sum(axis=0)
    reasons = (whole.any_missing(), *(whole.missing(side) for side in SIDES))
    for name, each, missing in zip(("both", *SIDES), (both, *volumes), reasons, strict=True):
        empty = f"{_NO_TISSUE} in the {name} lung{'s' if name == 'both' else ''}"
        found[name] = unknown_part(missing) if missing else part_of(each, region, empty=empty, no_volumes=no_volumes)
    return found


def _hu(hu: NDArray[Any], region: Region, geometry: SliceGeometry, true_hu: bool) -> dict[str, HUStatistics]:
    not_hu = None if true_hu else Unknown("the intensities are not true HU")
    return {
        "lesion": hu_statistics(hu, region.lesion > 0, geometry, empty="there is no lesion", not_hu=not_hu),
        "lung": hu_statistics(hu, region.lung > 0, geometry, empty=_NO_TISSUE, not_hu=not_hu),
    }


def _effusion(region: Region, geometry: SliceGeometry) -> Number:
    if "effusion" not in region.findings:
        return Unknown("the mask has no class for effusion")
    return float(region.effusion.sum(axis=(0, 1)) @ geometry.voxel_ml)


def _warnings(region: Region, lesions: Lesions, placeholder_spacing: bool) -> list[str]:
    found = []
    if (outside := known(lesions.outside_percent) or 0.0) > OUTSIDE_PERCENT:
        found.append(
            f"{outside:.1f} % of the mask's lesion lies outside the lungs that were found, and is in no share: see "
            "whether the lungs lack dense parts, or the mask marks other tissue"
        )
    if "effusion" not in region.findings:
        found.append("the mask has no class for effusion: where the lungs hold effusion it counts as lung")
    if placeholder_spacing:
        found.append("the spacing is a placeholder: shares are known, volumes are not, and no lesion is left out")
    return found


def _axis_between_sides(affine: Array) -> tuple[int, bool]:
    """The array's axis that runs between right and left, and whether it grows to the left."""
    # RAS: the first coordinate runs to the right
    directions = affine[0, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    axis = int(np.argmax(np.abs(directions)))
    return axis, bool(directions[axis] < 0)
