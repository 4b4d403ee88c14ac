"""Lungs from a mask that exists already: drawn by hand, or by a network."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from covid_monai.errors import InputError
from covid_monai.lungs.airways import Airways, find_airways
from covid_monai.lungs.body import find_body
from covid_monai.lungs.describe import described
from covid_monai.lungs.find import SPACING_MM, coarse_of
from covid_monai.lungs.grid import WorkingGrid
from covid_monai.lungs.lungs import LEFT, RIGHT, Lungs
from covid_monai.lungs.morphology import Mask, components
from covid_monai.lungs.sides import middle_of, part_sides


def from_labels(
    labels: npt.NDArray,
    affine: npt.ArrayLike,
    *,
    hu: npt.NDArray | None = None,
    right: Sequence[int] | None = None,
    left: Sequence[int] | None = None,
) -> Lungs:
    """Lungs from a mask, each voxel of it kept as it is.

    Without ``right`` and ``left`` every label over 0 is lung, and the sides are told from where the pieces lie, since
    data sets number them differently. TotalSegmentator's lobes are ``right=(12, 13, 14), left=(10, 11)``.

    Args:
        labels: (i, j, k), bool or whole numbers.
        affine: (4, 4), from indices to RAS+ mm.
        hu: (i, j, k), the CT in HU; without it airways and carina stay unknown.
        right, left: the labels of the patient's right and left lung; others are no lung.

    Raises:
        InputError: shapes differ; the mask holds other than whole numbers from 0; a label is named for both sides, or
            one side alone is named; or neither sides nor ``hu`` are given and the mask is in one piece, so that it
            cannot be told which lung it is.
    """
    mask = _whole_numbers(labels)
    if hu is not None and hu.shape != mask.shape:
        raise InputError(f"the lung mask has the shape {mask.shape}, the CT {hu.shape}; give masks on the CT's grid")
    grid = WorkingGrid.over(mask.shape, affine, SPACING_MM)
    airways, middle = Airways(np.zeros(1, bool), None), None
    if hu is not None:
        coarse = coarse_of(hu, grid)
        body = find_body(coarse, grid.spacing)
        airways = find_airways(coarse, body, grid.spacing)
        middle = middle_of(airways.mask, coarse, grid.shrink_mask(mask > 0), body.inside, grid.spacing)
    warnings = []
    if right is None and left is None:
        sides = _sides_of(mask > 0, grid, middle)
    else:
        sides = _named(mask, right, left)
        if _swapped(sides, grid):
            warnings.append(
                "what is named the right lung lies to the left of the other: see whether labels are swapped"
            )
    drawn = grid.restore(airways.mask) if hu is not None else np.zeros(mask.shape, bool)
    carina = None if airways.carina is None else grid.to_ras(airways.carina)
    if carina is None:
        warnings.append("the carina is unknown: " + ("no trachea was found" if hu is not None else "no CT was given"))
    return described(sides, drawn, carina, orientation=grid.orientation, warnings=warnings)


def _whole_numbers(labels: npt.NDArray) -> npt.NDArray[np.int64]:
    numeric = np.issubdtype(labels.dtype, np.number) and not np.iscomplexobj(labels)
    if not (labels.dtype == bool or numeric) or not np.all(labels == np.floor(labels)) or np.any(labels < 0):
        raise InputError("the lung mask holds other than whole numbers from 0; give labels, not probabilities")
    return labels.astype(np.int64)


def _named(
    labels: npt.NDArray[np.int64], right: Sequence[int] | None, left: Sequence[int] | None
) -> npt.NDArray[np.uint8]:
    if right is None or left is None or set(right) & set(left) or 0 in {*right, *left}:
        raise InputError(f"right={right} and left={left}; name labels over 0 for both sides, none of them twice")
    sides = np.zeros(labels.shape, np.uint8)
    sides[np.isin(labels, list(right))] = RIGHT
    sides[np.isin(labels, list(left))] = LEFT
    return sides


def _sides_of(mask: Mask, grid: WorkingGrid, middle: float | None) -> npt.NDArray[np.uint8]:
    """RIGHT or LEFT of each voxel of a mask on the CT's grid."""
    coarse = grid.shrink_mask(mask)
    if not coarse.any():
        return np.zeros(mask.shape, np.uint8)
    sides = part_sides(coarse, _between(coarse) if middle is None else middle, grid.spacing)
    return np.where(mask, grid.spread(sides), 0).astype(np.uint8)


def _between(lungs: Mask) -> float:
    """The index along R between the two largest pieces."""
    labels, sizes = components(lungs)
    first, second = np.argsort(sizes)[::-1][:2] if len(sizes) > 2 else (0, 0)
    if second == 0 or sizes[second] < 0.05 * sizes[first]:
        raise InputError(
            "the lung mask is in one piece, and which lung it is cannot be told; give hu, or right and left"
        )
    return float(sum(np.nonzero(labels == number)[0].mean() for number in (first, second)) / 2)


def _swapped(sides: npt.NDArray[np.uint8], grid: WorkingGrid) -> bool:
    if not ((sides == RIGHT).any() and (sides == LEFT).any()):
        return False
    across = [grid.affine[0, :3] @ np.mean(np.nonzero(sides == side), axis=1) for side in (RIGHT, LEFT)]
    return bool(across[0] < across[1])
