"""Volumes and slices for display: in LPS order, with their voxel size."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.report.style import LUNG_WINDOW
from covid_monai.transforms.grid import to_lps
from covid_monai.transforms.intensity import WINDOW, looks_8_bit, to_hu
from covid_monai.transforms.nifti import read_nifti


@dataclass(frozen=True)
class Volume:
    """``values`` (X, Y, Z): x from the patient's right to left, y from front to back, z towards the head.

    ``spacing`` is the voxel size along them in mm. An oblique volume is turned to the nearest of these axes.
    ``window`` is what black and white show, in HU.
    """

    values: NDArray[Any]
    spacing: tuple[float, float, float]
    window: tuple[float, float] = LUNG_WINDOW


def read_image(path: str | os.PathLike[str]) -> Volume:
    """Read CT for display: 8-bit grey values (0..255) are mapped and shown by a window, others are HU.

    Raises:
        InputError: the file is missing, no NIfTI file, or no volume or slice of finite numbers.
    """
    volume = _read(path)
    if looks_8_bit(volume.values):
        return Volume(to_hu(volume.values, "window", str(path))[0], volume.spacing, WINDOW)
    return volume


def read_mask(path: str | os.PathLike[str]) -> Volume:
    """Read a class map (uint8, 0 is background).

    Raises:
        InputError: as ``read_image``, or the values are no integers from 0 to 255.
    """
    volume = _read(path)
    values = volume.values
    if values.min() < 0 or values.max() > 255 or not np.array_equal(values, np.rint(values)):
        raise InputError(f"{path} has values from {values.min():g} to {values.max():g}, not integers 0 to 255")
    return Volume(values.astype(np.uint8), volume.spacing)


def _read(path: str | os.PathLike[str]) -> Volume:
    image = read_nifti(Path(path))
    values, affine = to_lps(np.asanyarray(image.dataobj), image.affine)
    spacing = voxel_sizes(affine)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise InputError(f"{path} has the voxel size {spacing.tolist()}; repair its header")
    return Volume(values, (float(spacing[0]), float(spacing[1]), float(spacing[2])))
