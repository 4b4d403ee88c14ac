"""The figure of the shipped model's card: its training, its probabilities, its threshold.

    python -m tests.benchmarks.model_figure

Draws ``docs/images/covid-lesion.png`` from ``log.jsonl``, ``calibration.csv`` and ``thresholds.csv`` in
``docs/results/model``, which ``make model`` and ``tests.benchmarks.model_volumes`` write.
"""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd

from covid_monai.palette import BLUE, BLUISH_GREEN, ORANGE, REDDISH_PURPLE, VERMILION

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "results" / "model"
COLOURS = (BLUE, ORANGE, BLUISH_GREEN, VERMILION, REDDISH_PURPLE)
MARKERS = "os^Dv"


def draw_training(axes: Any) -> None:
    """The loss of each epoch, of all data together."""
    log = [json.loads(line) for line in (FOLDER / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    axes.plot([line["epoch"] for line in log], [line["loss"] for line in log], color="black")
    axes.set(xlabel="epoch", ylabel="training loss", title="a  Training of the shipped weights", ylim=(0, None))


def draw_calibration(axes: Any) -> None:
    """How often a voxel is lesion by the probability that it was given, for each volume left out."""
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":")
    table = pd.read_csv(FOLDER / "calibration.csv")
    for (volume, rows), colour, marker in zip(table.groupby("volume"), COLOURS, MARKERS, strict=False):
        share = rows["lesion_voxels"] / rows["voxels"]
        axes.plot(rows["mean_probability"], share, color=colour, marker=marker, markersize=4, label=volume[-3:])
    axes.set(xlabel="probability of lesion", ylabel="share of voxels drawn as lesion", title="b  Calibration")
    axes.legend(title="coronacases", frameon=False, fontsize=7, title_fontsize=7)


def draw_thresholds(axes: Any) -> None:
    """Dice of the whole volume by threshold."""
    table = pd.read_csv(FOLDER / "thresholds.csv").set_index("threshold")
    for volume, colour, marker in zip(table.columns, COLOURS, MARKERS, strict=False):
        axes.plot(table.index, table[volume], color=colour, marker=marker, markersize=4)
    axes.axvline(0.5, color="0.6", linestyle=":")
    axes.set(xlabel="threshold of the probability", ylabel="Dice, whole volume", title="c  Choice of threshold")


def main() -> None:
    """Draw the three panels."""
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 8, "axes.titlesize": 9, "axes.titlelocation": "left", "axes.spines.top": False}):
        figure = Figure(figsize=(7.2, 2.6), layout="constrained")
        for axes, draw in zip(figure.subplots(1, 3), (draw_training, draw_calibration, draw_thresholds), strict=True):
            draw(axes)
            axes.spines["right"].set_visible(False)
        figure.savefig(DOCS / "images" / "covid-lesion.png", dpi=200)


if __name__ == "__main__":
    main()
