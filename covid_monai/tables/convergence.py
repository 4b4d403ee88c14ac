"""Whether the training of a row has converged: its loss is flat at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from covid_monai.tables.results import Results
from covid_monai.tables.table import FULL, Row

FLAT = 0.1
"""The most that the last quarter of the epochs may have of the loss's whole fall where it counts as flat."""

CONVERGENCE_RULE = (
    "Converged: from the third to the last quarter of the epochs the mean training loss, averaged over the row's jobs, "
    f"changes by at most {100 * FLAT:g} % of its whole fall, from the first epoch to the last quarter. The limit is a "
    "convention. Jobs of under 8 epochs have not converged. The validation Dice is shown and decides nothing: where "
    "the test part validates, rows would be chosen by their result. Under a smaller budget a row that has not "
    "converged is shown as such and enters no claim; the table in full trains as long as the paper says, whatever "
    "comes of it."
)
_FEWEST_EPOCHS = 8


@dataclass(frozen=True)
class Convergence:
    """How a row's jobs under a protocol trained: means over the jobs.

    ``loss`` is the training loss of the first epoch, of the third quarter of the epochs and of the last one; ``dice``
    the validation Dice (0..1) of the last two, None where there was no validation. ``epochs`` are those of the
    shortest job.
    """

    protocol: str
    row: Row
    jobs: int
    epochs: int
    loss: tuple[float, float, float]
    dice: tuple[float, float] | None

    @property
    def loss_fall(self) -> float:
        """What the loss still fell in the last quarter, as a share of its whole fall; infinite where it never fell."""
        first, before, last = self.loss
        return (before - last) / (first - last) if last < first else float("inf")

    @property
    def dice_change(self) -> float | None:
        """What the validation Dice still changed in the last quarter, as a share of its value there."""
        if self.dice is None:
            return None
        before, last = self.dice
        return (last - before) / last if last else 0.0

    @property
    def converged(self) -> bool:
        """See :data:`CONVERGENCE_RULE`."""
        return self.epochs >= _FEWEST_EPOCHS and abs(self.loss_fall) <= FLAT


def judge_convergence(results: Results) -> list[Convergence]:
    """Every row and protocol that has finished jobs with training logs, the control arms last."""
    found = []
    for protocol in (*results.protocols, *results.control_arms):
        for row in results.table.rows:
            logs = [results.logs[key] for key in results.log_keys(protocol, row)]
            if logs:
                found.append(_convergence(protocol, row, logs))
    return found


def not_converged(results: Results, found: Sequence[Convergence]) -> frozenset[tuple[str, str]]:
    """(Protocol, slug) of the rows that enter no claim; none where the budget is the paper's own."""
    if results.budget == FULL:
        return frozenset()
    return frozenset((each.protocol, each.row.slug) for each in found if not each.converged)


def _convergence(protocol: str, row: Row, logs: Sequence[Sequence[Mapping[str, Any]]]) -> Convergence:
    losses = [_quarters([record["loss"] for record in log]) for log in logs]
    first, before, last = np.mean(losses, axis=0).tolist()
    validated = [[record["validation_dice"] for record in log if "validation_dice" in record] for log in logs]
    dice = np.mean([_quarters(values)[1:] for values in validated], axis=0).tolist() if all(validated) else None
    return Convergence(
        protocol=protocol,
        row=row,
        jobs=len(logs),
        epochs=min(len(log) for log in logs),
        loss=(first, before, last),
        dice=(dice[0], dice[1]) if dice else None,
    )


def _quarters(values: Sequence[float]) -> tuple[float, float, float]:
    """The first value, and the means of the third and the last quarter."""
    quarter = max(1, len(values) // 4)
    before = values[-2 * quarter : -quarter] or values[:1]
    return values[0], float(np.mean(before)), float(np.mean(values[-quarter:]))
