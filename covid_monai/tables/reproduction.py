"""A table from its YAML to the folder with all its jobs."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from covid_monai.data.manifest import read_dataset
from covid_monai.environment import device_setting
from covid_monai.errors import InputError
from covid_monai.tables.executors import EXECUTORS
from covid_monai.tables.executors.local import Slot, slots_of
from covid_monai.tables.executors.queue import Queue
from covid_monai.tables.folder import Outcome, claim, state_of
from covid_monai.tables.job import commands_of, run_job
from covid_monai.tables.plan import Job, chosen_rows, listed_numbers, plan
from covid_monai.tables.progress import Progress, matrix
from covid_monai.tables.spec import PROTOCOLS, Table, read_table


@dataclass(frozen=True)
class Request:
    """What is to be run: the options of ``covid-monai reproduce`` as they were given; see docs/reproduce.md."""

    protocol: str = "both"
    rows: Sequence[str] = ()
    folds: str | None = None
    seeds: int | None = None
    budget: str = "full"


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
            raise InputError("the executor in-process runs one job at a time; leave --workers and --per-device away")

    @property
    def chosen_executor(self) -> str:
        """The executor that was asked for, or that follows from the rest."""
        several = self.workers is not None or self.per_device is not None
        return self.executor or ("processes" if several else "in-process")


def reproduce(
    table: str,
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    request: Request | None = None,
    options: RunOptions | None = None,
    resume: bool = False,
    write: Callable[[str], None] = print,
) -> list[Outcome]:
    """Train and evaluate every job of a table that was asked for, wherever it is not done yet.

    Args:
        table: a table's name, or the path of its YAML file.
        data: the prepared data set.
        output: the folder for all of it; docs/reproduce.md says what it will hold.
        request: which jobs, and under which budget; the whole table in full if None.
        options: how they are run; one after the other in this process if None.
        resume: go on with what is in ``output``, if anything is; other processes may be doing the same just now.
        write: gets the lines that tell how far it is.

    Returns:
        What became of each job, in the order in which they ended.

    Raises:
        InputError: the table, the data or an option cannot be used, or ``output`` is not of this table, data and
            budget. A job that fails raises nothing: it is in the outcomes.
    """
    request, options = request or Request(), options or RunOptions()
    place, folder = Path(output).absolute(), Path(data).resolve()
    read = read_table(table)
    jobs = planned(read, request)
    slots = _slots(options)
    claim(read, jobs, folder, place, request.budget, resume)
    write(matrix(jobs, place))
    progress = Progress(
        len(jobs), write, command=lambda job, threads: commands_of(job, folder, options.device, threads)[0]
    )
    try:
        _execute(jobs, folder, place, options, slots, progress)
    finally:
        progress.close()
    return progress.outcomes


def planned(table: Table, request: Request) -> list[Job]:
    """The jobs of a table that are asked for.

    Raises:
        InputError: an option is not the table's.
    """
    if request.protocol not in (*PROTOCOLS, "both"):
        raise InputError(f"protocol is {request.protocol!r}; it can be {', '.join(PROTOCOLS)} or both")
    return plan(
        table,
        None if request.protocol == "both" else [request.protocol],
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
    jobs: list[Job], data: Path, output: Path, options: RunOptions, slots: list[Slot], progress: Progress
) -> None:
    executor, device = options.chosen_executor, options.device
    queue = Queue(jobs, partial(state_of, output=output), progress)
    run_one = partial(run_job, output=output, data=data, asked_device=device)
    if executor == "in-process":
        from covid_monai.tables.executors.local import run_in_process

        run_in_process(queue, partial(run_one, bars=progress.draws), progress, device)
    elif executor == "processes":
        from covid_monai.tables.executors.local import run_in_processes

        run_in_processes(queue, run_one, progress, slots)
    else:
        from covid_monai.tables.executors import ray

        ray.run(queue, run_one, progress, options.workers, options.per_device, device)


def preview(
    table: str, data: str | os.PathLike[str], output: str | os.PathLike[str], request: Request, options: RunOptions
) -> str:
    """What :func:`reproduce` would run: each job, its state in ``output`` now, and its commands; nothing is written.

    Raises:
        InputError: the table, the data or an option cannot be used.
    """
    place, folder = Path(output).absolute(), read_dataset(data).folder.resolve()
    jobs = planned(read_table(table), request)
    threads = next((slot.threads for slot in _slots(options)), None)
    lines = [f"# the commands are for a shell in {place}; the splits are written when the table is started"]
    for job in jobs:
        lines.append(f"# {job.title} | {job.budget} budget | {state_of(job, place)}")
        lines += commands_of(job, folder, options.device, threads)
    return "\n".join([*lines, "", matrix(jobs, place)])
