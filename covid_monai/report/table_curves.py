"""The trainings of a table as small multiples: a panel a row, a line a cell."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from covid_monai.errors import InputError
from covid_monai.report.forest import PROTOCOL_COLOURS
from covid_monai.report.style import GREY, new_figure, plain_axes

_A_LINE = 4
_TITLE_CHARACTERS = 30
# an epoch by itself has no line to be seen
_FEW_EPOCHS = 3

Logs = Mapping[str, Sequence[tuple[str, Sequence[dict[str, Any]]]]]
"""By a row's label: the protocol and the log's records of each of its cells."""


def draw_table_curves(
    logs: Logs, key: str, label: str, picture: str | os.PathLike[str], one_scale: bool = True
) -> None:
    """Draw one logged value of every cell over the epochs.

    Args:
        logs: as :func:`covid_monai.report.curves.read_log` reads them.
        key: the value, such as ``loss`` or ``validation_dice``; records without it are passed over.
        label: of the axis.
        picture: the PNG to write.
        one_scale: whether all panels have the same scale; losses of different kinds have none in common.

    Raises:
        InputError: no log has the value, or the picture cannot be written.
    """
    drawn = {
        row: [(protocol, [(one["epoch"], one[key]) for one in records if key in one]) for protocol, records in cells]
        for row, cells in logs.items()
    }
    protocols = sorted({protocol for cells in drawn.values() for protocol, points in cells if points})
    if not protocols:
        raise InputError(f"no training log has {key}; train for at least one epoch")
    columns = min(len(drawn), _A_LINE)
    rows = -(-len(drawn) // columns)
    with new_figure(0.5 + 1.75 * columns, 0.5 + 1.45 * rows, picture) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=one_scale, squeeze=False)
        for axes in grid.flat[len(drawn) :]:
            axes.set_visible(False)
        for axes, (row, cells) in zip(grid.flat, drawn.items(), strict=False):
            for protocol, points in cells:
                if points:
                    marker = "o" if len(points) <= _FEW_EPOCHS else ""
                    colour = PROTOCOL_COLOURS.get(protocol, GREY)
                    axes.plot(*zip(*points, strict=True), color=colour, linewidth=0.9, marker=marker, markersize=2.5)
            axes.set_title(_short(row), loc="left", pad=3, fontsize=8)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4, min_n_ticks=1))
            axes.tick_params(labelsize=7)
            plain_axes(axes)
        # the panel above a hidden one has no neighbour to carry its epochs
        for place in range(len(drawn) - columns, len(drawn)):
            grid.flat[max(place, 0)].tick_params(labelbottom=True)
        figure.supxlabel("epoch", fontsize=8)
        figure.supylabel(label, fontsize=8)
        handles = [
            Line2D([], [], color=PROTOCOL_COLOURS.get(name, GREY), label=f"protocol {name}") for name in protocols
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=8)


def _short(label: str) -> str:
    return label if len(label) <= _TITLE_CHARACTERS else f"{label[: _TITLE_CHARACTERS - 1]}…"
