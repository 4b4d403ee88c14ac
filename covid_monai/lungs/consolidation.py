"""Consolidation between a lung and the ribs, as dense as the chest wall."""

import numpy as np
import numpy.typing as npt

from covid_monai.lungs.lungs import LEFT, RIGHT
from covid_monai.lungs.morphology import Mask, closed, components, filled, signed_distance
from covid_monai.lungs.ribs import RibWall, rib_wall

# mm around a lung that are looked at
_REACH_MM = 20.0
_MARGIN_MM = 3.0
_TO_RIBS_MM = 1.0
# of 5 voxels along each axis without the lung and its rim: the mean, and how much of it has air in it. Muscle, heart
# and liver are denser in the mean, and fat, with a mean like that of consolidation, has no air in it
_TISSUE_HU = (-300, 150)
_NEIGHBOURHOOD = 5
_LEAST_TISSUE = 0.08
_MEAN_BELOW = -20
_WITH_AIR_BELOW = -180
_LEAST_WITH_AIR = 0.03
_SOFT_BELOW = 100
_LEAST_VOXELS = 10
# mm around what was found: to the ribs, and in pockets of the lung's surface
_TO_WALL_MM = 8.0
_POCKETS_MM = 14.0
_POCKET_RADIUS_MM = 20.0
_CLOSING_MM = 6.0


def add_consolidation(
    hu: npt.NDArray[np.float32],
    cavities: npt.NDArray[np.uint8],
    allowed: Mask,
    middle: float,
    spacing: npt.NDArray[np.float64],
) -> npt.NDArray[np.uint8]:
    """Cavities with the consolidation between them and the ribs, on axes R, A, S.

    The ribs bound the cavity, as in Mansoor et al. 2014 (doi:10.1109/TMI.2014.2337057). On rays that meet lung first,
    what lies beyond it within the ribs is taken where it is less dense than muscle and has air in it, as consolidation
    has in its bronchi and alveoli; from there the cavity reaches to the ribs, and pockets of its surface are closed.
    Where nothing is found nothing changes.

    Args:
        allowed: bool, where lungs may be; neither airways nor gas of the bowel.
        middle: index along R between left and right.
    """
    walls = {side: rib_wall(hu, cavities, side, middle, spacing) for side in (RIGHT, LEFT) if (cavities == side).any()}
    within = np.zeros(cavities.shape, np.uint8)
    for side, wall in walls.items():
        within[_between(cavities, side, wall, spacing) & allowed & (within == 0)] = side
    found = _airy(hu, cavities, within)
    if not found.any():
        return cavities
    away = signed_distance(found, spacing)
    result = cavities.copy()
    result[found] = within[found]
    for side, wall in walls.items():
        on_rays = wall.along(wall.rays_of(found & (within == side)))
        to_wall = on_rays & (within == side) & (away < _TO_WALL_MM) & (hu < _TISSUE_HU[1])
        result[to_wall & (result == 0)] = side
    for radius, where in ((_CLOSING_MM, allowed), (_POCKET_RADIUS_MM, (within > 0) & (away <= _POCKETS_MM))):
        for side in walls:
            lung = result == side
            pockets = closed(lung, radius, spacing) & where & (hu < _TISSUE_HU[1])
            result[filled(lung | pockets) & allowed & (result == 0)] = side
    return result


def _between(cavities: npt.NDArray[np.uint8], side: int, wall: RibWall, spacing: npt.NDArray[np.float64]) -> Mask:
    """What lies beyond a lung on a ray and before its rib."""
    radius = wall.radius[:, :, None]
    before_rib = radius < wall.along(wall.ribs) - _TO_RIBS_MM
    beyond_lung = (radius > wall.along(wall.farthest_lung) - _MARGIN_MM) & (radius > wall.along(wall.nearest_lung))
    near = signed_distance(cavities == side, spacing) <= _REACH_MM
    return before_rib & beyond_lung & near & (cavities == 0)


def _airy(hu: npt.NDArray[np.float32], cavities: npt.NDArray[np.uint8], within: npt.NDArray[np.uint8]) -> Mask:
    """Where tissue is less dense than muscle in the mean and has some air in it; the rims of lungs do not count."""
    from scipy.ndimage import binary_dilation, binary_opening, uniform_filter

    beyond_rim = (within > 0) & ~binary_dilation(cavities > 0)
    tissue = beyond_rim & (hu > _TISSUE_HU[0]) & (hu < _TISSUE_HU[1])
    share = uniform_filter(tissue.astype(np.float32), _NEIGHBOURHOOD)
    enough = np.maximum(share, _LEAST_TISSUE)
    mean = uniform_filter(np.where(tissue, hu, 0).astype(np.float32), _NEIGHBOURHOOD) / enough
    airy = uniform_filter((tissue & (hu < _WITH_AIR_BELOW)).astype(np.float32), _NEIGHBOURHOOD) / enough
    candidates = (within > 0) & (share > _LEAST_TISSUE) & (mean < _MEAN_BELOW) & (airy >= _LEAST_WITH_AIR)
    candidates &= hu < _SOFT_BELOW
    core = binary_opening(candidates & beyond_rim, np.ones((2, 2, 2), bool))
    labels, sizes = components(core)
    core = (sizes > _LEAST_VOXELS)[labels]
    return core | (candidates & binary_dilation(core, iterations=2))
