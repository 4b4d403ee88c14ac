"""The surface of the lungs at the CT's own sampling."""

import numpy as np
import numpy.typing as npt

from covid_monai.lungs.body import AIR_BELOW
from covid_monai.lungs.grid import WorkingGrid
from covid_monai.lungs.lungs import SIDES

_TISSUE_ABOVE = -150
_LEAST_OF_AIR = 0.4
# HU, the mean of lung without lesion; where the cavity is denser it is bounded by shape and not by intensity
_AERATED_BELOW = -600
_WINDOW = 5


def at_native_sampling(
    cavities: npt.NDArray[np.uint8], coarse: npt.NDArray[np.float32], hu: npt.NDArray, grid: WorkingGrid
) -> npt.NDArray[np.uint8]:
    """Labels on the CT's grid, uint8 (i, j, k), from those of a working grid.

    Blocks at the surface of aerated lung are part lung and part wall: air is added and soft tissue taken out, voxel by
    voxel.

    Args:
        cavities: labels on the working grid.
        coarse: the CT on the working grid, HU.
        hu: the CT, (i, j, k).
    """
    from scipy.ndimage import binary_erosion, uniform_filter

    labels = np.zeros(grid.shape, np.uint8, order="F")
    inside = cavities > 0
    share = uniform_filter(inside.astype(np.float32), _WINDOW)
    mean = uniform_filter(np.where(inside, coarse, 0).astype(np.float32), _WINDOW) / np.maximum(share, 1e-3)
    certain = binary_erosion(inside) | (inside & (mean > _AERATED_BELOW))
    turned, values = grid.turned(labels), grid.turned(hu)
    for part in grid.parts_around(inside):
        found, there = turned[part.voxels], values[part.voxels]
        dark = there < AIR_BELOW
        for side in SIDES:
            cavity = part.finer(cavities == side)
            # much faster than found[lung] = side
            np.copyto(found, np.uint8(side), where=(cavity >= 0.5) | ((cavity >= _LEAST_OF_AIR) & dark))
        np.copyto(found, np.uint8(0), where=(there > _TISSUE_ABOVE) & (part.finer(certain) < 0.5))
    return labels
