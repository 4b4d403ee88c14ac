"""The jobs of an output folder, read together: what is there, and what is not there yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from covid_monai.data.drawing import tied_cases
from covid_monai.data.manifest import Dataset
from covid_monai.tables.plan import Job
from covid_monai.tables.table import CONTROL_ARMS, FULL, Row, Table

JOB_KEYS = ("protocol", "slug", "fold", "seed")
"""What tells a job from the others of its table."""

JobKey = tuple[str, str, int, int]
"""The values of :data:`JOB_KEYS`."""

DATA = "DATA"
"""What stands for the data set in the commands of a job."""


@dataclass(frozen=True)
class Missing:
    """A job that was asked for and is not done: its state (:func:`covid_monai.tables.folder.state_of`), and why."""

    job: Job
    state: str
    reason: str


@dataclass(frozen=True)
class Results:
    """All that the jobs of an output folder have.

    ``jobs`` has a row a finished job: protocol, slug, fold, seed, what ``job.json`` records, ``evaluation`` (a
    folder), ``scored`` (the folder in it whose scores count) and ``thresholds`` (of ``scores.json``). ``scores`` has
    the rows of every ``scores.csv`` with protocol, slug, fold, seed, ``unit``: cases of one unit may be of one
    person, and ``source``: that of the unit, "" where it is not known. ``curves`` has those of every
    ``slice_thresholds.csv`` alike, and none where the table measures nothing over thresholds. ``unit`` says what the
    units are (see :func:`unit_kind`). ``datasets`` are by variant, "" for none; results that were published have none.

    Where every job was scored on the table's grid, ``scores``, ``curves`` and ``thresholds`` are those on it, ``grid``
    is its size, and ``native_scores`` are those on the data's own grid; else all are on the data's own, as in output
    folders of release 0.1.

    ``logs`` are the records of every job's training log, one an epoch, by its :data:`JOB_KEYS`.
    """

    output: Path
    table: Table
    budget: str
    datasets: Mapping[str, Dataset]
    jobs: pd.DataFrame
    scores: pd.DataFrame
    curves: pd.DataFrame
    missing: tuple[Missing, ...]
    unit: str = ""
    grid: int | None = None
    native_scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    logs: Mapping[JobKey, Sequence[dict[str, Any]]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the budget changes, such as ``quick: small images``; empty where it is the table in full."""
        return "" if self.budget == FULL else f"{self.budget}: {self.table.budgets[self.budget].label}"

    @property
    def protocols(self) -> list[str]:
        """Those with finished jobs, the paper's first, without the control arms."""
        done = set(self.jobs["protocol"])
        return [name for name in self.table.protocols if name in done]

    @property
    def control_arms(self) -> list[str]:
        """Those with finished jobs."""
        done = set(self.jobs["protocol"])
        return [name for name in CONTROL_ARMS if name in done]

    def jobs_of(self, protocol: str, row: Row) -> pd.DataFrame:
        """The finished jobs of a row under a protocol."""
        return self.jobs[(self.jobs["protocol"] == protocol) & (self.jobs["slug"] == row.slug)]

    def log_keys(self, protocol: str, row: Row) -> list[JobKey]:
        """Those of ``logs`` that are of a row under a protocol."""
        return [key for key in self.logs if key[:2] == (protocol, row.slug)]

    def scores_of(self, protocol: str, row: Row) -> pd.DataFrame:
        """All scores of a row under a protocol."""
        return self._scores_by_row.get((protocol, row.slug), self.scores.iloc[:0])

    @property
    def mask_scores(self) -> pd.DataFrame:
        """The scores of the masks that are kept, which lie on the data's own grid."""
        return self.scores if self.grid is None else self.native_scores

    def curves_of(self, protocol: str, row: Row) -> pd.DataFrame:
        """The threshold curves of all slices of a row under a protocol."""
        return self._curves_by_row.get((protocol, row.slug), self.curves.iloc[:0])

    # every measure, contrast and claim asks for them again
    @cached_property
    def _scores_by_row(self) -> dict[tuple[str, str], pd.DataFrame]:
        return _by_row(self.scores)

    @cached_property
    def _curves_by_row(self) -> dict[tuple[str, str], pd.DataFrame]:
        return _by_row(self.curves)

    def planned(self, protocol: str, row: Row) -> int:
        """How many jobs of a row were asked for under a protocol."""
        waiting = [each for each in self.missing if (each.job.protocol, each.job.slug) == (protocol, row.slug)]
        return len(self.jobs_of(protocol, row)) + len(waiting)


def key_of(job: Mapping[str, Any]) -> JobKey:
    """The key of a job in :attr:`Results.logs`."""
    return str(job["protocol"]), str(job["slug"]), int(job["fold"]), int(job["seed"])


def _by_row(lines: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """By protocol and slug, in the order of the lines."""
    if not len(lines):
        return {}
    groups = lines.groupby(["protocol", "slug"], sort=False)
    return {(str(protocol), str(slug)): own for (protocol, slug), own in groups}


def units_of(dataset: Dataset) -> dict[str, str]:
    """The unit of each case, called after its first case.

    A unit is what a grouped split keeps together: cases that share a patient, a volume or a group of near-duplicates,
    directly or through others; a case of which nothing is known is a unit of its own.
    """
    return {name: names[0] for names in tied_cases(dataset.cases) for name in names}


def unit_kind(dataset: Dataset) -> str:
    """What the units are, such as ``patient`` or ``patient or group of near-duplicates``."""
    words = {"patient": "patient", "volume": "volume", "group": "group of near-duplicates"}
    kinds = {next((word for key, word in words.items() if getattr(case, key)), "slice") for case in dataset.cases}
    return " or ".join(word for word in (*words.values(), "slice") if word in kinds)
