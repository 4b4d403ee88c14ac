"""A table from its YAML to the folder with all its jobs."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from covid_monai.environment import device_setting
from covid_monai.errors import InputError
from covid_monai.processes import Slot
from covid_monai.tables.claim import Claim
from covid_monai.tables.estimate import expected_seconds, hours_in_words
from covid_monai.tables.executors import EXECUTORS
from covid_monai.tables.executors.local import slots_of
from covid_monai.tables.executors.queue import Listener, Queue
from covid_monai.tables.folder import Outcome, state_of
from covid_monai.tables.growing import GrowingTable
from covid_monai.tables.job import commands_of, run_job
from covid_monai.tables.plan import Job, chosen_rows, listed_numbers, plan
from covid_monai.tables.progress import Progress, matrix
from covid_monai.tables.spec import read_table
from covid_monai.tables.table import CONTROL_ARMS, FULL, PROTOCOLS, Table

CHOICES = {
    **{name: (name,) for name in PROTOCOLS},
    "both": PROTOCOLS,
    "control": CONTROL_ARMS,
    "all": (*PROTOCOLS, *CONTROL_ARMS),
}
"""What can be asked for as ``protocol``, and the protocols that it stands for."""


@dataclass(frozen=True)
class Request:
    """What is to be run: the options of ``covid-monai reproduce`` as they were given; see docs/reproduce.md."""

    protocol: str = "both"
    rows: Sequence[str] = ()
    folds: str | None = None
    seeds: int | None = None
    budget: str = FULL
    resume: bool = False
    allow_deviations: Sequence[str] = ()


@dataclass(frozen=True)
class RunOptions:
    """How it is run: device, executor (:data:`covid_monai.tables.executors.EXECUTORS`), and how many jobs at once.

    The executor is ``processes`` where there are to be several at once, else ``in-process``, if None.
    """

    device: str | None = None
    executor: str | None = None
    workers: int | None = None
    per_device: int | None = None

    def __post_init__(self) -> None:
        if self.chosen_executor not in EXECUTORS:
            raise InputError(f"executor is {self.executor!r}; it can be {', '.join(EXECUTORS)}")
        several = self.workers is not None or self.per_device is not None
        if several and self.chosen_executor == "in-process":
            raise InputError("the executor in-process runs one job at a time; leave `workers` and `per_device` away")

    @property
    def chosen_executor(self) -> str:
        """The executor that was asked for, or that follows from the rest."""
        several = self.workers is not None or self.per_device is not None
        return self.executor or ("processes" if several else "in-process")


def reproduce(
    table: str,
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    protocol: str = "both",
    rows: Sequence[str] = (),
    folds: str | None = None,
    seeds: int | None = None,
    budget: str = FULL,
    resume: bool = False,
    allow_deviations: Sequence[str] = (),
    device: str | None = None,
    executor: str | None = None,
    workers: int | None = None,
    per_device: int | None = None,
    write: Callable[[str], None] = print,
) -> list[Outcome]:
    """Train and evaluate every job of a table that was asked for, wherever it is not done yet.

    table.md, table.csv and table.json in ``output`` are written as jobs end, so that an interruption leaves those of
    the jobs that are done.

    Args:
        table: a table's name, or the path of its YAML file.
        data: the prepared data set.
        output: the folder for all of it; docs/reproduce.md says what it will hold.
        protocol: ``paper``, ``grouped``, ``both``, ``control`` (two arms that differ in grouping alone), or ``all``.
        rows: each a row's label, slug or number, or several by ``1,3-5``; all where empty.
        folds: such as ``0,2-4``; all, or under a smaller budget the first few, if None.
        seeds: trainings of each fold; 3, or 1 under a smaller budget, if None.
        budget: ``full``, ``quick``, or another one of the table's.
        resume: go on with what is in ``output``, if anything is; other processes may be doing the same just now.
        allow_deviations: what the data may miss of the table's needs: ``canvas`` (slices are crops), ``sources``.
        device: such as ``cpu`` or ``cuda:0``; a GPU where there is one if None.
        executor: of :data:`covid_monai.tables.executors.EXECUTORS`; see :class:`RunOptions`.
        workers: jobs at once.
        per_device: jobs at once on each GPU.
        write: gets the lines that say how far it is.

    Returns:
        What became of each job, in the order in which they ended.

    Raises:
        InputError: the table, the data or an option cannot be used, or ``output`` is not of this table, data and
            budget. A job that fails raises nothing: it is in the outcomes.
    """
    request = Request(protocol, rows, folds, seeds, budget, resume, allow_deviations)
    return run_request(table, data, output, request, RunOptions(device, executor, workers, per_device), write)


def run_request(
    table: str,
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    request: Request,
    options: RunOptions,
    write: Callable[[str], None],
) -> list[Outcome]:
    """What :func:`reproduce` does, with its options already collected."""
    claim, slots = _claim(table, data, output, request), _slots(options)
    claim.make()
    jobs, folder, place = list(claim.jobs), claim.data, claim.output
    write(matrix(jobs, place))
    _tell_hours(jobs, place, options, slots, write)
    progress = Progress(
        len(jobs), write, command=lambda job, threads: commands_of(job, folder, place, options.device, threads)[0]
    )
    table_so_far = GrowingTable(place, progress, write)
    try:
        _execute(jobs, folder, place, options, slots, table_so_far, bars=progress.draws)
    finally:
        progress.close()
        table_so_far.catch_up()
    return progress.outcomes


def _tell_hours(
    jobs: Sequence[Job], output: Path, options: RunOptions, slots: Sequence[Slot], write: Callable[[str], None]
) -> None:
    """Say how long the jobs that wait will take; machines of a cluster are not known from here."""
    waiting = [job for job in jobs if state_of(job, output) not in ("done", "running")]
    if not waiting or options.chosen_executor == "ray":
        return
    threads, device = next(((slot.threads, slot.device) for slot in slots), (None, options.device))
    try:
        hours = hours_in_words(expected_seconds(waiting, output, device=device, threads=threads), len(slots) or 1)
    # a network that fails here fails its own jobs later, and the others do not depend on it
    except Exception as error:
        write(f"how long it takes cannot be told: {' '.join(str(error).split())[:300]}")
        return
    write(f"{hours} for {len(waiting)} jobs, by a step of each network just measured")


def _claim(table: str, data: str | os.PathLike[str], output: str | os.PathLike[str], request: Request) -> Claim:
    read = read_table(table)
    return Claim(
        read,
        planned(read, request),
        Path(data).resolve(),
        Path(output).absolute(),
        request.budget,
        request.resume,
        request.allow_deviations,
    )


def planned(table: Table, request: Request) -> list[Job]:
    """The jobs of a table that are asked for.

    Raises:
        InputError: an option is not the table's.
    """
    if request.protocol not in CHOICES:
        raise InputError(f"protocol is {request.protocol!r}; it can be {', '.join(CHOICES)}")
    return plan(
        table,
        None if request.protocol == "both" else CHOICES[request.protocol],
        chosen_rows(table, request.rows),
        None if request.folds is None else listed_numbers(request.folds, "folds"),
        request.seeds,
        request.budget,
    )


def _slots(options: RunOptions) -> list[Slot]:
    """Those of the executor ``processes``, none of the others; a device that cannot be is refused for all of them."""
    if options.chosen_executor == "processes":
        return slots_of(options.device, options.workers, options.per_device)
    if options.chosen_executor == "ray":
        from covid_monai.tables.executors.ray import check_device

        check_device(options.device)
    elif options.device is not None:
        device_setting(options.device)
    return []


def _execute(
    jobs: list[Job],
    data: Path,
    output: Path,
    options: RunOptions,
    slots: list[Slot],
    listener: Listener,
    *,
    bars: bool,
) -> None:
    executor, device = options.chosen_executor, options.device
    queue = Queue(jobs, partial(state_of, output=output), listener)
    run_here = partial(run_job, output=output, data=data, asked_device=device)
    if executor == "in-process":
        from covid_monai.tables.executors.local import run_in_process

        run_in_process(queue, partial(run_here, bars=bars), listener, device)
    elif executor == "processes":
        from covid_monai.tables.executors.local import run_in_processes

        run_in_processes(queue, run_here, listener, slots)
    else:
        from covid_monai.tables.executors import ray

        ray.run(queue, run_here, listener, options.workers, options.per_device, device)


def preview(
    table: str, data: str | os.PathLike[str], output: str | os.PathLike[str], request: Request, options: RunOptions
) -> str:
    """What :func:`reproduce` would run: each job, its state in ``output`` now, and its commands; nothing is written.

    Raises:
        InputError: whatever :func:`reproduce` would refuse.
    """
    claim, slots = _claim(table, data, output, request), _slots(options)
    claim.check()
    jobs, place = list(claim.jobs), claim.output
    threads = next((slot.threads for slot in slots), None)
    lines = [f"# the commands are for a shell in {place}; the splits are written when the table is started"]
    for job in jobs:
        lines.append(f"# {job.title} | {job.budget} budget | {state_of(job, place)}")
        lines += commands_of(job, claim.data, place, options.device, threads)
    return "\n".join([*lines, "", matrix(jobs, place)])
