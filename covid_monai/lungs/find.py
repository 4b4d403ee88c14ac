"""Lungs in a chest CT by thresholds, region growing and morphology at about 2 mm."""

import numpy as np
import numpy.typing as npt

from covid_monai.errors import InputError
from covid_monai.lungs.airways import Airways, find_airways
from covid_monai.lungs.body import AIR_BELOW, Body, find_body, find_gas
from covid_monai.lungs.cavity import close_cavities
from covid_monai.lungs.describe import against_outside, described
from covid_monai.lungs.grid import WorkingGrid
from covid_monai.lungs.lungs import SIDES, Lungs
from covid_monai.lungs.morphology import components
from covid_monai.lungs.sides import middle_of, part_sides

SPACING_MM = 2.0
"""About what the voxels are apart that lungs are sought on."""

_NO_TRACHEA = "no trachea was found; left and right are told from the spine, or from which side has skin"

# of the largest piece of lung
_LEAST_PIECE = 0.01


def find_lungs(hu: npt.NDArray, affine: npt.ArrayLike, *, spacing_mm: float = SPACING_MM) -> Lungs:
    """The lungs of a CT of the chest.

    After Hu, Hoffman and Reinhardt 2001 (doi:10.1109/42.929615): the air in the body without trachea and main bronchi,
    parted in left and right, and closed; here in three dimensions, with gas of the bowel told by its darkness.
    ``docs/lungs.md`` has what it errs by. Half a chest, one lung or none, prone patients and any orientation are
    understood; what was found of them stands in the result and is no error.

    Args:
        hu: (i, j, k) in HU; padding may be any lower number.
        affine: (4, 4), from indices to RAS+ mm.
        spacing_mm: about what the voxels are apart that are looked at; no block of the CT's voxels is split.

    Raises:
        InputError: the CT is no volume of finite numbers, or the affine is no invertible matrix.
    """
    grid = WorkingGrid.over(hu.shape, affine, spacing_mm)
    coarse = coarse_of(hu, grid)
    body = find_body(coarse, grid.spacing)
    airways = find_airways(coarse, body, grid.spacing)
    cavities = _cavities(coarse, body, airways, grid)
    warnings = [] if airways.mask.any() else [_NO_TRACHEA]
    labels = np.zeros(grid.shape, np.uint8)
    for side in SIDES:
        labels[grid.restore(cavities == side)] = side
    return described(
        labels,
        grid.restore(airways.mask),
        None if airways.carina is None else grid.to_ras(airways.carina),
        orientation=grid.orientation,
        cut=against_outside(cavities, ~body.inside),
        warnings=warnings,
    )


def coarse_of(hu: npt.NDArray, grid: WorkingGrid) -> npt.NDArray[np.float32]:
    """A CT in HU on a working grid.

    Raises:
        InputError: it holds no finite numbers.
    """
    if not np.issubdtype(hu.dtype, np.number) or np.iscomplexobj(hu):
        raise InputError(f"the CT has values of the type {hu.dtype}; give numbers in HU")
    coarse = grid.shrink(hu)
    if not np.all(np.isfinite(coarse)):
        raise InputError("the CT has values that are no finite numbers; repair it, or set them to -1024")
    return coarse


def _cavities(hu: npt.NDArray[np.float32], body: Body, airways: Airways, grid: WorkingGrid) -> npt.NDArray[np.uint8]:
    from scipy.ndimage import binary_dilation

    walls = binary_dilation(airways.mask)
    air = body.air & ~walls
    gas = find_gas(hu, air, grid.spacing, grid.voxel_ml)
    labels, sizes = components(air & ~gas)
    if sizes.max() == 0:
        return np.zeros(hu.shape, np.uint8)
    lungs = (sizes > _LEAST_PIECE * sizes.max())[labels]
    sides = part_sides(lungs, middle_of(airways.mask, hu, lungs, body.inside, grid.spacing), grid.spacing)
    other_air = (hu < AIR_BELOW) & ~body.air
    return close_cavities(hu, sides, body.inside & ~other_air & ~gas, walls, grid.spacing)
