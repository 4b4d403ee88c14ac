"""Phantom patients as NIfTI files."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from covid_monai.data.phantom.draw import draw_phantom
from covid_monai.errors import InputError
from covid_monai.files import replacing

MOST_PATIENTS = 999
SEED_STRIDE = 1000
"""Sets of neighbouring seeds share no patient."""


def write_phantom(
    folder: str | os.PathLike[str],
    patients: int,
    seed: int = 0,
    size: int = 256,
    slices: int = 32,
    progress: Callable[[int, int], object] | None = None,
) -> list[Path]:
    """Draw ``patients`` phantoms: ``folder/images/phantom_01.nii.gz`` ... and their ``folder/labels``.

    Images are int16 HU; labels uint8: 0 background, 1 ground-glass, 2 consolidation, 3 pleural effusion.
    Both carry the affine in mm. Patient k (from 1) has the seed ``1000 * seed + k``.

    Args:
        progress: called after each patient with the number written and the number to write.

    Returns:
        The paths of the images, in order.

    Raises:
        InputError: numbers out of range (see ``draw_phantom``), or the folder cannot be written.
    """
    if not 1 <= patients <= MOST_PATIENTS:
        raise InputError(f"{patients} phantom patients: must be 1 to {MOST_PATIENTS}; choose another number")
    if seed < 0:
        raise InputError(f"phantom seed {seed}: must be 0 or more; choose another seed")
    paths = []
    for number in range(1, patients + 1):
        phantom = draw_phantom(SEED_STRIDE * seed + number, size, slices)
        name = f"phantom_{number:02d}.nii.gz"
        path = Path(folder) / "images" / name
        _write_nifti(path, phantom.image, phantom.affine)
        _write_nifti(Path(folder) / "labels" / name, phantom.label, phantom.affine)
        paths.append(path)
        if progress is not None:
            progress(number, patients)
    return paths


def _write_nifti(path: Path, array: NDArray[np.generic], affine: NDArray[np.float64]) -> None:
    # nibabel is heavy and only files need it
    import nibabel

    image = nibabel.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    with replacing(path) as temporary:
        nibabel.save(image, temporary)
