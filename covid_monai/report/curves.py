"""How a training went: loss, validation Dice and learning rate over the epochs."""

import math
import os
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullLocator

from covid_monai.palette import BLUE, GREY, VERMILION
from covid_monai.report.style import new_figure, plain_axes
from covid_monai.run.log import read_log

DrawStyle = Literal["default", "steps-mid"]

# an epoch by itself has no line to be seen, and so few are better read as points
_FEW_EPOCHS = 30


def draw_curves(log: str | os.PathLike[str], picture: str | os.PathLike[str]) -> None:
    """Draw ``log.jsonl`` of a run folder: panels over a common axis of epochs, the best epoch marked.

    A log without any validation has no Dice panel.

    Args:
        log: a file as :class:`covid_monai.handlers.log.EpochLog` writes it.
        picture: the PNG to write.

    Raises:
        InputError: the log is missing, empty or damaged, or the picture cannot be written.
    """
    records = read_log(log)
    validated = any("validation_dice" in record for record in records)
    rows = [2, 2, 1] if validated else [2, 1]
    with new_figure(6.5, sum(rows) + 0.5, picture) as figure:
        panels = figure.subplots(len(rows), 1, sharex=True, height_ratios=rows)
        _draw_line(panels[0], records, "loss", "training loss", BLUE)
        if validated:
            _draw_line(panels[1], records, "validation_dice", "validation Dice", VERMILION)
            _mark_best(panels[1], panels, best_record(records))
        _draw_line(panels[-1], records, "learning_rate", "learning rate", GREY, style="steps-mid")
        _scale_learning_rate(panels[-1], [record["learning_rate"] for record in records])
        _label_epochs(panels, records)
        figure.align_ylabels(list(panels))


def best_record(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The first record with the highest validation Dice."""
    validated = [record for record in records if "validation_dice" in record]
    return max(validated, key=lambda record: (record["validation_dice"], -record["epoch"]))


def _draw_line(
    axes: Axes, records: list[dict[str, Any]], key: str, label: str, colour: str, style: DrawStyle = "default"
) -> None:
    points = [(record["epoch"], record[key]) for record in records if key in record]
    marker = "o" if len(points) <= _FEW_EPOCHS else ""
    axes.plot(*zip(*points, strict=True), color=colour, drawstyle=style, linewidth=1.4, marker=marker, markersize=3)
    axes.set_ylabel(label)
    plain_axes(axes)


def _mark_best(dice_axes: Axes, panels: Any, best: dict[str, Any]) -> None:
    for axes in panels:
        axes.axvline(best["epoch"], color=GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    dice_axes.plot(
        best["epoch"],
        best["validation_dice"],
        "o",
        markersize=8,
        markerfacecolor="none",
        color="black",
        zorder=3,
    )
    # a curve at 0 or 1 would else get an axis that goes beyond what a Dice can be
    low, high = dice_axes.get_ylim()
    dice_axes.set_ylim(max(low, -0.02), min(high, 1.02))
    # in the title's place it can never lie over the curve
    dice_axes.set_title(f"best: {best['validation_dice']:.3f} at epoch {best['epoch']}", loc="right", pad=4)


def _scale_learning_rate(axes: Axes, rates: list[float]) -> None:
    """A schedule that falls by factors of ten shows its steps on a logarithmic axis only."""
    if min(rates) > 0 and max(rates) / min(rates) >= 10:
        axes.set_yscale("log")
        # the rates themselves, as a logarithmic axis puts its own labels on top of one another
        axes.set_yticks(_few(sorted(set(rates))))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%.2g"))
        axes.yaxis.set_minor_locator(NullLocator())
    elif min(rates) >= 0:
        axes.set_ylim(0, 1.15 * max(rates) or 1)


def _label_epochs(panels: Any, records: list[dict[str, Any]]) -> None:
    for axes in panels[:-1]:
        axes.tick_params(bottom=False)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    first, last = records[0]["epoch"], records[-1]["epoch"]
    margin = max(0.5, 0.02 * (last - first))
    panels[-1].set_xlim(first - margin, last + margin)


def _few(rates: list[float]) -> list[float]:
    step = math.ceil(len(rates) / 4)
    return rates[::-step]
