"""Forest plots of a table: a line a row, values with their intervals, and the paper's value beside them."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from covid_monai.errors import InputError
from covid_monai.palette import BLUE, BLUISH_GREEN, GREY, ORANGE, SKY_BLUE, VERMILION
from covid_monai.report.style import new_figure, plain_axes

PROTOCOL_COLOURS = {
    "paper": BLUE,
    "grouped": VERMILION,
    "control-ungrouped": SKY_BLUE,
    "control-grouped": ORANGE,
}
_MARKERS = {"grouped": "s", "control-grouped": "s"}
_LINE_INCHES = 0.36
_PANEL_INCHES = 2.5
_MOST_PANELS = 3
_LABEL_CHARACTERS = 30
# of the labels' font, an inch a character
_CHARACTER_INCHES = 0.072


@dataclass(frozen=True)
class ForestLine:
    """A row: its label, the paper's value (None for none), and of each protocol (value, interval or None)."""

    label: str
    published: float | None = None
    estimates: dict[str, tuple[float, tuple[float, float] | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class ForestPanel:
    """A measure: its heading, its lines from top to bottom, and whether 0 is marked, as of differences.

    Panels that name one ``scale`` have the same horizontal axis, so that their values can be compared by eye.
    """

    heading: str
    lines: Sequence[ForestLine]
    marks_zero: bool = False
    scale: str = ""


def draw_forest(panels: Sequence[ForestPanel], picture: str | os.PathLike[str], title: str = "") -> None:
    """Draw panels that have the same rows beside one another, up to three to a line.

    Args:
        panels: at least one, each with at least one line.
        picture: the PNG to write.
        title: what stands above the panels, where the picture is to be read alone.

    Raises:
        InputError: there is no panel or line, the panels' rows differ, or the picture cannot be written.
    """
    if not panels or not panels[0].lines:
        raise InputError("there is nothing to draw; give at least one panel with one line")
    labels = [line.label for line in panels[0].lines]
    if any([line.label for line in panel.lines] != labels for panel in panels):
        raise InputError("the panels have different rows; a forest plot has the same ones in each")
    rows = -(-len(panels) // _MOST_PANELS)
    columns = -(-len(panels) // rows)
    labels = [fill(label, _LABEL_CHARACTERS) for label in labels]
    margin = 0.2 + _CHARACTER_INCHES * max(len(line) for label in labels for line in label.splitlines())
    width = margin + columns * _PANEL_INCHES
    titles = fill(title, int(width / _CHARACTER_INCHES)).splitlines()
    height = rows * (len(labels) * _LINE_INCHES + 0.75) + 0.35 + 0.17 * len(titles)
    with new_figure(width, height, picture) as figure:
        if titles:
            figure.suptitle("\n".join(titles), x=0.01, horizontalalignment="left", fontsize=9)
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, panel)
        _share_scales(grid.flat, panels)
        for line in grid:
            line[0].set_yticks(range(len(labels)), labels)
            line[0].set_ylim(len(labels) - 0.5, -0.5)
        handles = _handles(panels)
        # equally long lines of at most three, so that two pairs of protocols stand pair by pair
        ncols = -(-len(handles) // -(-len(handles) // 3))
        figure.legend(handles=handles, loc="outside lower center", ncols=ncols, frameon=False, fontsize=8)


def _draw_panel(axes: Axes, panel: ForestPanel) -> None:
    protocols = _protocols([panel])
    for place in range(len(panel.lines)):
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color="#F4F4F4", linewidth=0, zorder=0)
    if panel.marks_zero:
        axes.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    for place, line in enumerate(panel.lines):
        for protocol, (value, interval) in line.estimates.items():
            height = place + _offset(protocol, protocols)
            colour = _colour(protocol)
            if interval is not None:
                axes.plot(interval, (height, height), color=colour, linewidth=1.6, solid_capstyle="butt", zorder=2)
            axes.plot(value, height, marker=_MARKERS.get(protocol, "o"), color=colour, markersize=4.5, zorder=3)
        if line.published is not None:
            axes.plot(line.published, place, "D", color="black", markerfacecolor="none", markersize=5, zorder=4)
    plain_axes(axes)
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=5)
    axes.set_title(fill(panel.heading, _LABEL_CHARACTERS), loc="left", pad=6)


def _share_scales(drawn: Iterable[Axes], panels: Sequence[ForestPanel]) -> None:
    """Give the panels that name one scale the limits that hold all of them."""
    by_scale: dict[str, list[Axes]] = {}
    for axes, panel in zip(drawn, panels, strict=False):
        if panel.scale:
            by_scale.setdefault(panel.scale, []).append(axes)
    for shared in by_scale.values():
        low, high = zip(*(axes.get_xlim() for axes in shared), strict=True)
        for axes in shared:
            axes.set_xlim(min(low), max(high))


def in_protocol_order(names: Iterable[str]) -> list[str]:
    """Protocols, or differences of them, in the order of their colours: the paper's first."""
    known = list(PROTOCOL_COLOURS)
    # a difference stands where the protocol does that it begins with
    first = {name: name.split(" ")[0] for name in names}
    return sorted(first, key=lambda name: (known.index(first[name]) if first[name] in known else len(known), name))


def _colour(name: str) -> str:
    """Of a protocol, or of a difference of two; that of the control arms is told from the other."""
    return PROTOCOL_COLOURS.get(name, BLUISH_GREEN if name.startswith("control") else GREY)


def _protocols(panels: Sequence[ForestPanel]) -> list[str]:
    found = {name for panel in panels for line in panel.lines for name in line.estimates}
    return in_protocol_order(found)


def _offset(protocol: str, protocols: Sequence[str]) -> float:
    """Protocols above and below a line's middle, where the published value is."""
    return 0.0 if len(protocols) < 2 else 0.4 * (protocols.index(protocol) / (len(protocols) - 1) - 0.5)


def _interval_text(panels: Sequence[ForestPanel], name: str) -> str:
    drawn = [line.estimates[name][1] for panel in panels for line in panel.lines if name in line.estimates]
    return "" if all(interval is None for interval in drawn) else ", 95 % interval"


def _handles(panels: Sequence[ForestPanel]) -> list[Line2D]:
    handles = [
        Line2D(
            [],
            [],
            color=_colour(name),
            marker=_MARKERS.get(name, "o"),
            markersize=4.5,
            linewidth=1.6,
            label=name if name not in PROTOCOL_COLOURS else f"protocol {name}{_interval_text(panels, name)}",
        )
        for name in _protocols(panels)
    ]
    if any(line.published is not None for panel in panels for line in panel.lines):
        published = Line2D([], [], color="black", marker="D", markerfacecolor="none", markersize=5, linewidth=0)
        published.set_label("published")
        handles.append(published)
    return handles
