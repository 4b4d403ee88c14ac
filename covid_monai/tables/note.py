"""What a table's output folder notes of itself: whose it is, and which cells were asked for."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from covid_monai.data.manifest import FILE_NAME, read_dataset
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.tables.parts import prepare_parts
from covid_monai.tables.plan import Cell, cells_of_folders
from covid_monai.tables.table import Table

FORMAT = "covid-monai reproduction"
VERSION = 1
NOTE = "reproduce.json"

_WORDS = {
    "table": "table",
    "table_sha256": "version of this table's YAML",
    "manifest_sha256": "data set, or of this one before it was changed",
    "budget": "budget",
}
_WAY_OUT = "give what it was started with, or choose another output folder"


def read_note(output: Path) -> dict[str, Any]:
    """What a table's output folder notes of itself.

    Raises:
        InputError: there is no note, or none that can be read.
    """
    path = output / NOTE
    if not path.is_file():
        raise InputError(f"{output} is no table's folder: it has no {NOTE}; `covid-monai reproduce` makes one")
    content = read_json(path)
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise InputError(f"{path} is not a {FORMAT} file of version {VERSION}; choose another output folder")
    return content


def claim(table: Table, cells: Sequence[Cell], data: Path, output: Path, budget: str, resume: bool) -> None:
    """Make a folder that of this table, data and budget, with all that its cells need.

    Args:
        table: the table.
        cells: those to be run; they join those that were asked for before.
        data: the prepared data set.
        output: the folder, new or of the same table, data and budget.
        budget: of the cells.
        resume: whether the folder may have been begun before.

    Raises:
        InputError: the folder is of something else, was begun before, or the data cannot be split.
    """
    note = output / NOTE
    identity = {
        "table": table.name,
        "table_sha256": table.sha256,
        "manifest_sha256": sha256_of(read_dataset(data).folder / FILE_NAME),
        "budget": budget,
    }
    _refuse_foreign_folder(output)
    if note.is_file() and not resume:
        raise InputError(f"{output} holds a table already; --resume goes on with it, or choose another folder")
    output.mkdir(parents=True, exist_ok=True)
    # two processes may start at once
    with FileLock(output / ".lock"):
        before = read_note(output) if note.is_file() else {**identity, "cells": []}
        for key, value in identity.items():
            if before[key] != value:
                raise InputError(f"{output} is of another {_WORDS[key]} ({before[key]}, not {value}); {_WAY_OUT}")
        if not note.is_file():
            # of a start that ended before its note was written; it may have been of other data or groups
            _clear_parts(output)
        # the arms of cells that are done are needed too, to write the table
        prepare_parts(table, [*cells, *cells_of_folders(table, before["cells"], budget)], data, output)
        content = {
            "format": FORMAT,
            "version": VERSION,
            **identity,
            "table_path": str(table.path.absolute()),
            "data": str(data),
            # of all times that the folder was gone on with
            "cells": list(dict.fromkeys([*before["cells"], *(cell.folder for cell in cells)])),
        }
        write_json(note, content)


def _clear_parts(output: Path) -> None:
    for name in ("splits", "data"):
        if (output / name).is_dir():
            shutil.rmtree(output / name)


def _refuse_foreign_folder(output: Path) -> None:
    if not output.exists():
        return
    if not output.is_dir():
        raise InputError(f"{output} is a file; choose a folder for the output")
    # another process may be writing the note just now
    names = {child.name for child in output.iterdir() if not child.name.startswith(".writing-")}
    # an earlier start may have ended before the note was written
    begun = names <= {".lock", "splits", "data"} and ".lock" in names
    if names and NOTE not in names and not begun:
        raise InputError(f"{output} is not empty, but has no {NOTE}, so it is no table's folder; choose another")
