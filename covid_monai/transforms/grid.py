"""Where voxels lie in the patient: affines in mm, their shear and orientation, and how far two of them are apart."""

import warnings
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, InputWarning

Scalar = TypeVar("Scalar", bound=np.generic)
Affine = NDArray[np.float64]

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From the coordinates of DICOM and ITK (left, posterior, superior) to those of NIfTI (right, anterior, superior)."""

SMALLEST_DETERMINANT = 1e-9
"""Of an affine in mm; below it the axes do not span a volume."""

GRID_TOLERANCE = 0.01
"""How far in mm a voxel may lie from itself in two grids that are one: float32 rounds by less."""

ROUNDED_POSITIONS = 0.1
"""How far in mm a plane may lie from its slice where positions were rounded on one side or both."""

LARGEST_SHEAR = 0.1
"""Degrees by which axes may miss right angles, as rounded headers do."""


def orientation_of(text: str) -> str:
    """An orientation as three capital letters: where x, y and z run, each of L/R, A/P and S/I once.

    Raises:
        InputError: it is none.
    """
    letters = text.upper()
    sides = [next((index for index, pair in enumerate(("LR", "PA", "IS")) if each in pair), None) for each in letters]
    if len(letters) != 3 or sorted(side for side in sides if side is not None) != [0, 1, 2]:
        raise InputError(f"orientation is {text!r}; give three letters, where x, y and z run: such as LPS, LAS or RAS")
    return letters


def axes_affine(axes: str, spacing: NDArray[np.float64], shape: tuple[int, int, int]) -> Affine:
    """The affine of axes that run to ``axes``, such as ``LPS``, with the middle of the volume at the origin."""
    from nibabel import orientations

    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    for axis, (world, sign) in enumerate(orientations.axcodes2ornt(tuple(axes))):
        affine[int(world), axis] = sign * spacing[axis]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def check_affine(affine: Affine, where: str, *, allow_shear: bool = False) -> None:
    """Refuse an affine of no volume, and one whose axes are not at right angles, as a tilted gantry leaves them.

    Args:
        affine: 4x4, to RAS in mm.
        where: what messages call it.
        allow_shear: warn of shear only.

    Raises:
        InputError: see above.
    """
    if not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine[:3, :3])) < SMALLEST_DETERMINANT:
        raise InputError(f"{where} has a broken affine: its axes do not span a volume")
    if (angle := shear(affine)) <= LARGEST_SHEAR:
        return
    message = f"{where} has a shear of {angle:.1f} degrees: its axes are not at right angles, as with a tilted gantry"
    if not allow_shear:
        raise InputError(f"{message}, so distances in it cannot be measured; resample it to right angles")
    _warn(f"{message}; slices are taken as they are stored, and distances have to be measured with its affine")


def shear(affine: Affine) -> float:
    """By how many degrees the axes of an affine miss right angles, at most."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    cosines = np.abs(directions.T @ directions)[np.triu_indices(3, k=1)]
    return float(np.degrees(np.arcsin(np.clip(cosines.max(), 0, 1))))


def without_shear(affine: Affine) -> Affine:
    """The nearest affine of right angles with the same spacing (polar decomposition), as converters write it."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing)
    straight = affine.copy()
    straight[:3, :3] = left @ right * spacing
    return straight


def corner_distance(first: Affine, second: Affine, shape: tuple[int, ...]) -> float:
    """How far in mm any voxel of a grid lies from itself under two affines; the farthest is a corner."""
    lengths = (*shape, 1, 1)[:3]
    corners = np.array([[*corner, 1] for corner in product(*((0, length - 1) for length in lengths))]).T
    return float(np.linalg.norm(((first - second) @ corners)[:3], axis=0).max())


def differences(first: Affine, second: Affine) -> str:
    """What sets two affines apart, in words: spacing, directions, origin."""
    spacings = [np.linalg.norm(affine[:3, :3], axis=0) for affine in (first, second)]
    turn = np.abs(first[:3, :3] / spacings[0] - second[:3, :3] / spacings[1]).max()
    found = []
    if np.abs(spacings[0] / spacings[1] - 1).max() > 1e-5:
        found.append(f"spacing {in_words(spacings[0])} against {in_words(spacings[1])} mm")
    if turn > 1e-4:
        found.append("the axes' directions differ")
    if np.abs(first[:3, 3] - second[:3, 3]).max() > 0.005:
        found.append(f"origin {in_words(first[:3, 3])} against {in_words(second[:3, 3])} mm")
    return ", ".join(found) or "rounded numbers"


def orientation_name(affine: Affine) -> str:
    """Where the axes run, such as ``LPS``; an oblique axis has the letter of the nearest direction."""
    from nibabel import aff2axcodes

    return "".join(str(letter) for letter in aff2axcodes(affine))


def to_lps(values: NDArray[Scalar], affine: Affine) -> tuple[NDArray[Scalar], Affine]:
    """Turn a volume to LPS order, by permuting and flipping its axes; nothing is resampled.

    Args:
        values: (X, Y, Z) in any order of axes; an oblique volume goes to the nearest one.
        affine: 4x4, from voxels to RAS in mm (NIfTI's own).

    Returns:
        The values (X, Y, Z) with x to the patient's left, y to the back and z to the head, as a view; and their
        affine, to RAS in mm still.
    """
    from nibabel import orientations

    wanted = orientations.axcodes2ornt(("L", "P", "S"))
    change = orientations.ornt_transform(orientations.io_orientation(affine), wanted)
    return orientations.apply_orientation(values, change), affine @ orientations.inv_ornt_aff(change, values.shape)


def in_words(values: NDArray[np.float64]) -> str:
    """Numbers beside each other, with six digits."""
    return " ".join(f"{number:.6g}" for number in values)


def rounded_up(distance: float) -> str:
    """A distance in mm as a tolerance that accepts it."""
    return f"{np.ceil(distance * 100) / 100:g}"


def _warn(message: str) -> None:
    warnings.warn(message, InputWarning, stacklevel=3)
