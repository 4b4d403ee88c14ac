"""A montage as the papers' figures have it: the CT, the reference, and the masks of several tools side by side."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.measurements.definitions import FINDINGS
from covid_monai.palette import FINDING_COLOURS, LUNG_WINDOW, REDDISH_PURPLE
from covid_monai.report.compared_masks import REFERENCE, ComparedMask, Comparison
from covid_monai.report.overlays import AGREEMENT, OverlayCase, agreement
from covid_monai.report.style import fill_mask, new_figure, outline_mask, show_slice

ENDINGS = (".png", ".svg", ".pdf")
WIDTH_MM = 180.0
"""Of two columns in a journal."""

DOTS_PER_INCH = 300

_INCH = 25.4
_WIDEST_PANEL, _NARROWEST_PANEL = 2.6, 0.55
_TALLEST = 40.0
_LEFT_INCHES, _GAP_INCHES = 0.17, 0.03
# for which there is room
_MOST_ENTRIES, _MOST_LETTERS = 5, 160
_ONE_LINE_INCHES = 6.9
_MARGIN_MM = 6.0
_BODY_ABOVE_HU = -500
_TABLE_MM = 6.0
_OPACITY, _AGREEMENT_OPACITY = 0.4, 0.55
_SCALES_MM = (100, 50, 20, 10, 5)
_LETTERS_AN_INCH, _SMALL_LETTERS_AN_INCH = 13, 23

Box = tuple[slice, slice]


def draw_montage(
    comparison: Comparison,
    slices: Sequence[int],
    picture: str | os.PathLike[str],
    *,
    window: tuple[float, float] = LUNG_WINDOW,
    window_name: str = "Lung window",
    agreements: bool | None = None,
    width_mm: float = WIDTH_MM,
) -> None:
    """Draw slices from top to bottom and masks from left to right.

    All panels show the same rectangle around the body at one scale, the patient's right at the left.

    Args:
        comparison: the study and its masks.
        slices: from 0 at the feet, at least one.
        picture: PNG, SVG or PDF, by its ending.
        window: HU of black and white.
        window_name: what the figure calls it.
        agreements: colour what masks found, missed and raised falsely against the reference, with the Dice of all
            classes as one; else kinds of lesion. None does so where there is a reference.
        width_mm: of the figure.

    Raises:
        InputError: the ending is another one, the figure would be too narrow or too tall, there is no reference to
            agree with, or the picture cannot be written.
    """
    if Path(picture).suffix.lower() not in ENDINGS:
        raise InputError(f"{picture} is no figure's name; give one that ends in {', '.join(ENDINGS)}")
    if agreements and comparison.reference is None:
        raise InputError("agreement is that with a reference; give it as `reference`")
    agreeing = comparison.reference is not None if agreements is None else agreements
    spacing = comparison.spacing or (1.0, 1.0, 1.0)
    box = _box_of(comparison, slices, spacing)
    ratio = (box[1].stop - box[1].start) * spacing[1] / ((box[0].stop - box[0].start) * spacing[0])
    names = [
        "CT",
        *([REFERENCE] if comparison.reference is not None else []),
        *(each.name for each in comparison.masks),
    ]
    layout = _layout(names, len(slices), ratio, width_mm, agreeing)
    entries = _legend(comparison, slices, agreeing)
    with new_figure(layout.width, layout.height, picture, dots_per_inch=DOTS_PER_INCH) as figure:
        figure.set_layout_engine("none")
        for row, k in enumerate(slices):
            line = [figure.add_axes(layout.place(row, column)) for column in range(len(names))]
            _draw_line(line, comparison, k, box, spacing, window, agreeing)
            if row == 0:
                for axes, title in zip(line, _titles(names, comparison, layout.panel, agreeing), strict=True):
                    axes.set_title(title, fontsize=7, pad=3, loc="center", verticalalignment="bottom")
                _mark_right(line[0])
        scale = _draw_scale(line[0], box, spacing) if comparison.spacing is not None else None
        left = _LEFT_INCHES / layout.width
        if entries:
            figure.legend(
                handles=entries,
                loc="upper left",
                bbox_to_anchor=(left, layout.foot / layout.height),
                borderaxespad=0,
                borderpad=0,
                handlelength=1.2,
                handleheight=0.8,
                columnspacing=1.4,
                ncols=layout.legend_columns,
                frameon=False,
                fontsize=6.5,
            )
        caption = fill(_caption(window, window_name, scale, agreeing), int(_SMALL_LETTERS_AN_INCH * layout.width))
        figure.text(left, 0.04 / layout.height, caption, fontsize=6, ha="left", va="bottom", linespacing=1.3)


@dataclass(frozen=True)
class _Layout:
    """Where panels lie, in inches.

    Attributes:
        panel: a panel's width.
        tall: its height.
        below: room under it.
        rows: how many there are.
        columns: how many there are.
        heading: room above all of them.
    """

    panel: float
    tall: float
    below: float
    rows: int
    columns: int
    heading: float

    @property
    def width(self) -> float:
        return _LEFT_INCHES + self.columns * (self.panel + _GAP_INCHES) - _GAP_INCHES + 0.02

    @property
    def height(self) -> float:
        return self.heading + self.rows * (self.tall + self.below) + 0.06 + self.foot

    @property
    def legend_columns(self) -> int:
        """Of the legend, whose entries take up to an inch and a half; a figure of two columns has all in one line."""
        return _MOST_ENTRIES if self.width >= _ONE_LINE_INCHES else max(1, int(self.width / 1.6))

    @property
    def foot(self) -> float:
        """What legend and caption take."""
        legend = -(-_MOST_ENTRIES // self.legend_columns)
        caption = -(-_MOST_LETTERS // int(_SMALL_LETTERS_AN_INCH * self.width))
        return 0.13 * legend + 0.11 * caption + 0.08

    def place(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a panel, as shares of the figure."""
        left = _LEFT_INCHES + column * (self.panel + _GAP_INCHES)
        bottom = self.height - self.heading - row * (self.tall + self.below) - self.tall
        return left / self.width, bottom / self.height, self.panel / self.width, self.tall / self.height


def _layout(names: Sequence[str], rows: int, ratio: float, width_mm: float, agreeing: bool) -> _Layout:
    count = len(names)
    panel = min(_WIDEST_PANEL, (width_mm / _INCH - _LEFT_INCHES - 0.02 + _GAP_INCHES) / count - _GAP_INCHES)
    if panel < _NARROWEST_PANEL:
        least = (_LEFT_INCHES + 0.02 + count * (_NARROWEST_PANEL + _GAP_INCHES)) * _INCH
        message = f"{count} columns do not fit into {width_mm:g} mm"
        raise InputError(f"{message}; give `width_mm` of {np.ceil(least):.0f} or more")
    lines = 1 + max(_wrapped(name, panel).count("\n") for name in names) + agreeing
    layout = _Layout(panel, panel * ratio, 0.17 if agreeing else _GAP_INCHES, rows, count, 0.125 * lines + 0.06)
    if layout.height > _TALLEST:
        raise InputError(f"{rows} slices make a figure of {layout.height * _INCH:.0f} mm; choose fewer of them")
    return layout


def _wrapped(title: str, panel: float) -> str:
    return fill(title, max(6, int(panel * _LETTERS_AN_INCH)))


def _titles(names: Sequence[str], comparison: Comparison, panel: float, agreeing: bool) -> list[str]:
    """Names over the columns; of masks with the Dice of the whole study where they are held against a reference."""
    found = [_wrapped(name, panel) for name in names]
    if agreeing:
        first = len(found) - len(comparison.masks)
        for index, mask in enumerate(comparison.masks):
            dice = comparison.dice(mask)
            found[first + index] += "\n" + ("both empty" if dice is None else f"Dice {dice:.3f}")
    return found


def _draw_line(
    line: Sequence[Axes],
    comparison: Comparison,
    k: int,
    box: Box,
    spacing: tuple[float, float, float],
    window: tuple[float, float],
    agreeing: bool,
) -> None:
    image = comparison.hu[(*box, k)]
    for axes in line:
        show_slice(axes, image, spacing[:2], window)
    line[0].set_ylabel(f"slice {k + 1}", fontsize=6.5, labelpad=2)
    panels = iter(line[1:])
    if comparison.reference is not None:
        _draw_reference(next(panels), comparison.reference, k, box, agreeing)
    for axes, mask in zip(panels, comparison.masks, strict=True):
        if agreeing:
            _draw_agreement(axes, comparison, mask, k, box)
        else:
            _draw_kinds(axes, mask.kinds[(*box, k)])


def _draw_reference(axes: Axes, reference: ComparedMask, k: int, box: Box, agreeing: bool) -> None:
    if not agreeing:
        _draw_kinds(axes, reference.kinds[(*box, k)])
        return
    lesion = np.asarray(reference.lesion[(*box, k)])
    fill_mask(axes, lesion, REDDISH_PURPLE, _OPACITY)
    outline_mask(axes, lesion, REDDISH_PURPLE)


def _draw_kinds(axes: Axes, kinds: NDArray[np.uint8]) -> None:
    for number, finding in enumerate(FINDINGS, start=1):
        if (kinds == number).any():
            fill_mask(axes, kinds == number, FINDING_COLOURS[finding], _OPACITY)
            outline_mask(axes, kinds == number, FINDING_COLOURS[finding])


def _agreement_of(comparison: Comparison, mask: ComparedMask, k: int, box: Box) -> dict[str, NDArray[np.bool_]]:
    """Where a mask agrees with the reference; kinds count only where both tell them apart."""
    assert comparison.reference is not None
    found, truth = mask.kinds[(*box, k)], comparison.reference.kinds[(*box, k)]
    if not (mask.divided and comparison.reference.divided):
        found, truth = (found > 0).astype(np.uint8), (truth > 0).astype(np.uint8)
    return agreement(OverlayCase(mask.name, comparison.hu[(*box, k)], found, truth, (1.0, 1.0), 0.0))


def _draw_agreement(axes: Axes, comparison: Comparison, mask: ComparedMask, k: int, box: Box) -> None:
    for name, pixels in _agreement_of(comparison, mask, k, box).items():
        fill_mask(axes, np.asarray(pixels), AGREEMENT[name], _AGREEMENT_OPACITY)
    dice = comparison.dice(mask, k)
    axes.set_xlabel("both empty" if dice is None else f"Dice {dice:.2f}", fontsize=6.5, labelpad=1)


def _box_of(comparison: Comparison, slices: Sequence[int], spacing: tuple[float, float, float]) -> Box:
    """The rectangle that holds the body and all masks in all slices, without the table and the air around."""
    from scipy import ndimage

    radius = max(1, round(_TABLE_MM / spacing[0])) if comparison.spacing is not None else 1
    inside: NDArray[np.bool_] = np.zeros(comparison.hu.shape[:2], bool)
    for k in slices:
        solid = ndimage.binary_opening(comparison.hu[:, :, k] > _BODY_ABOVE_HU, iterations=radius)
        parts, count = ndimage.label(solid)
        if count:
            inside |= parts == 1 + int(np.bincount(parts.ravel())[1:].argmax())
        for mask in (*comparison.masks, *([comparison.reference] if comparison.reference is not None else [])):
            inside |= mask.lesion[:, :, k]
    if not inside.any():
        return slice(0, inside.shape[0]), slice(0, inside.shape[1])
    margins = [round(_MARGIN_MM / step) for step in spacing]
    columns = _range(np.asarray(inside.any(axis=1)), margins[0])
    rows = _range(np.asarray(inside.any(axis=0)), margins[1])
    return columns, rows


def _range(inside: NDArray[np.bool_], margin: int) -> slice:
    places = np.flatnonzero(inside)
    return slice(max(0, int(places[0]) - margin), min(len(inside), int(places[-1]) + 1 + margin))


def _mark_right(axes: Axes) -> None:
    axes.text(
        0.03,
        0.5,
        "R",
        transform=axes.transAxes,
        ha="left",
        va="center",
        fontsize=7,
        color="white",
        path_effects=[withStroke(linewidth=1.5, foreground="black")],
    )


def _draw_scale(axes: Axes, box: Box, spacing: tuple[float, float, float]) -> int:
    """Draw a bar of a round length in the panel's lower right corner; the length in mm."""
    columns, rows = (part.stop - part.start for part in box)
    length = next((mm for mm in _SCALES_MM if mm / spacing[0] <= 0.3 * columns), _SCALES_MM[-1])
    width, thickness = length / spacing[0], 0.014 * rows
    left, top = columns - 0.04 * columns - width, rows - 0.05 * rows - thickness
    outline = withStroke(linewidth=1.6, foreground="black")
    axes.add_patch(Rectangle((left, top), width, thickness, facecolor="white", linewidth=0, path_effects=[outline]))
    return length


def _legend(comparison: Comparison, slices: Sequence[int], agreeing: bool) -> list[Artist]:
    """What colours mean; only those that some panel has."""
    if not agreeing:
        masks = [*([comparison.reference] if comparison.reference is not None else []), *comparison.masks]
        used = set(np.concatenate([np.unique(mask.kinds[..., list(slices)]) for mask in masks]).tolist())
        return [
            Patch(facecolor=FINDING_COLOURS[finding], label=finding.replace("_", "-"))
            for number, finding in enumerate(FINDINGS, start=1)
            if number in used
        ]
    whole = slice(None), slice(None)
    panels = [_agreement_of(comparison, mask, k, whole) for mask in comparison.masks for k in slices]
    shown: list[Artist] = [Patch(facecolor=REDDISH_PURPLE, label=REFERENCE)]
    for name, colour in AGREEMENT.items():
        if any(panel[name].any() for panel in panels):
            shown.append(Patch(facecolor=colour, label=name))
    return shown


def _caption(window: tuple[float, float], name: str, scale: int | None, agreeing: bool) -> str:
    low, high = window
    centre = f"{(low + high) / 2:g}".replace("-", "\N{MINUS SIGN}")
    bar = "no scale, as the spacing is unknown" if scale is None else f"bar {scale} mm, one scale in all panels"
    text = f"{name}: centre {centre} HU, width {high - low:g} HU; {bar}; R: the patient's right."
    return f"{text} Dice of all classes as one, above of the whole study." if agreeing else text
