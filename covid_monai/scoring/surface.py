"""Distances between the surfaces of two masks, in mm.

Packages differ in what they call HD95: here, as in MONAI, the surface is the boundary pixels (those that a
cross-shaped erosion takes away), each weighs the same, and HD95 is the larger of the two directed 95th
percentiles. Surface Dice is that of Nikolov et al. (2018, arXiv:1809.04430) and of DeepMind's
``surface_distance``: surface elements between pixel centres, weighted by their length (2-D) or area (3-D), so
that thick slices do not count like thin ones. MONAI gives the table of these areas; its own functions
convolve the whole box in floating point, which took 12 GB for a 512x512x300 volume, so the surfaces are found
here.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.scoring.measures import MEASURES

SURFACE_MEASURES = tuple(name for name, measure in MEASURES.items() if measure.of_surfaces)

HD95_DEFINITION = (
    "HD95: the larger of the two directed 95th percentiles of the distances between boundary pixels, in mm "
    "(MONAI's definition)."
)
SURFACE_DICE_DEFINITION = (
    "Surface Dice: the share of both surfaces, weighted by length (2-D) or area (3-D), that lies within the "
    "tolerance of the other surface (Nikolov et al. 2018)."
)


def hausdorff95(prediction: NDArray[np.bool_], reference: NDArray[np.bool_], spacing: Sequence[float]) -> float:
    """95th-percentile Hausdorff distance in mm of two masks (x, y) or (x, y, z); NaN where either is empty.

    ``spacing`` is the pixel size in mm along each axis.
    """
    if not (prediction.any() and reference.any()):
        return np.nan
    prediction, reference = _crop(prediction, reference)
    surfaces = _boundary(prediction), _boundary(reference)
    there, back = _distances(*surfaces, spacing), _distances(*surfaces[::-1], spacing)
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


def surface_dice(
    prediction: NDArray[np.bool_], reference: NDArray[np.bool_], spacing: Sequence[float], tolerance_mm: float
) -> float:
    """Surface Dice (0..1) at a tolerance in mm of two masks (x, y) or (x, y, z).

    1 where both masks are empty, 0 where one is. A distance equal to the tolerance counts as within it.
    """
    if not (prediction.any() and reference.any()):
        return float(prediction.any() == reference.any())
    prediction, reference = _crop(prediction, reference)
    points, areas = _surface_elements(prediction, spacing)
    other_points, other_areas = _surface_elements(reference, spacing)
    # float32, since in float64 rounding puts a distance equal to the tolerance on either side of it
    tolerance = np.float32(tolerance_mm)
    # what is farther counts the same however far it is, and a bounded search is much faster
    limit = 1.001 * tolerance_mm + 0.001
    within = areas[_distances(points, other_points, spacing, limit) <= tolerance].sum()
    within += other_areas[_distances(other_points, points, spacing, limit) <= tolerance].sum()
    return float(within / (areas.sum() + other_areas.sum()))


def _boundary(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Indices (n, axes) of the mask's pixels with a face neighbour outside it."""
    from scipy.ndimage import binary_erosion

    return np.argwhere(mask & ~binary_erosion(mask))


def _surface_elements(
    mask: NDArray[np.bool_], spacing: Sequence[float]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Indices (n, axes) of the 2x2(x2) neighbourhoods that the surface runs through, and its area in each.

    The area is in mm^2, or the length in mm in 2-D.
    """
    from monai.metrics.utils import get_code_to_measure_table

    table, kernel = get_code_to_measure_table(tuple(spacing))
    weights: NDArray[Any] = kernel.numpy().reshape((2,) * mask.ndim).astype(np.uint8)
    padded = np.pad(mask, 1).view(np.uint8)
    codes = np.zeros([length + 1 for length in mask.shape], dtype=np.uint8)
    for offset in product((0, 1), repeat=mask.ndim):
        window = tuple(slice(start, start + length) for start, length in zip(offset, codes.shape, strict=True))
        codes += weights[offset] * padded[window]
    points = np.argwhere((codes != 0) & (codes != weights.sum()))
    return points, table.numpy().astype(np.float64)[codes[tuple(points.T)]]


def _distances(
    points: NDArray[np.intp], others: NDArray[np.intp], spacing: Sequence[float], limit: float = np.inf
) -> NDArray[np.float32]:
    """Distance in mm from each of ``points`` to the nearest of ``others``, infinite from ``limit`` on.

    Both are index lists (n, axes).
    """
    from scipy.spatial import KDTree

    size = np.asarray(spacing, dtype=np.float64)
    tree = KDTree(others * size, leafsize=32)
    return np.asarray(tree.query(points * size, distance_upper_bound=limit)[0], dtype=np.float32)


def _crop(*masks: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], ...]:
    """The masks, cut to the smallest box that holds the pixels of all of them."""
    union = np.logical_or.reduce(masks)
    box = []
    for axis in range(union.ndim):
        filled = np.flatnonzero(union.any(axis=tuple(other for other in range(union.ndim) if other != axis)))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(mask[tuple(box)] for mask in masks)
