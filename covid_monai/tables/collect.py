"""The cells of an output folder, read together: what is there, and what is not there yet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from covid_monai.data.drawing import tied_cases
from covid_monai.data.manifest import FILE_NAME, Dataset, read_dataset
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of
from covid_monai.scoring.overlap import COUNTS, OVERLAP_MEASURES
from covid_monai.scoring.surface import SURFACE_MEASURES
from covid_monai.tables.curve_tally import CURVE
from covid_monai.tables.note import read_note
from covid_monai.tables.outcome import failure_file, is_complete, state_of
from covid_monai.tables.parts import data_of
from covid_monai.tables.plan import Cell, cells_of_folders
from covid_monai.tables.table import FULL, OVER_THRESHOLDS, Row, Table, read_table, table_names

_MEASURES = (*OVERLAP_MEASURES, *SURFACE_MEASURES)
_NAMES = ("level", "case", "volume", "class")
_TOLD = (
    "epochs",
    "best_epoch",
    "kept_epoch",
    "seconds",
    "peak_memory_bytes",
    "device",
    "threads",
    "weights_sha256",
    "split_sha256",
    "commands",
    "finished",
)


@dataclass(frozen=True)
class Missing:
    """A cell that was asked for and is not done: its state (:func:`covid_monai.tables.outcome.state_of`), and why."""

    cell: Cell
    state: str
    reason: str


@dataclass(frozen=True)
class Results:
    """All that the cells of an output folder have.

    ``cells`` has a row a finished cell: protocol, slug, fold, seed, what ``cell.json`` tells, ``evaluation`` (a
    folder) and ``thresholds`` (of ``scores.json``). ``scores`` has the rows of every ``scores.csv`` with protocol,
    slug, fold, seed, and ``unit``: cases of one unit may be of one person. ``curves`` has those of every
    ``slice_thresholds.csv`` alike, and none where the table measures nothing over thresholds. ``datasets`` are by
    arm, "" for none.
    """

    output: Path
    table: Table
    budget: str
    datasets: Mapping[str, Dataset]
    cells: pd.DataFrame
    scores: pd.DataFrame
    curves: pd.DataFrame
    missing: tuple[Missing, ...]

    @property
    def label(self) -> str:
        """What the budget changes, such as ``quick: small images``; empty where it is the table in full."""
        return "" if self.budget == FULL else f"{self.budget}: {self.table.budgets[self.budget].label}"

    @property
    def protocols(self) -> list[str]:
        """Those with finished cells, the paper's first."""
        done = set(self.cells["protocol"])
        return [name for name in self.table.protocols if name in done]

    def cells_of(self, protocol: str, row: Row) -> pd.DataFrame:
        """The finished cells of a row under a protocol."""
        return self.cells[(self.cells["protocol"] == protocol) & (self.cells["slug"] == row.slug)]

    def scores_of(self, protocol: str, row: Row) -> pd.DataFrame:
        """All scores of a row under a protocol."""
        return self.scores[(self.scores["protocol"] == protocol) & (self.scores["slug"] == row.slug)]

    def curves_of(self, protocol: str, row: Row) -> pd.DataFrame:
        """The threshold curves of all slices of a row under a protocol."""
        return self.curves[(self.curves["protocol"] == protocol) & (self.curves["slug"] == row.slug)]

    def planned(self, protocol: str, row: Row) -> int:
        """How many cells of a row were asked for under a protocol."""
        waiting = [one.cell for one in self.missing if (one.cell.protocol, one.cell.slug) == (protocol, row.slug)]
        return len(self.cells_of(protocol, row)) + len(waiting)


def collect(output: Path) -> Results:
    """Read every finished cell of an output folder.

    Raises:
        InputError: the folder is no table's, nothing in it is finished, or table, data or a cell have changed.
    """
    note = read_note(output)
    table = _read_table(note)
    asked = cells_of_folders(table, note["cells"], note["budget"])
    done = [cell for cell in asked if is_complete(output / cell.folder)]
    if not done:
        raise InputError(f"{output} has no finished cell yet; go on with `covid-monai reproduce ... --resume`")
    datasets = {"": _read_data(note)}
    for cell in done:
        if cell.arm and cell.arm not in datasets:
            datasets[cell.arm] = read_dataset(data_of(cell, Path(note["data"]), output))
    units = {arm: units_of(dataset) for arm, dataset in datasets.items()}
    return Results(
        output=output,
        table=table,
        budget=note["budget"],
        datasets=datasets,
        cells=pd.DataFrame([_cell_record(cell, table, output) for cell in done]),
        scores=pd.concat([_scores(cell, output, units[cell.arm or ""]) for cell in done], ignore_index=True),
        curves=_all_curves(table, done, output, units),
        missing=tuple(_missing(cell, output) for cell in asked if cell not in done),
    )


def units_of(dataset: Dataset) -> dict[str, str]:
    """The unit of each case, called after its first case.

    A unit is what a strict split keeps together: cases that share a patient, a volume or a group of look-alikes,
    directly or through others; a case of which nothing is known is a unit of its own.
    """
    return {name: names[0] for names in tied_cases(dataset.cases) for name in names}


def unit_kind(dataset: Dataset) -> str:
    """What the units are, such as ``patient`` or ``patient or group of look-alikes``."""
    words = {"patient": "patient", "volume": "volume", "group": "group of look-alikes"}
    kinds = {next((word for key, word in words.items() if getattr(case, key)), "slice") for case in dataset.cases}
    return " or ".join(word for word in (*words.values(), "slice") if word in kinds)


def _read_table(note: Mapping[str, Any]) -> Table:
    # a folder that was moved to another machine still knows the package's tables by their names
    moved = not Path(note["table_path"]).is_file() and note["table"] in table_names()
    table = read_table(note["table"] if moved else note["table_path"])
    if table.sha256 != note["table_sha256"]:
        raise InputError(
            f"{table.path} has changed since its cells were run (SHA-256 {table.sha256[:12]}, not "
            f"{note['table_sha256'][:12]}); restore it, or run the new one in another folder"
        )
    return table


def _read_data(note: Mapping[str, Any]) -> Dataset:
    folder = Path(note["data"])
    if not folder.is_dir():
        raise InputError(f"the data set {folder} is not there; put it back to write the table")
    if sha256_of(folder / FILE_NAME) != note["manifest_sha256"]:
        raise InputError(f"{folder} has changed since the cells were run; restore it to write the table")
    return read_dataset(folder)


def _cell_record(cell: Cell, table: Table, output: Path) -> dict[str, Any]:
    home = output / cell.folder
    content = read_json(home / "cell.json")
    if content.get("split_sha256") != sha256_of(output / cell.split):
        raise InputError(f"{home / 'cell.json'} is of another split than {output / cell.split}; remove its folder")
    if content.get("table_sha256") != table.sha256 or any(key not in content for key in _TOLD):
        raise InputError(f"{home / 'cell.json'} is of another table or lacks values; remove its folder to run it again")
    evaluation = home / "evaluation" / "test"
    return {
        **{key: getattr(cell, key) for key in ("protocol", "slug", "row", "fold", "seed", "bundle", "folder")},
        **{key: content[key] for key in _TOLD},
        "arm": cell.arm or "",
        "evaluation": evaluation,
        "thresholds": read_json(evaluation / "scores.json").get("thresholds"),
    }


def _scores(cell: Cell, output: Path, units: Mapping[str, str]) -> pd.DataFrame:
    path = output / cell.folder / "evaluation" / "test" / "scores.csv"
    try:
        rows = pd.read_csv(
            path,
            usecols=[*_NAMES, *COUNTS, *_MEASURES],
            dtype=dict.fromkeys(_NAMES, str),
            keep_default_na=False,
            na_values={name: [""] for name in _MEASURES},
        )
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); remove the cell's folder to run it again") from error
    slices = rows[rows["case"] != ""]
    if unknown := set(slices["case"]) - set(units):
        raise InputError(f"{path} has the case {min(unknown)}, which the data set lacks; give the data of the table")
    # a volume's slices are of one unit
    of_volume = dict(zip(slices["volume"], slices["case"].map(units), strict=True))
    rows["unit"] = rows["case"].map(units).fillna(rows["volume"].map(of_volume))
    return rows.assign(protocol=cell.protocol, slug=cell.slug, fold=cell.fold, seed=cell.seed)


def _all_curves(table: Table, cells: list[Cell], output: Path, units: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    if all(measure.averaging != OVER_THRESHOLDS for measure in table.measures.values()):
        return pd.DataFrame()
    return pd.concat([_curves(cell, output, units[cell.arm or ""]) for cell in cells], ignore_index=True)


def _curves(cell: Cell, output: Path, units: Mapping[str, str]) -> pd.DataFrame:
    path = output / cell.folder / "evaluation" / "test" / "slice_thresholds.csv"
    try:
        rows = pd.read_csv(path, usecols=["case", *CURVE], dtype={"case": str}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); remove the cell's folder to run it again") from error
    of_cell = {"protocol": cell.protocol, "slug": cell.slug, "fold": cell.fold, "seed": cell.seed}
    told = pd.DataFrame({"unit": rows["case"].map(units), **of_cell}, index=rows.index)
    return pd.concat([told, rows], axis=1)


def _missing(cell: Cell, output: Path) -> Missing:
    state, path = state_of(cell, output), failure_file(output / cell.folder)
    # another process may be trying it again just now
    reason = str(read_json(path)["error"]) if state == "failed" and path.exists() else ""
    # settings say nothing of why a cell is not there
    return Missing(replace(cell, settings={}), state, reason)
