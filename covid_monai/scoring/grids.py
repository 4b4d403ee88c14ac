"""Two masks on one grid: the same voxels of the world, in whatever order the files keep their axes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.transforms.grid import (
    GRID_TOLERANCE,
    ROUNDED_POSITIONS,
    Affine,
    corner_distance,
    differences,
    orientation_name,
    rounded_up,
    to_lps,
)


@dataclass(frozen=True)
class LabelImage:
    """A label map and where it lies.

    Attributes:
        path: its file, for messages.
        labels: (X, Y, Z) integers.
        affine: index to world coordinates (RAS, mm), (4, 4); None for a picture, which lies nowhere.
        coloured: whether the labels are colours 0xRRGGBB.
        partial: whether it may cover a part of the image alone, and is 0 beside it, as a DICOM-SEG.
        planes: (Z, 3), where the first voxel of each plane lies, RAS in mm, if they are unevenly spaced; ``affine``
            then has their mean distance.
    """

    path: str
    labels: NDArray[np.integer]
    affine: NDArray[np.float64] | None
    coloured: bool = False
    partial: bool = False
    planes: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class AlignedMasks:
    """Prediction and reference as (X, Y, Z) in LPS order, a single slice as (X, Y, 1).

    Attributes:
        prediction: labels.
        reference: labels, of the same shape.
        spacing: voxel size in mm along the three axes; None for pictures.
        reordered: whether the prediction's file keeps its axes in another order than the reference's.
    """

    prediction: NDArray[np.integer]
    reference: NDArray[np.integer]
    spacing: tuple[float, float, float] | None
    reordered: bool


def align(prediction: LabelImage, reference: LabelImage, *, grid_tolerance: float | None = None) -> AlignedMasks:
    """Bring two label maps of one grid to one order of axes; nothing is resampled.

    Args:
        prediction: a label map.
        reference: another one, whose spacing counts.
        grid_tolerance: how far in mm a voxel may lie from one to the other; None for 0.01.

    Raises:
        InputError: they lie on different grids; the message names the file and what differs.
    """
    if prediction.affine is None or reference.affine is None:
        return _align_pictures(prediction, reference)
    _check_planes(prediction, reference)
    turned, affine = to_lps(prediction.labels, prediction.affine)
    expected, expected_affine = to_lps(reference.labels, reference.affine)
    if prediction.partial:
        turned, affine = _covering(turned, affine, expected.shape, expected_affine)
    if reference.partial:
        expected, expected_affine = _covering(expected, expected_affine, turned.shape, affine)
    tolerance = GRID_TOLERANCE if grid_tolerance is None else grid_tolerance
    if difference := _difference(turned.shape, affine, expected.shape, expected_affine, tolerance):
        raise InputError(f"{prediction.path} lies on another grid than {reference.path}: {difference}")
    spacing = np.linalg.norm(expected_affine[:3, :3], axis=0).tolist()
    # a coronal or sagittal slice: its one layer is what the scores call a slice
    single = [axis for axis in range(3) if expected.shape[axis] == 1]
    if len(single) == 1:
        turned, expected = np.moveaxis(turned, single[0], 2), np.moveaxis(expected, single[0], 2)
        spacing.append(spacing.pop(single[0]))
    reordered = orientation_name(prediction.affine) != orientation_name(reference.affine)
    return AlignedMasks(turned, expected, (spacing[0], spacing[1], spacing[2]), reordered)


def _check_planes(prediction: LabelImage, reference: LabelImage) -> None:
    """Refuse two label maps of unevenly spaced planes that left out different ones of them."""
    one, other = prediction.planes, reference.planes
    if one is None or other is None:
        return
    if one.shape != other.shape or np.linalg.norm(one - other, axis=1).max() > ROUNDED_POSITIONS:
        raise InputError(
            f"{prediction.path} and {reference.path} have unevenly spaced planes that lie at different places; export "
            "both with all frames, the empty ones too"
        )


def _covering(
    labels: NDArray[np.integer], affine: Affine, shape: tuple[int, ...], other: Affine
) -> tuple[NDArray[np.integer], Affine]:
    """A label map with 0 around it, as far as another grid reaches beyond it along its own axes; both in LPS order."""
    first = np.rint(np.linalg.solve(affine, other[:, 3])[:3]).astype(int)
    before = np.maximum(-first, 0)
    after = np.maximum(first + shape - labels.shape, 0)
    # grids that lie far apart are no parts of one image
    if np.any(before + after >= 2 * np.array(shape)):
        return labels, affine
    moved = affine.copy()
    moved[:3, 3] -= affine[:3, :3] @ before
    return np.pad(labels, list(zip(before, after, strict=True))), moved


def _align_pictures(prediction: LabelImage, reference: LabelImage) -> AlignedMasks:
    if prediction.affine is not None or reference.affine is not None:
        raise InputError(
            f"{prediction.path} and {reference.path}: a picture has no place in the world, so it cannot be matched "
            "with a file that has one; give both as pictures, or both as NIfTI or NRRD"
        )
    if prediction.labels.shape != reference.labels.shape:
        raise InputError(
            f"{prediction.path} has {_lengths(prediction.labels.shape)} pixels, {reference.path} has "
            f"{_lengths(reference.labels.shape)}; resize it (nearest neighbour) to the reference's size"
        )
    return AlignedMasks(prediction.labels, reference.labels, None, False)


def _difference(
    shape: tuple[int, ...], affine: Affine, other_shape: tuple[int, ...], other: Affine, tolerance: float
) -> str:
    """What sets two grids in LPS order apart, in words; "" where nothing does."""
    if shape != other_shape:
        return (
            f"it has {_lengths(shape)} voxels (left, posterior, superior), the reference {_lengths(other_shape)}; "
            "resample it (nearest neighbour) to the reference's grid"
        )
    apart = corner_distance(affine, other, shape)
    if apart <= tolerance:
        return ""
    return (
        f"voxels are up to {apart:.3g} mm apart ({differences(affine, other)}); resample it (nearest neighbour) to the "
        f"reference's grid, or take the two for one with `grid_tolerance` {rounded_up(apart)}"
    )


def _lengths(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
