"""Segmentations on CT: predictions against their references, and predicted volumes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.palette import BLUISH_GREEN, LUNG_WINDOW, SKY_BLUE, VERMILION, YELLOW
from covid_monai.report.style import fill_mask, new_figure, show_slice

AGREEMENT = {
    "found (true positive)": BLUISH_GREEN,
    "missed (false negative)": VERMILION,
    "false alarm (false positive)": SKY_BLUE,
    "found as another class": YELLOW,
}

# the CT alone stands beside, so that this may cover it
_OPACITY = 0.55
_PANEL_INCHES = 1.75
_CASES_A_ROW = 2


@dataclass(frozen=True)
class OverlayCase:
    """An axial slice with two segmentations of it.

    ``image`` is in HU, ``prediction`` and ``reference`` are class maps (0 background); all are (X, Y) in LPS
    order. ``spacing`` is the pixel size along x and y, ``dice`` (0..1) that of all lesion classes as one, ``window``
    what black and white show, in HU.
    """

    name: str
    image: NDArray[Any]
    prediction: NDArray[Any]
    reference: NDArray[Any]
    spacing: tuple[float, float]
    dice: float
    window: tuple[float, float] = LUNG_WINDOW


def draw_overlays(cases: Sequence[OverlayCase], picture: str | os.PathLike[str]) -> None:
    """Draw cases in a grid: of each the CT as it is and, beside it, where the segmentations agree and differ.

    Args:
        cases: at least one.
        picture: the PNG to write.

    Raises:
        InputError: there is no case, a case's arrays differ in shape, or the picture cannot be written.
    """
    if not cases:
        raise InputError("there is no case to draw; give at least one")
    for case in cases:
        _check_shapes(case)
    pairs = min(len(cases), _CASES_A_ROW)
    rows = -(-len(cases) // pairs)
    tallest = max(case.image.shape[1] * case.spacing[1] / (case.image.shape[0] * case.spacing[0]) for case in cases)
    height = rows * (_PANEL_INCHES * tallest + 0.25) + 0.35
    # a narrow empty column keeps one case's pair of panels apart from the next
    columns = ([1, 1, 0.06] * pairs)[:-1]
    with new_figure(2 * pairs * _PANEL_INCHES + 0.3, height, picture) as figure:
        grid = figure.add_gridspec(rows, len(columns), width_ratios=columns)
        for index, case in enumerate(cases):
            row, place = divmod(index, pairs)
            plain, marked = (figure.add_subplot(grid[row, 3 * place + offset]) for offset in (0, 1))
            draw_overlay(plain, marked, case)
        handles = [Patch(facecolor=colour, label=name) for name, colour in _used(cases).items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=2 * pairs, frameon=False, fontsize=8)


def draw_overlay(plain: Axes, marked: Axes, case: OverlayCase) -> None:
    """Draw one case on two axes: the CT alone, and the CT with the agreement in colours."""
    for axes in (plain, marked):
        show_slice(axes, case.image, case.spacing, case.window)
    plain.set_title(case.name, loc="left", pad=3)
    marked.set_title(f"Dice {case.dice:.3f}", loc="right", pad=3)
    for name, mask in agreement(case).items():
        fill_mask(marked, mask, AGREEMENT[name], _OPACITY)


def agreement(case: OverlayCase) -> dict[str, NDArray[np.bool_]]:
    """Masks (X, Y) of the pixels of each kind in ``AGREEMENT``; no pixel is in two of them."""
    predicted, lesion = case.prediction > 0, case.reference > 0
    same = case.prediction == case.reference
    masks = (predicted & lesion & same, lesion & ~predicted, predicted & ~lesion, predicted & lesion & ~same)
    return dict(zip(AGREEMENT, masks, strict=True))


def _used(cases: Sequence[OverlayCase]) -> dict[str, str]:
    """The legend: another class only where some case has such pixels, since a binary network cannot."""
    shown = dict(AGREEMENT)
    last = list(AGREEMENT)[-1]
    if not any(agreement(case)[last].any() for case in cases):
        del shown[last]
    return shown


def _check_shapes(case: OverlayCase) -> None:
    shapes = [array.shape for array in (case.image, case.prediction, case.reference)]
    if len(shapes[0]) != 2 or len(set(shapes)) > 1:
        raise InputError(
            f"case {case.name}: image, prediction and reference are {', '.join(map(str, shapes))}; "
            "their shapes must be one (x, y)"
        )
