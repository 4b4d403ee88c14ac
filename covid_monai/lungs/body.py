"""Air inside the body, apart from the air around it, the table's hollows and the gas of stomach and bowel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from covid_monai.lungs.morphology import Mask, box_around, components, filled, largest, signed_distance

AIR_BELOW = -400
"""HU, half-way between aerated lung and soft tissue, as in Hu, Hoffman and Reinhardt 2001 (doi:10.1109/42.929615)."""

_TISSUE_ABOVE = -300
# lung is heavier than air even where it is emphysematous
_PURE_AIR_BELOW = -930
_GAS_BELOW = -955
# mm; a table is thinner than a body, and hangs on to it where the patient lies on it
_TABLE_MM = 6.0
# shares of what lies 4 to 10 mm around a region: lungs and bowel are in tissue, the table is in air
_RING_MM = (4.0, 10.0)
_IN_TISSUE = 0.6
_GAS_IN_TISSUE = 0.5
_LEAST_GAS_ML = 1.5
# of the largest piece of air
_LEAST_CUT_LUNG = 0.002
_RIM_VOXELS = 2


@dataclass(frozen=True)
class Body:
    """Where the body is, on a working grid.

    Attributes:
        inside: bool, the body with all air in it.
        air: bool, the air in it, below ``AIR_BELOW``.
    """

    inside: Mask
    air: Mask


def find_body(hu: npt.NDArray[np.float32], spacing: npt.NDArray[np.float64]) -> Body:
    """The body in a volume with the axes R, A, S; lungs that the field's edge cuts are inside."""
    dark = hu < AIR_BELOW
    solid = ~_around(hu, dark, spacing)
    inside = filled(largest(_without_table(solid, spacing)))
    return Body(inside, dark & inside & solid)


def share_in_tissue(region: Mask, hu: npt.NDArray[np.float32], spacing: npt.NDArray[np.float64]) -> float:
    """How much of what lies around a region is soft tissue or bone; 0 where nothing does."""
    box = box_around(region, _RING_MM[1], spacing)
    away = signed_distance(region[box], spacing)
    ring = (away > _RING_MM[0]) & (away < _RING_MM[1])
    return float((hu[box][ring] > _TISSUE_ABOVE).mean()) if ring.any() else 0.0


def _around(hu: npt.NDArray[np.float32], dark: Mask, spacing: npt.NDArray[np.float64]) -> Mask:
    """The air that reaches the sides of the field, unless it is a lung that they cut."""
    from scipy.ndimage import find_objects

    labels, sizes = components(dark)
    sides = np.zeros(dark.shape, bool)
    sides[[0, -1]] = sides[:, [0, -1]] = True
    outside = np.zeros(len(sizes), bool)
    outside[np.unique(labels[sides & dark])] = True
    outside[0] = False
    boxes = find_objects(labels)
    for number in np.flatnonzero(outside & (sizes > _LEAST_CUT_LUNG * sizes.max())):
        box = boxes[number - 1]
        region = labels[box] == number
        if np.median(hu[box][region]) >= _PURE_AIR_BELOW:
            outside[number] = share_in_tissue(labels == number, hu, spacing) <= _IN_TISSUE
    return outside[labels]


def _without_table(solid: Mask, spacing: npt.NDArray[np.float64]) -> Mask:
    import SimpleITK

    radius = [max(1, round(_TABLE_MM / step)) for step in spacing[:2]]
    width = [(reach + 1, reach + 1) for reach in radius]
    # what the field's sides cut goes on beyond them
    padded = np.pad(solid, [*width, (0, 0)], mode="edge")
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(padded.transpose(2, 1, 0), dtype=np.uint8))
    opened = SimpleITK.BinaryMorphologicalOpening(image, [*radius, 0], SimpleITK.sitkBall)
    inner = tuple(slice(before, -after) for before, after in width)
    return SimpleITK.GetArrayFromImage(opened).transpose(2, 1, 0)[inner] > 0


def find_gas(hu: npt.NDArray[np.float32], air: Mask, spacing: npt.NDArray[np.float64], voxel_ml: float) -> Mask:
    """The gas of stomach and bowel in the body's air, airways left out, with the rim that it shares with the wall.

    Such gas is as dark as pure air with tissue all around; a bulla is as dark and has lung around it.
    """
    from scipy.ndimage import binary_dilation, binary_opening, uniform_filter

    pure = binary_opening((uniform_filter(hu, 3) < _GAS_BELOW) & air)
    labels, sizes = components(binary_dilation(pure) & air)
    gas = np.zeros(air.shape, bool)
    for number in np.flatnonzero(sizes * voxel_ml > _LEAST_GAS_ML):
        blob = labels == number
        if share_in_tissue(blob, hu, spacing) > _GAS_IN_TISSUE:
            gas |= blob
    return binary_dilation(gas, iterations=_RIM_VOXELS)
