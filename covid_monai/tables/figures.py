"""The figures of a table: forest plots of its values and optimism, training curves, and cases with their masks."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from covid_monai.data.manifest import Case, Dataset
from covid_monai.errors import InputError
from covid_monai.palette import GREY
from covid_monai.report.cases import load_case
from covid_monai.report.forest import PROTOCOL_COLOURS, in_protocol_order
from covid_monai.report.overlay_grid import GridCase
from covid_monai.report.style import new_figure, plain_axes
from covid_monai.scoring.summary import ANY_LESION
from covid_monai.tables.results import Results
from covid_monai.tables.table import Row

_PANELS_A_LINE = 4
_LEGEND_WIDTH = 3.4
_TITLE_CHARACTERS = 30
# an epoch by itself has no line to be seen
_FEW_EPOCHS = 3

Logs = Mapping[str, Sequence[tuple[str, Sequence[dict[str, Any]]]]]
"""By a row's label: the protocol and the log's records of each of its jobs."""

CURVES = {"loss": "training loss", "validation_dice": "validation Dice"}
"""What is drawn of a log, and the axis's label."""


def job_logs(results: Results) -> Logs:
    """The training logs of all finished jobs."""
    logs = {
        row.label: [
            (protocol, results.logs[key])
            for protocol in (*results.protocols, *results.control_arms)
            for key in results.log_keys(protocol, row)
        ]
        for row in results.table.rows
    }
    return {label: jobs for label, jobs in logs.items() if jobs}


def has_curve(logs: Logs, key: str) -> bool:
    """Whether any record of the logs has the value."""
    return any(key in record for jobs in logs.values() for _, records in jobs for record in records)


def draw_table_curves(logs: Logs, key: str, picture: str | os.PathLike[str]) -> None:
    """Draw one logged value of every job over the epochs.

    Args:
        logs: as :func:`job_logs` reads them.
        key: one of :data:`CURVES`; records without it are passed over.
        picture: the PNG to write.

    Raises:
        InputError: no log has the value, or the picture cannot be written.
    """
    if not has_curve(logs, key):
        raise InputError(f"no training log has {key}; train for at least one epoch")
    _draw_curves(logs, [key], picture)


def draw_curve_sheet(logs: Logs, picture: str | os.PathLike[str]) -> None:
    """Draw the training loss and the validation Dice of every job on one sheet.

    Raises:
        InputError: the picture cannot be written.
    """
    _draw_curves(logs, [key for key in CURVES if has_curve(logs, key)], picture)


def _draw_curves(logs: Logs, keys: Sequence[str], picture: str | os.PathLike[str]) -> None:
    columns = min(len(logs), _PANELS_A_LINE)
    lines = -(-len(logs) // columns)
    protocols = in_protocol_order({protocol for jobs in logs.values() for protocol, _ in jobs})
    handles = [Line2D([], [], color=PROTOCOL_COLOURS.get(name, GREY), label=f"protocol {name}") for name in protocols]
    # a single panel is still as wide as its legend
    width, height = max(0.5 + 1.75 * columns, _LEGEND_WIDTH), 0.35 + len(keys) * (0.4 + 1.45 * lines)
    with new_figure(width, height, picture) as figure:
        sheets = figure.subfigures(len(keys), 1, squeeze=False)[:, 0]
        for sheet, key in zip(sheets, keys, strict=True):
            # losses of different kinds have no scale in common
            grid = sheet.subplots(lines, columns, sharex=True, sharey=key != "loss", squeeze=False)
            _draw_panels(grid, logs, key)
            sheet.supxlabel("epoch", fontsize=8)
            sheet.supylabel(CURVES[key], fontsize=8)
        sheets[0].legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False, fontsize=8)


def _draw_panels(grid: NDArray[Any], logs: Logs, key: str) -> None:
    """A panel a row of the table, a line a job."""
    for axes in grid.flat[len(logs) :]:
        axes.set_visible(False)
    for axes, (row, jobs) in zip(grid.flat, logs.items(), strict=False):
        for protocol, records in jobs:
            points = [(record["epoch"], record[key]) for record in records if key in record]
            if points:
                marker = "o" if len(points) <= _FEW_EPOCHS else ""
                colour = PROTOCOL_COLOURS.get(protocol, GREY)
                axes.plot(*zip(*points, strict=True), color=colour, linewidth=0.9, marker=marker, markersize=2.5)
        axes.set_title(_short(row), loc="left", pad=3, fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4, min_n_ticks=1))
        axes.tick_params(labelsize=7)
        plain_axes(axes)
    # the panel above a hidden one has no neighbour to carry its epochs
    for place in range(len(logs) - grid.shape[1], len(logs)):
        grid.flat[max(place, 0)].tick_params(labelbottom=True)


def _short(label: str) -> str:
    return label if len(label) <= _TITLE_CHARACTERS else f"{label[: _TITLE_CHARACTERS - 1]}…"


MOST_CASES = 15
"""Every known patient is shown where there are fewer."""


def shown_rows(results: Results, protocol: str) -> list[Row]:
    """Rows of the table with finished jobs and their masks; those of variants are left out."""
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
    scores = results.mask_scores
    scores = scores[(scores["protocol"] == protocol) & (scores["level"] == "slice")]
    scores = _of_union(scores[scores["slug"].isin([row.slug for row in rows])])
    scores = scores.assign(wrong=scores["fp"] + scores["fn"])
    by_case = scores.groupby("case").agg(rows=("slug", "nunique"), dice=("dice", "mean"), wrong=("wrong", "mean"))
    return by_case.sort_values(["rows", "dice", "wrong"], ascending=[False, True, False], kind="stable")


def _of_union(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of all lesion classes as one."""
    several = scores["class"].eq(ANY_LESION).any()
    return scores[scores["class"] == ANY_LESION] if several else scores


def _overlay(results: Results, protocol: str, row: Row, name: str, dataset: Dataset) -> Any:
    scores = results.mask_scores
    scores = scores[(scores["protocol"] == protocol) & (scores["slug"] == row.slug)]
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
