"""The cells that wait, among processes that share an output folder."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from covid_monai.tables.outcome import Outcome
from covid_monai.tables.plan import Cell

POLL_SECONDS = 1.0
"""How often it is looked whether a cell that another process runs has ended."""


class Listener(Protocol):
    """What is told of the cells, such as :class:`covid_monai.tables.progress.Progress`."""

    def started(self, cell: Cell, threads: int | None) -> None:
        """A cell is about to be run."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """A cell is done, found done, or has failed."""
        ...


class Queue:
    """Cells in order; those that another process runs wait until it has done them, or has died.

    Args:
        cells: the cells.
        state: tells a cell's state; see :func:`covid_monai.tables.outcome.state_of`.
        listener: is told of the cells that are found done.
    """

    def __init__(self, cells: Sequence[Cell], state: Callable[[Cell], str], listener: Listener) -> None:
        self._waiting = deque(cells)
        self._state = state
        self._listener = listener

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> Cell | None:
        """The next cell that can be run; None where other processes run all that are left, or none is left."""
        for _ in range(len(self._waiting)):
            cell = self._waiting.popleft()
            state = self._state(cell)
            if state == "done":
                self._listener.ended(Outcome(cell, "found"))
            elif state == "running":
                self._waiting.append(cell)
            else:
                return cell
        return None

    def settle(self, outcome: Outcome) -> None:
        """Tell of a cell that was run; one that another process took first waits again."""
        if outcome.status == "busy":
            self._waiting.append(outcome.cell)
        else:
            self._listener.ended(outcome)
