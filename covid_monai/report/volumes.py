"""Volumes and slices for display: in LPS order, with their voxel size."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.palette import LUNG_WINDOW
from covid_monai.transforms.grid import Affine, to_lps
from covid_monai.transforms.intensity import WINDOW, looks_8_bit, to_hu
from covid_monai.transforms.nifti import read_nifti


@dataclass(frozen=True)
class Volume:
    """``values`` (X, Y, Z): x from the patient's right to left, y from front to back, z towards the head.

    ``spacing`` is the voxel size along them in mm. An oblique volume is turned to the nearest of these axes.
    ``affine`` is 4x4, from voxels to RAS in mm; ``window`` is what black and white show, in HU.
    """

    values: NDArray[Any]
    affine: Affine
    window: tuple[float, float] = LUNG_WINDOW

    @property
    def spacing(self) -> tuple[float, float, float]:
        """The voxel size along x, y and z in mm."""
        x, y, z = map(float, voxel_sizes(self.affine))
        return x, y, z


def read_image(
    path: str | os.PathLike[str],
    *,
    intensity: str | None = None,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
) -> Volume:
    """Read CT for display.

    Args:
        path: a NIfTI file.
        intensity: a mode of :mod:`covid_monai.transforms.intensity`; None maps 8-bit grey values (0..255) by a window,
            and takes others as HU.
        orientation: see :func:`covid_monai.transforms.nifti.open_nifti`.
        grid_tolerance: see :func:`covid_monai.transforms.nifti.open_nifti`.

    Raises:
        InputError: the file is missing, no NIfTI file, or no volume or slice of finite numbers.
    """
    volume = _read(path, orientation, grid_tolerance)
    grey = looks_8_bit(volume.values)
    mode = intensity or ("window" if grey else "hu")
    values, _ = to_hu(volume.values, mode, str(path))
    return Volume(values, volume.affine, WINDOW if grey else LUNG_WINDOW)


def read_mask(
    path: str | os.PathLike[str], *, orientation: str | None = None, grid_tolerance: float | None = None
) -> Volume:
    """Read a class map (uint8, 0 is background).

    Args:
        path: a NIfTI file.
        orientation: see :func:`covid_monai.transforms.nifti.open_nifti`.
        grid_tolerance: see :func:`covid_monai.transforms.nifti.open_nifti`.

    Raises:
        InputError: as ``read_image``, or the values are no integers from 0 to 255.
    """
    volume = _read(path, orientation, grid_tolerance)
    values = volume.values
    if values.min() < 0 or values.max() > 255 or not np.array_equal(values, np.rint(values)):
        raise InputError(f"{path} has values from {values.min():g} to {values.max():g}, not integers 0 to 255")
    return Volume(values.astype(np.uint8), volume.affine)


def _read(path: str | os.PathLike[str], orientation: str | None, grid_tolerance: float | None) -> Volume:
    # distances are not measured in pictures
    image = read_nifti(Path(path), orientation=orientation, grid_tolerance=grid_tolerance, allow_shear=True)
    return Volume(*to_lps(np.asanyarray(image.dataobj), image.affine))
