"""Jobs that train nothing: what executors run is told by a file, in whichever process."""

import os
import signal
import time
from pathlib import Path

from filelock import FileLock, Timeout

from covid_monai.tables.folder import Outcome, lock_file
from covid_monai.tables.plan import Job


def jobs_of(count: int) -> list[Job]:
    """``count`` jobs, folds 0, 1, ..."""
    return [Job("tiny", "0", "paper", "row", "row", fold, 0, "a_segnet", {}, "full", None) for fold in range(count)]


class Listening:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.outcomes: list[Outcome] = []

    def started(self, job: Job, threads: int | None) -> None:
        self.begun.append(job.fold)

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def status_of(self) -> dict[int, str]:
        return {outcome.job.fold: outcome.status for outcome in self.outcomes}


class Light:
    """Runs a job by writing who ran it where; fold 1 dies at its first try if ``killed``."""

    def __init__(self, output: Path, killed: bool = False, seconds: float = 0.0) -> None:
        self.output = output
        self.killed = killed
        self.seconds = seconds

    def __call__(self, job: Job, device: str | None, threads: int | None) -> Outcome:
        home = self.output / job.folder
        home.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(lock_file(home), timeout=0):
                with open(home.with_name("tries"), "a") as file:
                    file.write(f"{job.fold} {os.getpid()} {device} {threads} {time.time()}\n")
                tries = home.with_name("tries").read_text().splitlines()
                if self.killed and job.fold == 1 and sum(line.startswith("1 ") for line in tries) == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(self.seconds)
                home.mkdir()
                (home / "job.json").write_text('{"format": "covid-monai job", "version": 2}')
        except Timeout:
            return Outcome(job, "busy")
        return Outcome(job, "done")


class LongAnswer:
    """Fails every job with a message that no pipe holds at once."""

    def __call__(self, job: Job, device: str | None, threads: int | None) -> Outcome:
        return Outcome(job, "failed", "x" * 1_000_000)


def tries(output: Path) -> list[list[str]]:
    """Fold, process, device, threads and time of each try, in order."""
    return [line.split() for line in (output / "jobs/paper/row/tries").read_text().splitlines()]
