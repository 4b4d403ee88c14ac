"""Which cases of a table are worth a look, and their pictures."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from covid_monai.data.manifest import Case, Dataset
from covid_monai.errors import InputError
from covid_monai.report.cases import load_case
from covid_monai.report.overlay_grid import GridCase
from covid_monai.scoring.summary import ANY_LESION
from covid_monai.tables.collect import Results
from covid_monai.tables.table import Row

MOST_CASES = 15
"""Every known patient is shown where there are fewer."""


def shown_rows(results: Results, protocol: str) -> list[Row]:
    """Rows of the table with finished cells and their masks; those of an arm have other cases and are left out."""
    return [row for row in results.table.rows if not row.arm and _masks_are_there(results, protocol, row)]


def rows_without_masks(results: Results, protocol: str) -> list[Row]:
    """Rows with finished cells of which only the scores are here, as of results that were published."""
    return [
        row
        for row in results.table.rows
        if len(results.cells_of(protocol, row)) and not _masks_are_there(results, protocol, row)
    ]


def _masks_are_there(results: Results, protocol: str, row: Row) -> bool:
    cells = results.cells_of(protocol, row)
    return len(cells) > 0 and all((evaluation / "masks").is_dir() for evaluation in cells["evaluation"])


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
    cells = results.cells_of(protocol, row)
    cell = cells[(cells["fold"] == first["fold"]) & (cells["seed"] == first["seed"])].iloc[0]
    classes = _class_of_label(results.output / cell["folder"] / "config.yaml")
    return load_case(name, dataset, cell["evaluation"], classes, float(first["dice"]))


def _class_of_label(path: str | os.PathLike[str]) -> dict[int, int]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return dict(zip(content["lesion_labels"], content["lesion_classes"], strict=True))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not tell lesion_labels and lesion_classes; run the cell again") from error


def _caption(case: Case) -> str:
    return f"{case.case} ({case.patient})" if case.patient and case.patient not in case.case else case.case
