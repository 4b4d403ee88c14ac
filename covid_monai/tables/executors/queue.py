"""The jobs that wait, among processes that share an output folder."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from covid_monai.tables.folder import Outcome
from covid_monai.tables.plan import Job

POLL_SECONDS = 1.0
"""How often it is looked whether a job that another process runs has ended."""


class Listener(Protocol):
    """What is told of the jobs, such as :class:`covid_monai.tables.progress.Progress`."""

    def started(self, job: Job, threads: int | None) -> None:
        """A job is about to be run."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """A job is done, found done, or has failed."""
        ...


class Queue:
    """Jobs in order; those that another process runs wait until it has done them, or has died.

    Args:
        jobs: the jobs.
        state: tells a job's state; see :func:`covid_monai.tables.folder.state_of`.
        listener: is told of the jobs that are found done.
    """

    def __init__(self, jobs: Sequence[Job], state: Callable[[Job], str], listener: Listener) -> None:
        self._waiting = deque(jobs)
        self._state = state
        self._listener = listener

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> Job | None:
        """The next job that can be run; None where other processes run all that are left, or none is left."""
        for _ in range(len(self._waiting)):
            job = self._waiting.popleft()
            state = self._state(job)
            if state == "done":
                self._listener.ended(Outcome(job, "found"))
            elif state == "running":
                self._waiting.append(job)
            else:
                return job
        return None

    def settle(self, outcome: Outcome) -> None:
        """Tell of a job that was run; one that another process took first waits again."""
        if outcome.status == "busy":
            self._waiting.append(outcome.job)
        else:
            self._listener.ended(outcome)
