"""One job of a table: training and evaluation as the commands do them, once and for all."""

import gc
import shlex
import sys
import time
import traceback
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml
from filelock import FileLock, Timeout

from covid_monai.catalog.bundles import bundle_folder, stored_name
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of, write_json
from covid_monai.run.folder import RunFolder
from covid_monai.tables.folder import (
    JOB_FORMAT,
    JOB_VERSION,
    JobFiles,
    Outcome,
    data_of,
    failure_file,
    files_of,
    is_complete,
    lock_file,
)
from covid_monai.tables.plan import Job

if TYPE_CHECKING:
    import torch


def commands_of(job: Job, data: Path, output: Path, device: str | None = None, threads: int | None = None) -> list[str]:
    """``covid-monai train`` and ``covid-monai evaluate`` of a job, for a shell in the output folder.

    Args:
        job: the job.
        data: the prepared data set.
        output: the output folder.
        device: as it was asked for; named in the commands unless None.
        threads: of torch, where an executor divides the processors; the last bits of a training depend on them.
    """
    where, files = data_of(job, data.resolve(), Path()), files_of(job, output)
    home, split = (str(path.relative_to(output)) for path in (files.home, files.split))
    # a bundle of somebody's own is told by its path, which evaluation has to trust
    place = stored_name(bundle_folder(job.bundle))
    own = Path(place).is_absolute()
    train = ["covid-monai", "train", place if own else job.bundle, "--data", str(where), "--split", split]
    train += ["--fold", str(job.fold), "-o", home]
    for key, value in job.settings.items():
        train += ["--set", f"{key}={_literal(value)}"]
    evaluate = ["covid-monai", "evaluate", home, *(["--trust-run"] if own else [])]
    if job.grid is not None:
        evaluate += ["--scoring-grid", str(job.grid)]
    if device is not None:
        train += ["--device", device]
        evaluate += ["--device", device]
    prefix = f"OMP_NUM_THREADS={threads} " if threads else ""
    return [prefix + shlex.join(command) for command in (train, evaluate)]


def _literal(value: Any) -> str:
    """A value as ``--set`` reads it back."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()


class RunOne(Protocol):
    """What executors call: :func:`run_job` with its places given."""

    def __call__(self, job: Job, device: str | None, threads: int | None) -> Outcome:
        """Run a job on a device with so many threads; None for the bundle's and torch's own choice."""
        ...


def run_job(
    job: Job,
    device: str | None = None,
    threads: int | None = None,
    *,
    output: Path,
    data: Path,
    asked_device: str | None = None,
    bars: bool = False,
) -> Outcome:
    """Train and evaluate a job, go on with it, or find it done; no two processes ever run the same one at a time.

    Whatever goes wrong is told in the outcome, so that the other jobs are run; the reason stays beside the job's
    folder until it is tried again.

    Args:
        job: the job.
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.
        threads: of torch; as they are if None.
        output: the table's output folder, with the job's split.
        data: the prepared data set.
        asked_device: the device that the stored commands name.
        bars: whether training and evaluation draw their progress bars.
    """
    files = files_of(job, output)
    home = files.home
    home.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock_file(home), timeout=0):
            try:
                if is_complete(files.record):
                    return Outcome(job, "found")
                failure_file(home).unlink(missing_ok=True)
                seconds = _train_and_evaluate(job, files, output, data, device, threads, bars)
                _write_record(job, files, output, data, asked_device, seconds, device)
            # whatever a network or the machine raises: the other jobs do not depend on it
            except Exception as error:
                return _failed(job, home, error)
            return Outcome(job, "done", seconds=seconds)
    except Timeout:
        return Outcome(job, "busy")


def _train_and_evaluate(
    job: Job, files: JobFiles, output: Path, data: Path, device: str | None, threads: int | None, progress: bool
) -> float:
    """Seconds that it took, those of earlier attempts' complete epochs among them."""
    import torch

    from covid_monai.run.evaluation import evaluate
    from covid_monai.run.training import train

    if threads:
        torch.set_num_threads(threads)
    used = _device(device)
    count_memory_from_now(used)
    where, home = data_of(job, data, output), files.home
    _clear_unfinished(home)
    train(
        job.bundle,
        where,
        home,
        split=files.split,
        fold=job.fold,
        settings=job.settings,
        device=device,
        resume=RunFolder(home).record.exists(),
        progress=progress,
    )
    started = time.monotonic()
    # training has held the run against the table's bundle and settings, so it brings no other code
    evaluate(home, data=where, scoring_grid=job.grid, device=device, trust=True, progress=progress)
    return round(sum(line["seconds"] for line in RunFolder(home).read_log()) + time.monotonic() - started, 3)


def _write_record(
    job: Job,
    files: JobFiles,
    output: Path,
    data: Path,
    asked_device: str | None,
    seconds: float,
    device: str | None,
) -> None:
    import torch

    from covid_monai.scoring.write import SPEED_FILE
    from covid_monai.weights import check_weights

    home = files.home
    used, log = _device(device), RunFolder(home).read_log()
    threads = torch.get_num_threads()
    validated = [line for line in log if "validation_dice" in line]
    content = {
        "format": JOB_FORMAT,
        "version": JOB_VERSION,
        "table": job.table,
        "table_sha256": job.table_sha256,
        "protocol": job.protocol,
        "row": job.row,
        "slug": job.slug,
        "variant": job.variant,
        "fold": job.fold,
        "seed": job.seed,
        "bundle": job.bundle,
        "settings": dict(job.settings),
        "budget": job.budget,
        # on a CPU their number decides the last bits
        "commands": commands_of(job, data, output, asked_device, threads if used.type == "cpu" else None),
        "split_sha256": sha256_of(files.split),
        "weights_sha256": check_weights(home),
        "epochs": len(log),
        # None where nothing was validated; of equal ones the first
        "best_epoch": max(validated, key=lambda line: line["validation_dice"])["epoch"] if validated else None,
        "kept_epoch": read_json(home / "model.json")["epoch"],
        "seconds": seconds,
        # of the evaluation, from the prepared slice to its mask
        "seconds_per_slice": read_json(RunFolder(home).evaluation() / SPEED_FILE)["seconds_per_slice"],
        "scoring_grid": job.grid,
        "peak_memory_bytes": _peak_memory(used),
        "device": torch.cuda.get_device_name(used) if used.type == "cuda" else used.type,
        "threads": threads,
        "finished": _now(),
    }
    write_json(files.record, content)


def _failed(job: Job, home: Path, error: Exception) -> Outcome:
    message = " ".join(str(error).split())
    if not isinstance(error, InputError):
        # a bug, or the machine's limits: where it happened is worth knowing
        traceback.print_exception(error)
        message = f"{type(error).__name__}: {message}" if message else type(error).__name__
    try:
        write_json(failure_file(home), {"row": job.row, "error": message, "when": _now()})
    except InputError as unwritten:
        # such as a full disk, which may be why the job failed
        message += f" (and {unwritten})"
    return Outcome(job, "failed", message)


def _clear_unfinished(home: Path) -> None:
    """Remove what a process that was killed before the run began left: no run, but a folder that is not empty."""
    if home.is_dir() and not (home / "run.json").exists():
        for path in home.glob(".writing-*"):
            path.unlink()


def _device(device: str | None) -> "torch.device":
    import torch

    return torch.device(device or ("cuda:0" if torch.cuda.is_available() else "cpu"))


def count_memory_from_now(device: "torch.device") -> None:
    """Let the peak memory of a GPU be that of what comes now."""
    import torch

    if device.type == "cuda":
        # networks of earlier jobs of this process, which lie in cycles, are not this one's
        gc.collect()
        # a device has no statistics before something was put on it
        torch.empty(1, device=device)
        torch.cuda.reset_peak_memory_stats(device)


def _peak_memory(device: "torch.device") -> int:
    """Of a GPU what this job took at most; on the CPU what this process took at most, with the jobs before it."""
    import resource

    import torch

    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    # kilobytes, but on macOS bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
