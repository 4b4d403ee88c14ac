"""``measurements.csv``: a row a study, from what the folders of studies hold."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError
from covid_monai.files import read_json, replacing
from covid_monai.inference.study import MEASUREMENTS
from covid_monai.inference.study_inputs import LOCK
from covid_monai.inference.study_record import DONE, read_record_of_study
from covid_monai.measurements.document import row_of
from covid_monai.staging import locked

TABLE = "measurements.csv"

_IDENTIFIERS = ("path", "study_uid", "series_uid")


def write_table(output: Path) -> Path | None:
    """Write a row for each study in ``output``, in the order of their keys, those that failed too.

    Columns: ``study`` is the key, ``state`` is done or failed, ``error`` says why; then the values of
    :func:`covid_monai.measurements.document.row_of`; ``assumed`` is what was not as sure as one may believe of the CT.
    Paths and UIDs are among them for studies that were done with ``keep_identifiers``.

    Returns:
        the table; None where there is no study.

    Raises:
        InputError: a document is damaged, or the table cannot be written.
    """
    table = output / TABLE
    # of several processes that end at once the last one has to know of all studies
    with locked(output / LOCK):
        rows = list(_rows(output))
        if not rows:
            return None
        # a study that failed has fewer columns than the others
        columns = list(dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row))
        with replacing(table) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return table


def _rows(output: Path) -> Iterator[dict[str, Any]]:
    for folder in sorted(child for child in output.iterdir() if child.is_dir() and not child.name.startswith(".")):
        record = read_record_of_study(folder)
        if not record:
            continue
        row: dict[str, Any] = {"study": record["study"]}
        row |= {name: record.get("identifiers", {})[name] for name in _IDENTIFIERS if "identifiers" in record}
        row |= {"state": record["state"], "error": record["error"]}
        if record["state"] == DONE:
            row |= _measured(folder / MEASUREMENTS)
        read = record.get("read") or {}
        shape, spacing = read.get("shape") or [None] * 3, read.get("spacing_mm") or [None] * 3
        row |= {"slices": shape[2], "slice_distance_mm": spacing[2], "pixel_mm": spacing[0]}
        yield row | {"assumed": "; ".join(record["assumed"])}


def _measured(file: Path) -> dict[str, Any]:
    try:
        return row_of(read_json(file))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged (no {error}); make it again, with `overwrite=True`") from error
