"""Values of a mask as labels: whole numbers, or what the values are instead."""

from collections.abc import Collection
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.transforms.nifti import grid_shape, open_nifti

ROUNDING = 1e-3
"""How far from a whole number a float may be that stands for it: storage as float32, or a slope such as 1/255."""


def read_nifti_mask(
    path: str | PathLike[str], *, orientation: str | None = None, grid_tolerance: float | None = None
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """Read a NIfTI mask as labels (X, Y, Z), with its affine (RAS, mm).

    Raises:
        InputError: the file cannot be used (:func:`covid_monai.transforms.nifti.open_nifti`), or its values are no
            labels (:func:`whole_labels`).
    """
    image = open_nifti(path, orientation=orientation, grid_tolerance=grid_tolerance)
    values = np.asanyarray(image.dataobj).reshape(grid_shape(image))
    affine: NDArray[np.float64] = image.affine
    return whole_labels(values, str(path)), affine


def whole_labels(values: NDArray[Any], where: str) -> NDArray[np.integer]:
    """The labels of a mask, of any shape, from values of any real type; they can be negative.

    Floats within 0.001 of whole numbers are these numbers, unless that would leave nothing of the mask.

    Args:
        values: bool, integers or floats.
        where: the file, for the errors.

    Raises:
        InputError: a value is NaN or infinite, no whole number or too large for a label, or the type is another.
    """
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind != "f":
        raise InputError(f"{where} holds {values.dtype} values: a mask holds integer labels; save it as uint8")
    odd = ~np.isfinite(values)
    if odd.any():
        raise InputError(
            f"{where} holds NaN or infinity in {np.count_nonzero(odd)} of {values.size} voxels: a mask holds integer "
            "labels; write 0 there if they are background (numpy.nan_to_num does so)"
        )
    labels = np.rint(values)
    odd = np.abs(values - labels) > ROUNDING
    if not labels.any():
        odd = values != 0
    if odd.any():
        raise InputError(_what_else(values, odd, where))
    largest = float(np.abs(labels).max(initial=0))
    if largest > np.iinfo(np.int32).max:
        raise InputError(f"{where} holds values up to {largest:g}, which are no labels: save it as uint8")
    return labels.astype(np.int64)


def _what_else(values: NDArray[Any], odd: NDArray[np.bool_], where: str) -> str:
    different = np.unique(values)
    lowest, highest = float(different[0]), float(different[-1])
    example = float(values[odd].flat[0])
    holding = f"{where} holds values such as {example:.4g} in {np.count_nonzero(odd)} of {values.size} voxels"
    if len(different) == 2 and lowest == 0:
        return (
            f"{holding} and 0 elsewhere: it is a mask of one label that was scaled, as its values or by its header's "
            "slope; save (values > 0) as uint8, which makes it 1"
        )
    if lowest >= 0 and highest <= 1:
        return (
            f"{holding}, and all lie between 0 and 1: they are probabilities, or a mask that was resampled or scaled; "
            "threshold them, and save (values >= 0.5) as uint8"
        )
    return (
        f"{holding} ({lowest:.4g} to {highest:.4g}): a mask holds integer labels; if it was resampled, do so with the "
        "nearest neighbour, and if it is an image, give its mask"
    )


def names_colours(labels: Collection[int]) -> bool:
    """Whether a label map is one of colours: labels of 16 bits end at 0xffff."""
    return max(labels, default=0) > 0xFFFF


def label_in_words(label: int, coloured: bool = False) -> str:
    """A label as a label map names it: a number, or 0xRRGGBB where it is a colour."""
    return f"0x{label:06x}" if coloured and label else str(label)


def what_negative_labels_may_be(found: Collection[int]) -> str:
    """What the lowest label of a mask, below 0, usually comes from."""
    if min(found) == -1 and max(found) <= 0:
        return "-1 may be 255 saved as a signed 8-bit number, or what nobody labelled"
    return f"{min(found)} often marks what is to be ignored, or what nobody labelled"
