"""Refusal of arrays that cannot be scored, by the name of their case."""

import math
from typing import Any

from numpy.typing import NDArray

from covid_monai.errors import InputError

# float16 and resized probabilities overshoot by rounding
_ROUNDING = 1e-3


def check_label_maps(
    case: str, prediction: NDArray[Any], reference: NDArray[Any], classes: int, *, unspecified_lesions: bool = False
) -> None:
    """Both are integer arrays (x, y, z) of one shape with labels 0..``classes`` - 1.

    With ``unspecified_lesions`` the reference may have ``classes`` too.

    Raises:
        InputError: they are not; the message names the case.
    """
    if prediction.shape != reference.shape:
        raise InputError(
            f"case {case}: the prediction's shape is {prediction.shape}, the reference's {reference.shape}; "
            "both must lie on one grid, resample one of them"
        )
    if prediction.ndim != 3 or prediction.size == 0:
        raise InputError(
            f"case {case}: masks have shape {prediction.shape}; give (x, y, 1) slices or (x, y, z) volumes"
        )
    highest = {"prediction": classes - 1, "reference": classes - 1 + unspecified_lesions}
    for name, labels in (("prediction", prediction), ("reference", reference)):
        if labels.dtype.kind not in "iub":
            raise InputError(f"case {case}: the {name} is {labels.dtype}; masks are integer label maps, convert it")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high > highest[name]:
            raise InputError(
                f"case {case}: the {name} has labels {low} to {high}; the class table has "
                f"0 to {highest[name]}, map the labels to it first"
            )


def check_spacing(case: str, spacing: tuple[float, float, float] | None, position_mm: float | None) -> None:
    """The spacing, where given, is three positive lengths in mm, and the position a finite number.

    Raises:
        InputError: they are not; the message names the case.
    """
    if spacing is not None and not (len(spacing) == 3 and all(0 < length < math.inf for length in spacing)):
        raise InputError(f"case {case}: spacing is {spacing}; give three positive lengths in mm, or None if unknown")
    if position_mm is not None and not math.isfinite(position_mm):
        raise InputError(f"case {case}: the slice position is {position_mm}; give a number in mm, or None if unknown")


def check_probability(case: str, probability: NDArray[Any], shape: tuple[int, ...]) -> None:
    """The lesion probability has the masks' shape, a floating dtype and values 0..1.

    Raises:
        InputError: it has not; the message names the case.
    """
    if probability.shape != shape:
        raise InputError(
            f"case {case}: the probability's shape is {probability.shape}, the masks' {shape}; give it on their grid"
        )
    if probability.dtype.kind != "f":
        raise InputError(f"case {case}: the probability is {probability.dtype}; give floating-point values 0 to 1")
    low, high = float(probability.min()), float(probability.max())
    # written so that NaN, which fails every comparison, is refused too
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise InputError(
            f"case {case}: the probability runs from {low:g} to {high:g}; it must lie in 0 to 1, apply "
            "sigmoid or softmax first"
        )
