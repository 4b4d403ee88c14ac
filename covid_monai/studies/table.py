"""A table of studies that a user wrote: a name for each, and where it lies."""

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from covid_monai.csv_files import CsvRow, read_csv
from covid_monai.errors import InputError

NAME, PLACE, SERIES = "study", "path", "series"

# what file names cannot have, on some system
_NOT_IN_NAMES = '/\\:*?"<>|'
_LONGEST_NAME = 100


@dataclass(frozen=True)
class TableRow:
    """A study of a table.

    Attributes:
        study: its name, by which results are found again; also a file name.
        path: a folder, archive or file; what is not absolute lies beside the table.
        series: the UID or name of the series to take; None where the table does not say.
        line: of the table.
    """

    study: str
    path: Path
    series: str | None
    line: int


def is_study_table(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a table by its name (.csv)."""
    return Path(path).suffix.lower() == ".csv"


def read_study_table(path: str | os.PathLike[str]) -> tuple[TableRow, ...]:
    """Read a CSV with the columns ``study`` and ``path``, and ``series`` where it is needed
    (:mod:`covid_monai.csv_files`).

    Whether the paths exist is not looked at, so that one that is missing stops no other study.

    Raises:
        InputError: the file cannot be read, lacks a column or a value, has no row, names a study twice, or by what
            cannot be a file name.
    """
    rows: list[TableRow] = []
    lines: dict[str, int] = {}
    for row in read_csv(path, needed=(NAME, PLACE), optional=(SERIES,)).rows:
        study, place = row.fields[NAME], row.fields[PLACE]
        _check(study, place, row, path)
        # on some systems names that differ in letter case are one
        key = unicodedata.normalize("NFKC", study).casefold()
        if key in lines:
            raise InputError(
                f"{path}, line {row.line}: study {study!r} is named in line {lines[key]} already; name each study once"
            )
        lines[key] = row.line
        rows.append(TableRow(study, Path(path).parent / place, row.fields.get(SERIES) or None, row.line))
    if not rows:
        raise InputError(f"{path} names no study; give a row for each, with the columns {NAME} and {PLACE}")
    return tuple(rows)


def _check(study: str, place: str, row: CsvRow, path: str | os.PathLike[str]) -> None:
    if not study or not place:
        raise InputError(
            f"{path}, line {row.line}: the {PLACE if study else NAME} is empty; every study needs a name and a path"
        )
    plain = all(sign not in _NOT_IN_NAMES and sign.isprintable() for sign in study)
    if not plain or study.startswith(".") or study.endswith(".") or len(study) > _LONGEST_NAME:
        raise InputError(
            f"{path}, line {row.line}: study {study!r} cannot be a file name; give up to {_LONGEST_NAME} letters, "
            "digits, blanks, dashes and underscores"
        )
