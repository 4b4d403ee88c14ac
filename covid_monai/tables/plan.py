"""Which jobs of a table are run: one of each row, fold and seed, under each protocol."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from covid_monai.errors import InputError, did_you_mean
from covid_monai.tables.table import CONTROL_ARMS, DATA_VARIANTS, FULL, PROTOCOLS, Row, Table

SEEDS = 3
"""How many seeds are run in full where none are asked for, equally many under every protocol: one training says nothing
of how much the next differs, without which no value and no claim is judged."""


@dataclass(frozen=True)
class Job:
    """One training and its evaluation; paths are relative to the output folder.

    ``seed`` counts from 0; what the training gets is in ``settings`` and counts from the row's first seed. ``grid`` is
    the table's, on which it is scored beside the data's own. ``variant`` is the row's where it has data of its own.
    """

    table: str
    table_sha256: str
    protocol: str
    row: str
    slug: str
    fold: int
    seed: int
    bundle: str
    settings: Mapping[str, Any]
    budget: str
    variant: str | None
    grid: int | None = None

    @property
    def folder(self) -> str:
        """Its run folder, such as ``jobs/grouped/au-net-ftl/fold0-seed1``."""
        return f"jobs/{self.protocol}/{self.slug}/fold{self.fold}-seed{self.seed}"

    @property
    def split(self) -> str:
        """Its split file; rows with a variant have one of their own."""
        return f"splits/{self.protocol}{f'-{self.variant}' if self.variant else ''}.json"

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f"{self.protocol} | {self.row} | fold {self.fold} | seed {self.seed}"


def plan(
    table: Table,
    protocols: Sequence[str] | None = None,
    rows: Sequence[Row] | None = None,
    folds: Sequence[int] | None = None,
    seeds: int | None = None,
    budget: str = FULL,
) -> list[Job]:
    """The jobs of a table in the order in which they are run: a fold of every row before the next fold.

    Args:
        table: the table.
        protocols: of :attr:`covid_monai.tables.table.Table.all_protocols`; without the control arms if None.
        rows: of the table, see :func:`chosen_rows`; all that have a bundle if None.
        folds: from 0; all of the table, or under a smaller budget the first few, if None.
        seeds: how many, counted from 0; :data:`SEEDS`, or 1 under a smaller budget, if None.
        budget: ``full``, or one of the table's smaller ones.

    Raises:
        InputError: one of these is not the table's, or nothing is left to run.
    """
    budgets = [FULL, *table.budgets]
    if budget not in budgets:
        raise InputError(
            f"{table.name} has no budget {budget!r}{did_you_mean(budget, budgets)}; it has {', '.join(budgets)}"
        )
    protocols = [name for name in PROTOCOLS if name in table.protocols] if protocols is None else list(protocols)
    if unknown := [name for name in protocols if name not in table.all_protocols]:
        why = " (control arms need test parts that grouping draws)" if unknown[0] in CONTROL_ARMS else ""
        raise InputError(f"{table.name} has no protocol {unknown[0]}; it has {', '.join(table.all_protocols)}{why}")
    rows = [row for row in (table.rows if rows is None else rows) if row.bundle is not None]
    if not rows:
        raise InputError(f"{table.path} has no row with a bundle among those that were asked for, so nothing can run")
    if folds is None:
        folds = range(table.folds if budget == FULL else table.budgets[budget].folds)
    if outside := [fold for fold in folds if not 0 <= fold < table.folds]:
        raise InputError(f"fold {outside[0]} does not exist; {table.name} has folds 0 to {table.folds - 1}")
    if seeds is not None and seeds < 1:
        raise InputError(f"seeds is {seeds}; it is how many trainings of each fold there are, at least 1")
    count = seeds or (SEEDS if budget == FULL else 1)
    return [
        _job(table, protocol, row, fold, seed, budget)
        for seed, fold, row, protocol in product(range(count), folds, rows, protocols)
    ]


def jobs_of_folders(table: Table, folders: Collection[str], budget: str) -> list[Job]:
    """The jobs that have these folders, in the order of :func:`plan`; folders of no job are left out."""
    seeds = 1 + max((int(folder.rpartition("-seed")[2]) for folder in folders), default=0)
    jobs = plan(table, list(table.all_protocols), None, range(table.folds), seeds, budget)
    return [job for job in jobs if job.folder in folders]


def chosen_rows(table: Table, chosen: Sequence[str]) -> list[Row] | None:
    """The rows that were named, each by its label, its slug, its number, or several by ``1,3-5``; None for none.

    Raises:
        InputError: a name is no row of the table, or a row that is published only.
    """
    named: dict[int, Row] = {}
    for text in chosen:
        found = [row for row in table.rows if text.strip().lower() in (row.label.lower(), row.slug)]
        if not found and _is_list(text):
            numbers = listed_numbers(text, "rows")
            found = [row for row in table.rows if row.number in numbers]
            if outside := set(numbers) - {row.number for row in found}:
                raise InputError(f"row {min(outside)} does not exist; {table.name} has rows 1 to {len(table.rows)}")
        if not found:
            labels = [row.label for row in table.rows]
            known = "; ".join(f"{row.number} {row.label}" for row in table.rows) or "none"
            raise InputError(f"{table.name} has no row {text!r}{did_you_mean(text, labels)}; its rows: {known}")
        if published := [row for row in found if row.bundle is None]:
            raise InputError(f"row {published[0].number} ({published[0].label}) is published only; it cannot be run")
        named |= {row.number: row for row in found}
    return [named[number] for number in sorted(named)] or None


def listed_numbers(text: str, what: str) -> list[int]:
    """``0,2-4`` as 0, 2, 3, 4, each once and sorted.

    Raises:
        InputError: the text has another form.
    """
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not _is_number(first) or (dash and not _is_number(last)) or (dash and int(last) < int(first)):
            raise InputError(f"{what} is {text!r}; give numbers and ranges of them, such as 0,2-4")
        numbers.update(range(int(first), int(last or first) + 1))
    return sorted(numbers)


def _is_list(text: str) -> bool:
    return all(character in "0123456789,- " for character in text) and any(map(str.isdigit, text))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _job(table: Table, protocol: str, row: Row, fold: int, seed: int, budget: str) -> Job:
    settings = {
        **table.settings_of(row, budget),
        "weights_kept": table.all_protocols[protocol].weights,
        "seed": row.first_seed + seed,
    }
    return Job(
        table=table.name,
        table_sha256=table.sha256,
        protocol=protocol,
        row=row.label,
        slug=row.slug,
        fold=fold,
        seed=seed,
        bundle=row.bundle or "",
        settings=settings,
        budget=budget,
        variant=row.variant if row.variant in DATA_VARIANTS else None,
        grid=table.grid,
    )
