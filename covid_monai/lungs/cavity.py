"""From the air of a lung to its closed cavity, dense lesions and vessels in it."""

import numpy as np
import numpy.typing as npt

from covid_monai.lungs.lungs import LEFT, RIGHT
from covid_monai.lungs.morphology import Mask, closed, components, filled

LESION_BELOW = -250
"""HU, of what belongs to a lung where it hangs on to its air: ground-glass and the edges of consolidation."""

_CLOSING_MM = 6.0


def close_cavities(
    hu: npt.NDArray[np.float32],
    sides: npt.NDArray[np.uint8],
    allowed: Mask,
    airways: Mask,
    spacing: npt.NDArray[np.float64],
) -> npt.NDArray[np.uint8]:
    """The cavities of the lungs whose air is labelled in ``sides``.

    Each lung takes in what is denser and connected to it, is closed by a ball as in Armato and Sensakovic 2004
    (doi:10.1016/j.acra.2004.06.005), and what it encloses in a slice is filled.

    Args:
        allowed: where lungs may be: in the body, and neither gas of the bowel nor air around the body.
        airways: trachea and main bronchi with their walls, which stay out.
    """
    from scipy.ndimage import distance_transform_edt

    air = sides > 0
    labels, _ = components(((hu < LESION_BELOW) & allowed & ~airways) | air)
    reached = np.unique(labels[air])
    lungs = np.isin(labels, reached[reached > 0])
    nearest = distance_transform_edt(~air, sampling=spacing, return_distances=False, return_indices=True)
    owner = sides[tuple(nearest)]
    cavities = np.zeros(hu.shape, np.uint8)
    for side in (RIGHT, LEFT):
        lung = lungs & (owner == side)
        if lung.any():
            cavity = filled(closed(lung, _CLOSING_MM, spacing) & ~airways & allowed)
            cavities[cavity & ((owner == side) | (cavities == 0))] = side
    return cavities
