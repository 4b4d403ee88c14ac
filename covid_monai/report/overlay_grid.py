"""Cases by networks, as the papers' figures have them: the CT, the reference, then every row's mask."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.palette import REDDISH_PURPLE
from covid_monai.report.overlays import AGREEMENT, OverlayCase, agreement
from covid_monai.report.style import fill_mask, new_figure, show_slice

REFERENCE = "reference"
_OPACITY = 0.6
_BODY_ABOVE_HU = -500
_WIDEST_INCHES = 15.0
_PANEL_INCHES = (0.9, 1.5)
_LETTERS_AN_INCH = 13


@dataclass(frozen=True)
class GridCase:
    """A line of the grid: what stands at its left, and a column's overlay or None where it has no mask."""

    name: str
    overlays: Sequence[OverlayCase | None]


def draw_overlay_grid(cases: Sequence[GridCase], columns: Sequence[str], picture: str | os.PathLike[str]) -> None:
    """Draw cases from top to bottom: the CT, the reference on it, and how each column's mask agrees with it.

    Args:
        cases: at least one, each with an overlay for each of ``columns``, at least one of which is not None.
        columns: the networks' names.
        picture: the PNG to write.

    Raises:
        InputError: there is no case, one has another number of overlays or none at all, or the picture cannot be
            written.
    """
    if not cases:
        raise InputError("there is no case to draw; give at least one")
    for case in cases:
        if len(case.overlays) != len(columns) or not any(case.overlays):
            raise InputError(f"case {case.name} has {len(case.overlays)} overlays for {len(columns)} columns")
    cases = [GridCase(case.name, cut_to_body(case.overlays)) for case in cases]
    number = len(columns) + 2
    width = min(_PANEL_INCHES[1], max(_PANEL_INCHES[0], _WIDEST_INCHES / number))
    tallest = [max(_proportion(overlay) for overlay in case.overlays if overlay is not None) for case in cases]
    titles = [fill(name, max(8, int(width * _LETTERS_AN_INCH))) for name in ("CT", REFERENCE, *columns)]
    heading = 0.14 * (1 + max(title.count("\n") for title in titles))
    height = sum(width * proportion + 0.16 for proportion in tallest) + heading + 0.4
    with new_figure(number * (width + 0.04) + 0.3, height, picture) as figure:
        grid = figure.subplots(len(cases), number, squeeze=False, height_ratios=tallest)
        for line, case in zip(grid, cases, strict=True):
            _draw_case(line, case)
        for axes, title in zip(grid[0], titles, strict=True):
            axes.set_title(title, fontsize=7, pad=3, loc="center", verticalalignment="bottom")
        handles = [Patch(facecolor=REDDISH_PURPLE, label=REFERENCE)]
        handles += [Patch(facecolor=colour, label=name) for name, colour in _used(cases).items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)


def _draw_case(line: NDArray[Any], case: GridCase) -> None:
    shown = next(overlay for overlay in case.overlays if overlay is not None)
    for axes in line[:2]:
        show_slice(axes, shown.image, shown.spacing, shown.window)
    fill_mask(line[1], shown.reference > 0, REDDISH_PURPLE, _OPACITY)
    line[0].set_ylabel(fill(case.name, 18), fontsize=6.5)
    for axes, overlay in zip(line[2:], case.overlays, strict=True):
        if overlay is None:
            axes.set(xticks=[], yticks=[])
            axes.text(0.5, 0.5, "no mask", ha="center", va="center", fontsize=7, transform=axes.transAxes)
            axes.set_box_aspect(_proportion(shown))
            axes.set_anchor("N")
        else:
            _draw_overlay(axes, overlay)


def _draw_overlay(axes: Axes, overlay: OverlayCase) -> None:
    show_slice(axes, overlay.image, overlay.spacing, overlay.window)
    for name, mask in agreement(overlay).items():
        fill_mask(axes, np.asarray(mask), AGREEMENT[name], _OPACITY)
    # under the slice, where it never covers a lesion
    axes.set_xlabel(f"Dice {overlay.dice:.2f}", fontsize=6.5, labelpad=1)


def cut_to_body(overlays: Sequence[OverlayCase | None]) -> list[OverlayCase | None]:
    """Overlays of one slice cut to the same rectangle: the body and all masks, without the air around.

    A slice of air alone stays as it is.

    Args:
        overlays: of one slice, at least one of which is not None.
    """
    shown = [overlay for overlay in overlays if overlay is not None]
    inside = shown[0].image > _BODY_ABOVE_HU
    for overlay in shown:
        inside = inside | (overlay.reference > 0) | (overlay.prediction > 0)
    if not inside.any():
        return list(overlays)
    columns, rows = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    rectangle = slice(columns[0], columns[-1] + 1), slice(rows[0], rows[-1] + 1)
    return [overlay and _cut(overlay, rectangle) for overlay in overlays]


def _cut(overlay: OverlayCase, rectangle: tuple[slice, slice]) -> OverlayCase:
    return replace(
        overlay,
        image=overlay.image[rectangle],
        prediction=overlay.prediction[rectangle],
        reference=overlay.reference[rectangle],
    )


def _proportion(overlay: OverlayCase) -> float:
    """Height to width of a slice in mm."""
    (width, height), (x, y) = overlay.image.shape, overlay.spacing
    return height * y / (width * x)


def _used(cases: Sequence[GridCase]) -> dict[str, str]:
    """The kinds of agreement that some panel shows."""
    overlays = [overlay for case in cases for overlay in case.overlays if overlay is not None]
    return {
        name: colour
        for name, colour in AGREEMENT.items()
        if any(agreement(overlay)[name].any() for overlay in overlays)
    }
