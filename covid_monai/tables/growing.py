"""The table of an output folder, written again as its jobs end, so that an interruption leaves one."""

import time
from collections.abc import Callable
from pathlib import Path

from covid_monai.tables.executors.queue import Listener
from covid_monai.tables.folder import Outcome
from covid_monai.tables.plan import Job

MOST_OF_THE_TIME = 0.05
"""The share of the time that writing may take: large tables are written after several jobs at once."""


class GrowingTable:
    """Writes table.md, table.csv and table.json when a job is done, and tells another listener of all jobs.

    The page and the figures, which take longer, are written at the end.

    Args:
        output: the table's output folder.
        listener: is told of the jobs first.
        write: gets a line where the table cannot be written; the jobs go on.
        now: the clock, in seconds.
    """

    def __init__(
        self,
        output: Path,
        listener: Listener,
        write: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._output = output
        self._listener = listener
        self._write = write
        self._now = now
        self._not_before = now()
        self._behind = False

    def started(self, job: Job, threads: int | None) -> None:
        """A job is about to be run."""
        self._listener.started(job, threads)

    def ended(self, outcome: Outcome) -> None:
        """A job is done, found done, or has failed."""
        self._listener.ended(outcome)
        self._behind |= outcome.status == "done"
        if self._behind and self._now() >= self._not_before:
            self.catch_up()

    def catch_up(self) -> None:
        """Write the table with all jobs that are done, if it lacks one that was done here."""
        if not self._behind:
            return
        from covid_monai.tables.findings import find
        from covid_monai.tables.write import write_table

        begun = self._now()
        try:
            write_table(find(self._output), self._output)
        # whatever it is, it is raised again when the table is written at the end, and the jobs are worth more
        except Exception as error:
            self._write(f"the table is not written yet: {' '.join(str(error).split())}")
        self._behind = False
        took = self._now() - begun
        self._not_before = begun + took / MOST_OF_THE_TIME
