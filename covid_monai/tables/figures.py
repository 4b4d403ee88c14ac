"""The figures of a table: forest plots of its values and optimism, training curves, and cases with their masks."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from covid_monai.data.manifest import Case, Dataset
from covid_monai.errors import InputError
from covid_monai.report.cases import load_case
from covid_monai.report.forest import PROTOCOL_COLOURS, ForestLine, ForestPanel
from covid_monai.report.overlay_grid import GridCase
from covid_monai.report.style import GREY, new_figure, plain_axes
from covid_monai.scoring.summary import ANY_LESION
from covid_monai.tables.findings import Findings
from covid_monai.tables.render import heading_of
from covid_monai.tables.results import Results
from covid_monai.tables.spec import Measure, Row


@dataclass(frozen=True)
class TableForest:
    """A forest plot of a table: its file's name without ending, what it shows, and a panel a measure."""

    name: str
    caption: str
    panels: list[ForestPanel]


def table_forests(findings: Findings) -> list[TableForest]:
    """The values, and the optimism where both protocols were run."""
    measures = list(findings.results.table.measures.values())
    values = [panel for one in measures if (panel := _value_panel(findings, one)) is not None]
    between = [panel for one in measures if (panel := _optimism_panel(findings, one)) is not None]
    forests = [
        TableForest("values", "All folds together, with 95 % intervals, and the published values.", values),
        TableForest("optimism", _optimism_caption(findings), between),
    ]
    return [forest for forest in forests if forest.panels]


def _optimism_caption(findings: Findings) -> str:
    caption = "Optimism: how much higher the measure is under the paper's protocol than under the grouped one."
    if all(one.same_cases for one in findings.optimism):
        return caption
    return f"{caption} Where the two had different test cases (see the tables), what sets these apart is in it too."


def _value_panel(findings: Findings, measure: Measure) -> ForestPanel | None:
    lines = []
    # values that cannot be compared do not stand beside each other
    apart = measure.name in findings.head.not_comparable
    for row in findings.results.table.rows:
        own = [one for one in findings.entries if one.measure == measure and one.row == row and one.together]
        estimates = {one.protocol: (one.together.value, one.together.interval) for one in own if one.together}
        lines.append(ForestLine(row.label, None if apart else row.paper.get(measure.name), estimates))
    # a measure that the scores do not have has nothing of ours to be drawn
    if not any(line.estimates for line in lines):
        return None
    return ForestPanel(heading_of(measure) + (" (not comparable)" if apart else ""), lines)


def _optimism_panel(findings: Findings, measure: Measure) -> ForestPanel | None:
    between = {one.row.slug: one.estimate for one in findings.optimism if one.measure == measure}
    # the same rows in every panel, whatever a measure lacks
    rows = [row for row in findings.results.table.rows if any(one.row == row for one in findings.optimism)]
    if not between:
        return None
    lines = [
        ForestLine(row.label, None, {"paper − grouped": (one.value, one.interval)} if one else {})  # noqa: RUF001
        for row in rows
        for one in [between.get(row.slug)]
    ]
    return ForestPanel(heading_of(measure), lines, marks_zero=True)


_A_LINE = 4
_TITLE_CHARACTERS = 30
# an epoch by itself has no line to be seen
_FEW_EPOCHS = 3

Logs = Mapping[str, Sequence[tuple[str, Sequence[dict[str, Any]]]]]
"""By a row's label: the protocol and the log's records of each of its jobs."""


def draw_table_curves(
    logs: Logs, key: str, label: str, picture: str | os.PathLike[str], one_scale: bool = True
) -> None:
    """Draw one logged value of every job over the epochs.

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
        row: [(protocol, [(one["epoch"], one[key]) for one in records if key in one]) for protocol, records in jobs]
        for row, jobs in logs.items()
    }
    protocols = sorted({protocol for jobs in drawn.values() for protocol, points in jobs if points})
    if not protocols:
        raise InputError(f"no training log has {key}; train for at least one epoch")
    columns = min(len(drawn), _A_LINE)
    rows = -(-len(drawn) // columns)
    with new_figure(0.5 + 1.75 * columns, 0.5 + 1.45 * rows, picture) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=one_scale, squeeze=False)
        for axes in grid.flat[len(drawn) :]:
            axes.set_visible(False)
        for axes, (row, jobs) in zip(grid.flat, drawn.items(), strict=False):
            for protocol, points in jobs:
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


MOST_CASES = 15
"""Every known patient is shown where there are fewer."""


def shown_rows(results: Results, protocol: str) -> list[Row]:
    """Rows of the table with finished jobs and their masks; those of a variant have other cases and are left out."""
    return [row for row in results.table.rows if not row.variant and _masks_are_there(results, protocol, row)]


def rows_without_masks(results: Results, protocol: str) -> list[Row]:
    """Rows with finished jobs of which only the scores are here, as of results that were published."""
    return [
        row
        for row in results.table.rows
        if len(results.jobs_of(protocol, row)) and not _masks_are_there(results, protocol, row)
    ]


def _masks_are_there(results: Results, protocol: str, row: Row) -> bool:
    jobs = results.jobs_of(protocol, row)
    return len(jobs) > 0 and all((evaluation / "masks").is_dir() for evaluation in jobs["evaluation"])


def choose_cases(results: Results, protocol: str, most: int = MOST_CASES) -> list[str]:
    """Names of the cases to be shown, worst first: by the mean Dice over the rows, all lesions as one.

    Of each known patient its worst slice, where there are fewer than ``most`` patients; then the worst slices of the
    others, until there are ``most``. Cases that more rows were tested on go first.
    """
    ranked = _ranked(results, protocol)
    patient_of = {case.case: case.patient for case in results.datasets[""].cases}
    first_of: dict[str, str] = {}
    for name in ranked.index:
        if (patient := patient_of[name]) is not None:
            first_of.setdefault(patient, name)
    chosen = list(first_of.values()) if len(first_of) < most else []
    others = [name for name in ranked.index if not (chosen and patient_of[name])]
    kept = [*chosen, *others[: most - len(chosen)]]
    return [
        str(name)
        for name in ranked.loc[kept].sort_values(["dice", "wrong"], ascending=[True, False], kind="stable").index
    ]


def load_grid(results: Results, protocol: str, names: Sequence[str]) -> list[GridCase]:
    """The cases with the masks of every row of :func:`shown_rows`: of several seeds those of the first one.

    Raises:
        InputError: a mask, image or label cannot be read, or is not what was scored.
    """
    dataset = results.datasets[""]
    known = {case.case: case for case in dataset.cases}
    rows = shown_rows(results, protocol)
    return [
        GridCase(_caption(known[name]), [_overlay(results, protocol, row, name, dataset) for row in rows])
        for name in names
    ]


def _ranked(results: Results, protocol: str) -> pd.DataFrame:
    """Every tested case with its mean Dice: those of most rows first, of them the worst first; of equal ones that
    with more wrong pixels.
    """
    rows = shown_rows(results, protocol)
    scores = results.scores[(results.scores["protocol"] == protocol) & (results.scores["level"] == "slice")]
    scores = _of_union(scores[scores["slug"].isin([row.slug for row in rows])])
    scores = scores.assign(wrong=scores["fp"] + scores["fn"])
    by_case = scores.groupby("case").agg(rows=("slug", "nunique"), dice=("dice", "mean"), wrong=("wrong", "mean"))
    return by_case.sort_values(["rows", "dice", "wrong"], ascending=[False, True, False], kind="stable")


def _of_union(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of all lesion classes as one."""
    several = scores["class"].eq(ANY_LESION).any()
    return scores[scores["class"] == ANY_LESION] if several else scores


def _overlay(results: Results, protocol: str, row: Row, name: str, dataset: Dataset) -> Any:
    scores = results.scores_of(protocol, row)
    found = _of_union(scores[(scores["case"] == name) & (scores["level"] == "slice")])
    if found.empty:
        return None
    first = found.sort_values(["seed", "fold"]).iloc[0]
    jobs = results.jobs_of(protocol, row)
    job = jobs[(jobs["fold"] == first["fold"]) & (jobs["seed"] == first["seed"])].iloc[0]
    classes = _class_of_label(results.output / job["folder"] / "config.yaml")
    return load_case(name, dataset, job["evaluation"], classes, float(first["dice"]))


def _class_of_label(path: str | os.PathLike[str]) -> dict[int, int]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return dict(zip(content["lesion_labels"], content["lesion_classes"], strict=True))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not tell lesion_labels and lesion_classes; run the job again") from error


def _caption(case: Case) -> str:
    return f"{case.case} ({case.patient})" if case.patient and case.patient not in case.case else case.case
