"""A table's output folder: whose it is, the splits and data of its jobs, and what became of each job."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import read_config
from covid_monai.data.manifest import read_dataset
from covid_monai.data.splits import (
    OLD_PROTOCOLS,
    Split,
    dataset_hash,
    protocol_named,
    read_split,
    split_dataset,
    write_split,
)
from covid_monai.errors import InputError
from covid_monai.files import read_json
from covid_monai.tables.plan import Job
from covid_monai.tables.table import Protocol, Table

_OLD_PROTOCOLS = {new: old for old, new in OLD_PROTOCOLS.items()}

JOB_FORMAT = "covid-monai job"
JOB_VERSION = 2
_FORMATS_BY_VERSION = {1: "covid-monai cell", 2: JOB_FORMAT}


@dataclass(frozen=True)
class JobFiles:
    """Where a job's files are: its run folder, its record in it, and its split."""

    home: Path
    record: Path
    split: Path


def files_of(job: Job, output: Path) -> JobFiles:
    """Where a job's files are in an output folder, or will be.

    A job that release 0.1 began, or a split that it wrote, stays where it put it: ``cells/strict/<row>/fold0-seed0``
    with ``cell.json``, and ``splits/strict.json`` (``strict`` is ``grouped`` today).
    """
    record = record_of(job.folder, output)
    return JobFiles(record.parent, record, split_file(job.protocol, job.variant, output))


def split_file(protocol: str, variant: str | None, output: Path) -> Path:
    """The split, there or to be, of a protocol's jobs, and of a variant's where it is not None or empty."""
    suffix = f"-{variant}" if variant else ""
    old = output / "splits" / f"{_OLD_PROTOCOLS.get(protocol, protocol)}{suffix}.json"
    return old if old.is_file() else output / "splits" / f"{protocol}{suffix}.json"


def record_of(folder: str, output: Path) -> Path:
    """The record, there or to be, of the job with this folder's name (a note's ``jobs``); its parent is the home."""
    _, protocol, *rest = folder.split("/")
    old_home = Path(output, "cells", _OLD_PROTOCOLS.get(protocol, protocol), *rest)
    # one that failed at once has no folder
    begun = old_home.is_dir() or failure_file(old_home).is_file()
    return old_home / "cell.json" if begun else output / folder / "job.json"


def read_record(path: Path) -> dict[str, Any]:
    """What a finished job notes of itself, as version 2 says it.

    Raises:
        InputError: the record is not of this format.
    """
    content = read_json(path)
    version = content.get("version") if isinstance(content, dict) else None
    if version not in _FORMATS_BY_VERSION or content.get("format") != _FORMATS_BY_VERSION[version]:
        raise InputError(
            f"{path} is not a {JOB_FORMAT} file of version {JOB_VERSION} or before; remove its folder to run it again"
        )
    if version == 1:
        # release 0.1
        content = {("variant" if key == "arm" else key): value for key, value in content.items()}
        content["protocol"] = protocol_named(str(content.get("protocol")))
    return {**content, "format": JOB_FORMAT, "version": JOB_VERSION}


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
    files = files_of(job, output)
    home = files.home
    if is_complete(files.record):
        return "done"
    if lock_file(home).exists():
        try:
            with FileLock(lock_file(home), timeout=0):
                # it may have been completed since
                if is_complete(files.record):
                    return "done"
        except Timeout:
            return "running"
    return "failed" if failure_file(home).exists() else "waiting"


def is_complete(record: Path) -> bool:
    """Whether a job has its record, which is written last.

    Raises:
        InputError: there is one, but not of this format.
    """
    if not record.is_file():
        return False
    read_record(record)
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
        _write_split(table.all_protocols[protocol], table.folds, folder, files_of(job, output).split)


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
            if not (config.get("copy_quarter_turns") or config.get("copy_scalings")):
                raise InputError(
                    f"row {row.number} of {table.name}: {row.bundle} makes no copies, so it has no {variant}"
                )
            kinds.append((config["copy_quarter_turns"], config["copy_scalings"]))
    if any(kind != kinds[0] for kind in kinds):
        raise InputError(f"the rows of {table.name} with {variant} make different copies; they need a table each")
    turns, scalings = kinds[0]
    write_copies(data, folder, turns, scalings)


FORMAT = "covid-monai reproduction"
VERSION = 2
NOTE = "reproduce.json"


def read_note(output: Path) -> dict[str, Any]:
    """What a table's output folder notes of itself, as version 2 says it; a folder of release 0.1 has version 1.

    ``jobs`` are the names of :attr:`covid_monai.tables.plan.Job.folder` whatever the version: where such a job's files
    are is said by :func:`files_of`, not by its name.

    Raises:
        InputError: there is no note, or none that can be read.
    """
    path = output / NOTE
    if not path.is_file():
        raise InputError(f"{output} is no table's folder: it has no {NOTE}; `covid-monai reproduce` makes one")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") not in (1, VERSION):
        raise InputError(f"{path} is not a {FORMAT} file of version 1 or {VERSION}; choose another output folder")
    if content["version"] == 1:
        jobs = [_job_named(name) for name in content.pop("cells")]
        content |= {"version": VERSION, "jobs": jobs, "allowed_deviations": []}
    return content


def _job_named(old: str) -> str:
    """``cells/strict/au-net/fold0-seed0`` of version 1 as ``jobs/grouped/au-net/fold0-seed0``."""
    _, protocol, *rest = old.split("/")
    return "/".join(("jobs", protocol_named(protocol), *rest))
