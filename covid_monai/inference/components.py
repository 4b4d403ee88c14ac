"""Removal of what is too small to be told from noise."""

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError

MILLILITRE = 1000.0
"""In cubic millimetres."""


def check_volume(min_volume_ml: float) -> float:
    """The volume, if it is one.

    Raises:
        InputError: it is negative or no number.
    """
    if not min_volume_ml >= 0 or not np.isfinite(min_volume_ml):
        raise InputError(f"`min_volume_ml` is {min_volume_ml}; give a volume in mL, such as 0.05, or 0 to keep all")
    return min_volume_ml


def without_small_components(
    mask: NDArray[np.uint8], affine: NDArray[np.float64], *, min_volume_ml: float
) -> NDArray[np.uint8]:
    """A mask without the connected components of lesion that are smaller than a volume.

    The classes of lesion are taken together, so that a rim of one kind around another is not torn off. Voxels are
    connected through faces, edges and corners (26 neighbours), as in nnU-Net.

    Args:
        mask: class map (X, Y, Z) or (X, Y), 0 is background.
        affine: from voxels to mm, (4, 4); its determinant is the volume of a voxel.
        min_volume_ml: the volume in mL from which a component stays; 0 keeps all.

    Raises:
        InputError: ``min_volume_ml`` is negative or no number.
    """
    check_volume(min_volume_ml)
    voxel = abs(float(np.linalg.det(affine[:3, :3]))) / MILLILITRE
    fewest = np.ceil(min_volume_ml / voxel * (1 - 1e-9))
    if fewest <= 1:
        return mask
    from scipy import ndimage

    components, _ = ndimage.label(mask > 0, structure=np.ones((3,) * mask.ndim))
    stays = np.bincount(components.ravel()) >= fewest
    return np.where(stays[components], mask, 0).astype(mask.dtype)
