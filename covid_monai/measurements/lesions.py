"""Lesions one by one: how many there are, how large, and which are specks."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from covid_monai.measurements.definitions import Mask, Number, Unknown, percentage
from covid_monai.measurements.geometry import Array, SliceGeometry, slices_with
from covid_monai.measurements.region import NOTHING, Region


@dataclass(frozen=True)
class Lesions:
    """The lesions in R, without specks, and what was left out.

    Attributes:
        count: how many.
        largest_ml: the volume of the largest; 0 where there is none.
        mean_ml: their mean volume; unknown where there is none.
        specks: how many lesions were left out as smaller than the floor.
        specks_ml: their volume.
        outside_ml: lesion outside R, in no other value.
        outside_percent: of all lesion, in R and outside.
    """

    count: int
    largest_ml: Number
    mean_ml: Number
    specks: Number
    specks_ml: Number
    outside_ml: Number
    outside_percent: Number


def without_specks(
    region: Region, geometry: SliceGeometry, *, floor_ml: float, no_volumes: Unknown | None = None
) -> tuple[Region, Lesions]:
    """Leave out lesions under the floor, and count and measure the others.

    Args:
        region: R with all lesions.
        geometry: of the CT.
        floor_ml: in mL; nothing is left out where volumes are unknown.
        no_volumes: why volumes in mL are unknown; None where they are known.

    Returns:
        the region without specks, and the lesions.
    """
    box = _box_of(region.lesion > 0)
    lesion = region.lesion[box]
    components, volumes = _components(lesion > 0, geometry.voxel_ml[box[2]])
    specks = volumes < floor_ml if no_volumes is None else np.zeros(len(volumes), bool)
    kept = volumes[~specks]
    cleaned = region.lesion.copy(order="K")
    cleaned[box] = np.where(np.append(True, ~specks)[components], lesion, NOTHING)
    outside = float(region.outside.sum(axis=(0, 1)) @ geometry.voxel_ml)
    found = Lesions(
        count=len(kept),
        largest_ml=no_volumes or float(kept.max(initial=0)),
        mean_ml=no_volumes or (float(kept.mean()) if len(kept) else Unknown("there is no lesion")),
        specks=no_volumes or int(specks.sum()),
        specks_ml=no_volumes or float(volumes[specks].sum()),
        outside_ml=no_volumes or outside,
        outside_percent=percentage(outside, outside + float(volumes.sum()), empty="there is no lesion"),
    )
    return replace(region, lesion=cleaned), found


def _components(inside: Mask, voxel_ml: Array) -> tuple[NDArray[np.int32], Array]:
    """Labels from 1 of voxels that touch by faces, edges or corners, and the volume of each in mL."""
    from scipy import ndimage

    labels = np.zeros(inside.shape, np.int32)
    count = int(ndimage.label(inside, structure=np.ones((3, 3, 3)), output=labels))
    volumes = np.zeros(count + 1)
    for k in slices_with(inside):
        volumes += np.bincount(labels[:, :, k].ravel(), minlength=count + 1) * voxel_ml[k]
    return labels, volumes[1:]


def _box_of(inside: Mask) -> tuple[slice, slice, slice]:
    """The smallest box that holds a set of voxels; an empty one where there is none."""
    found = []
    for axis in range(3):
        others = tuple(each for each in range(3) if each != axis)
        places = np.flatnonzero(inside.any(axis=others))
        found.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0))
    return found[0], found[1], found[2]
