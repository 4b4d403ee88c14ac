"""The inner surface of the ribs around a lung, by bearings from the lung's middle."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from covid_monai.lungs.lungs import RIGHT
from covid_monai.lungs.morphology import Mask

_BEARINGS = 180
_BONE_ABOVE = 180
# of the width of both lungs, that ribs are from the middle at least: nearer lie spine and sternum
_FROM_MIDDLE = 0.06
# mm of slices from a rib, to which its distance is carried on
_BETWEEN_RIBS_MM = 14.0


@dataclass(frozen=True)
class RibWall:
    """Where rays from the middle of a lung, in axial planes, meet what.

    Attributes:
        bearing: int (x, y), the ray that a voxel lies on.
        radius: float (x, y), mm from the middle.
        ribs: float (bearings, z), mm to the nearest rib, carried over the gaps between ribs; NaN where there is none.
        nearest_lung, farthest_lung: float (bearings, z), mm to the first and the last voxel of lung that is no thread;
            inf and -inf where there is none.
    """

    bearing: npt.NDArray[np.int_]
    radius: npt.NDArray[np.float64]
    ribs: npt.NDArray[np.float64]
    nearest_lung: npt.NDArray[np.float64]
    farthest_lung: npt.NDArray[np.float64]

    def along(self, values: npt.NDArray) -> npt.NDArray:
        """What holds for each ray and slice, (bearings, z), at each voxel, (x, y, z)."""
        return values[self.bearing]

    def rays_of(self, mask: Mask) -> npt.NDArray[np.bool_]:
        """The rays, (bearings, z), that meet a mask."""
        met = np.zeros(self.ribs.shape, bool)
        x, y, z = np.nonzero(mask)
        met[self.bearing[x, y], z] = True
        return met


def rib_wall(
    hu: npt.NDArray[np.float32],
    lungs: npt.NDArray[np.uint8],
    side: int,
    middle: float,
    spacing: npt.NDArray[np.float64],
) -> RibWall:
    """The wall around one lung on axes R, A, S; ribs beyond the middle index along R are the other side's."""
    from scipy.ndimage import binary_opening, minimum_filter

    lung = lungs == side
    centre = [np.average(np.arange(lung.shape[axis]), weights=lung.sum(axis=(1 - axis, 2))) for axis in (0, 1)]
    x, y = ((np.arange(lung.shape[axis]) - centre[axis]) * spacing[axis] for axis in (0, 1))
    turn = (np.arctan2(y[None, :], x[:, None]) + np.pi) / (2 * np.pi)
    bearing = (turn * _BEARINGS).astype(int) % _BEARINGS
    radius = np.hypot(x[:, None], y[None, :])

    across = np.flatnonzero((lungs > 0).any(axis=(1, 2)))
    beyond = (np.arange(lung.shape[0]) - middle) * (1 if side == RIGHT else -1)
    ribs = (hu > _BONE_ABOVE) & (lungs == 0) & (beyond > _FROM_MIDDLE * np.ptp(across))[:, None, None]
    first = _extreme(np.minimum, ribs, bearing, radius)
    carried = _carried(first, _BETWEEN_RIBS_MM / spacing[2])
    # what leaks out between two ribs is no cavity
    narrowest = minimum_filter(carried, size=(5, 3), mode=("wrap", "nearest"))
    wall = np.where(np.isfinite(carried), narrowest, np.nan)
    thick = binary_opening(lung, np.ones((3, 3, 1), bool))
    nearest, farthest = (_extreme(extreme, thick, bearing, radius) for extreme in (np.minimum, np.maximum))
    return RibWall(bearing, radius, wall, nearest, farthest)


def _extreme(
    extreme: np.ufunc, mask: Mask, bearing: npt.NDArray[np.int_], radius: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The least or largest radius of a mask on each ray, (bearings, z); inf or -inf on rays that do not meet it."""
    found = np.full((_BEARINGS, mask.shape[2]), np.inf if extreme is np.minimum else -np.inf)
    x, y, z = np.nonzero(mask)
    extreme.at(found, (bearing[x, y], z), radius[x, y])
    return found


def _carried(first: npt.NDArray[np.float64], reach: float) -> npt.NDArray[np.float64]:
    """Distances between slices with ribs, linearly, and no farther than ``reach`` slices from one; else inf."""
    at = np.arange(first.shape[1])
    carried = np.full(first.shape, np.inf)
    for ray, distances in enumerate(first):
        known = np.flatnonzero(np.isfinite(distances))
        if len(known) > 1:
            near = np.abs(at[:, None] - known).min(axis=1) <= max(1, round(reach))
            carried[ray, near] = np.interp(at, known, distances[known])[near]
    return carried
