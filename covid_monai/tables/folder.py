"""A table's output folder: whose it is, the splits and data of its jobs, and what became of each job."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import read_config
from covid_monai.data.manifest import FILE_NAME, read_dataset
from covid_monai.data.splits import Split, dataset_hash, read_split, split_dataset, write_split
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.tables.plan import Job, jobs_of_folders
from covid_monai.tables.spec import Protocol, Table

JOB_FORMAT = "covid-monai cell"
JOB_VERSION = 1


@dataclass(frozen=True)
class Outcome:
    """What became of a job: ``done`` now, ``found`` done, ``busy`` in another process, or ``failed``, and why.

    ``seconds`` are those of the training's epochs, in all attempts, and of the evaluation.
    """

    job: Job
    status: str
    message: str = ""
    seconds: float = 0.0


def state_of(job: Job, output: Path) -> str:
    """``done``, ``running`` (in whichever process), ``failed`` (when it was last tried) or ``waiting``."""
    home = output / job.folder
    if is_complete(home):
        return "done"
    if lock_file(home).exists():
        try:
            with FileLock(lock_file(home), timeout=0):
                # it may have been completed since
                if is_complete(home):
                    return "done"
        except Timeout:
            return "running"
    return "failed" if failure_file(home).exists() else "waiting"


def is_complete(home: Path) -> bool:
    """Whether a job's folder has its ``cell.json``, which is written last.

    Raises:
        InputError: there is one, but not of this format.
    """
    path = home / "cell.json"
    if not path.is_file():
        return False
    content = read_json(path)
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (JOB_FORMAT, JOB_VERSION):
        raise InputError(
            f"{path} is not a {JOB_FORMAT} file of version {JOB_VERSION}; remove its folder to run it again"
        )
    return True


# both stand beside the job's folder, which training wants to be empty
def lock_file(home: Path) -> Path:
    """What a process locks while it runs the job of a folder; the lock ends with the process, the file stays."""
    return home.with_name(f"{home.name}.lock")


def failure_file(home: Path) -> Path:
    """Where it stands why the job of a folder failed when it was last tried."""
    return home.with_name(f"{home.name}.failure.json")


SEED = 0
"""Of every split: the jobs of all rows and seeds are trained and tested on the same cases."""


def prepare_parts(table: Table, jobs: Sequence[Job], data: Path, output: Path) -> None:
    """Write the splits, and the data of variants, that ``jobs`` need into ``output``; what is there already stays.

    Args:
        table: the table of the jobs.
        jobs: those to be run.
        data: the prepared data set.
        output: the output folder of the table.

    Raises:
        InputError: the data cannot be split as a protocol asks, or a split that is there is of other data.
    """
    needed = {(job.protocol, job.variant): job for job in jobs}
    for (protocol, variant), job in needed.items():
        folder = data_of(job, data, output)
        if variant and not folder.exists():
            _write_variant(table, variant, data, folder)
        _write_split(table.protocols[protocol], table.folds, folder, output / job.split)


def data_of(job: Job, data: Path, output: Path) -> Path:
    """The prepared data set that a job is trained on: ``data``, or for a row with a variant one made from it."""
    return output / "data" / job.variant if job.variant else data


def _write_split(protocol: Protocol, folds: int, data: Path, path: Path) -> None:
    dataset = read_dataset(data)
    if path.exists():
        if read_split(path).dataset != dataset_hash(dataset):
            raise InputError(f"{path} is a split of other data than {data}; choose another output folder")
        return
    split: Split = split_dataset(
        dataset,
        protocol.split,
        folds=None if protocol.split == "given" else folds,
        validation_fraction=protocol.validation or 0.0,
        seed=SEED,
        validation_is_test=protocol.validation is None,
        without_near_duplicates=protocol.without_near_duplicates,
    )
    write_split(path, split)


def _write_variant(table: Table, variant: str, data: Path, folder: Path) -> None:
    """Slices with the copies that the variant's bundle makes of training slices, made before any fold is drawn."""
    from covid_monai.data.sources.augmented import write_copies

    kinds = []
    for row in table.rows:
        if row.variant == variant and row.bundle:
            config = read_config(bundle_folder(row.bundle), "train")
            if "copy_quarter_turns" not in config:
                raise InputError(
                    f"row {row.number} of {table.name}: {row.bundle} makes no copies, so it has no {variant}"
                )
            kinds.append((config["copy_quarter_turns"], config["copy_scalings"]))
    if any(kind != kinds[0] for kind in kinds):
        raise InputError(f"the rows of {table.name} with {variant} make different copies; they need a table each")
    turns, scalings = kinds[0]
    write_copies(data, folder, turns, scalings)


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


def claim(table: Table, jobs: Sequence[Job], data: Path, output: Path, budget: str, resume: bool) -> None:
    """Make a folder that of this table, data and budget, with all that its jobs need.

    Args:
        table: the table.
        jobs: those to be run; they join those that were asked for before.
        data: the prepared data set.
        output: the folder, new or of the same table, data and budget.
        budget: of the jobs.
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
        # the variants of jobs that are done are needed too, to write the table
        prepare_parts(table, [*jobs, *jobs_of_folders(table, before["cells"], budget)], data, output)
        content = {
            "format": FORMAT,
            "version": VERSION,
            **identity,
            "table_path": str(table.path.absolute()),
            "data": str(data),
            # of all times that the folder was gone on with
            "cells": list(dict.fromkeys([*before["cells"], *(job.folder for job in jobs)])),
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
