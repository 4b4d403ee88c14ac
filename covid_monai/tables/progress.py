"""How far the jobs of a table are, while they are run and at any time."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from covid_monai.tables.folder import Outcome, state_of
from covid_monai.tables.plan import Job

MARKS = {"done": "#", "running": ">", "failed": "!", "waiting": "."}


class Progress:
    """Tells of every job, and how long the rest will take: a bar on a terminal, plain lines elsewhere.

    Args:
        total: how many jobs there are.
        write: gets the lines.
        command: the command that runs a job alone with so many threads; told when the job starts.
        terminal: whether to draw a bar; where None, whether stderr is a terminal.
        now: the clock, in seconds.
    """

    def __init__(
        self,
        total: int,
        write: Callable[[str], None],
        command: Callable[[Job, int | None], str] | None = None,
        terminal: bool | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.outcomes: list[Outcome] = []
        self._write = write
        self._command = command
        self._now = now
        self._begun = now()
        self._bar: Any = None
        if sys.stderr.isatty() if terminal is None else terminal:
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc="jobs", unit="job", smoothing=0)

    @property
    def draws(self) -> bool:
        """Whether there is a bar."""
        return self._bar is not None

    @property
    def failed(self) -> list[Outcome]:
        """The jobs that failed."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    def seconds_left(self) -> float | None:
        """How long the rest takes if it goes on as so far; None before a job has been run."""
        run = [outcome for outcome in self.outcomes if outcome.status != "found"]
        left = self.total - len(self.outcomes)
        return (self._now() - self._begun) / len(run) * left if run else None

    def started(self, job: Job, threads: int | None) -> None:
        """Tell that a job is run now, and with which command it can be run alone."""
        self._tell(f"running: {job.title}")
        if self._command is not None:
            self._tell(f"  {self._command(job, threads)}")

    def ended(self, outcome: Outcome) -> None:
        """Tell what became of a job, and how long the rest will take."""
        self.outcomes.append(outcome)
        what = {"done": f"done in {seconds_in_words(outcome.seconds)}", "found": "done before"}.get(
            outcome.status, f"failed: {outcome.message}"
        )
        counted = f"{len(self.outcomes)} of {self.total}"
        left = self.seconds_left()
        if left:
            counted += f", about {seconds_in_words(left)} left"
        self._tell(f"{outcome.job.title} | {what} ({counted})")
        if self._bar is not None:
            if outcome.status == "found":
                # it took no time, so it says nothing of the others
                self._bar.initial += 1
            self._bar.set_postfix({"failed": len(self.failed)} if self.failed else {}, refresh=False)
            self._bar.update()

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()

    def _tell(self, line: str) -> None:
        if self._bar is None:
            self._write(line)
        else:
            self._bar.clear()
            self._write(line)
            self._bar.refresh()


def matrix(jobs: Sequence[Job], output: Path) -> str:
    """A line a row and protocol, a mark a job in the order of folds and seeds, and how many there are of each."""
    lines: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
    for job in jobs:
        state = state_of(job, output)
        lines.setdefault((job.protocol, job.row), []).append((job.fold, job.seed, state))
    width = max(len(f"{protocol} | {row}") for protocol, row in lines)
    drawn = [
        f"{f'{protocol} | {row}':<{width}}  {''.join(MARKS[state] for _, _, state in sorted(states))}"
        for (protocol, row), states in sorted(lines.items(), key=lambda line: line[0][0])
    ]
    states = [state for entries in lines.values() for _, _, state in entries]
    counts = ", ".join(f"{states.count(state)} {state} ({mark})" for state, mark in MARKS.items() if state in states)
    return "\n".join([*drawn, counts])


def seconds_in_words(seconds: float) -> str:
    """A time as one reads it: ``42 s``, ``3 min 12 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
