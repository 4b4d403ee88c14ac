"""The lesion share that published values imply, if they were pooled over the pixels of one test part.

Dice, sensitivity and specificity that were pooled over the same pixels fix how many of these are lesion. All rows of a
table that were tested on one test part then have to imply one share; where they do not, the measures were averaged in
another way.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from covid_monai.tables.table import Row, Table

NEEDED = ("dice", "sensitivity", "specificity")
"""The measures that fix the share."""


@dataclass(frozen=True)
class ImpliedShare:
    """What a row's published values imply: ``low`` to ``high`` (0..1) over all values that round to the printed ones.

    ``consistent`` is False where no lesion share fits at all: Dice cannot exceed 2 s / (1 + s) of a sensitivity s.
    """

    row: Row
    low: float
    high: float
    consistent: bool


def implied_share(dice: float, sensitivity: float, specificity: float) -> float:
    """The share p of lesion pixels (0..1) of pooled measures, each 0..1; NaN where none fits.

    With TP = p s, FP = (1 - p) f, FN = p (1 - s), where s is the sensitivity and f is 1 - specificity,
    Dice = 2 TP / (2 TP + FP + FN) gives p = D f / (D f + 2 s - D s - D).
    """
    false_alarms = 1 - specificity
    slack = 2 * sensitivity - dice * sensitivity - dice
    if slack < 0 or (slack == 0 and false_alarms > 0) or dice * false_alarms + slack <= 0:
        return float("nan")
    return dice * false_alarms / (dice * false_alarms + slack)


def implied_interval(
    dice: float, sensitivity: float, specificity: float, half_units: tuple[float, float, float]
) -> tuple[float, float]:
    """The least and the greatest share over all values that round to the given ones.

    The share rises with Dice and falls with sensitivity and specificity, so two corners of the box are enough.

    Args:
        dice: pooled, 0..1.
        sensitivity: pooled, 0..1.
        specificity: pooled, 0..1.
        half_units: half a unit of the last printed digit of each of the three, at scale 1.

    Returns:
        Low and high; NaN at an end where no share fits.
    """
    of_dice, of_sensitivity, of_specificity = half_units
    low = implied_share(dice - of_dice, min(sensitivity + of_sensitivity, 1), min(specificity + of_specificity, 1))
    high = implied_share(dice + of_dice, sensitivity - of_sensitivity, specificity - of_specificity)
    return low, high


def implied_shares(table: Table, half_units: Mapping[str, float]) -> list[ImpliedShare]:
    """Of every row that has all of :data:`NEEDED`; empty for tables whose class is a mean over several.

    Args:
        table: the table.
        half_units: half a unit of the last printed digit by the measure's name, in the paper's scale.
    """
    if any(name not in table.measures or table.measures[name].not_comparable for name in NEEDED):
        return []
    shares = []
    for row in table.rows:
        # a variant repeats the values of another row, and what is published only was tested elsewhere
        if row.bundle and not row.variant and all(name in row.paper for name in NEEDED):
            values = [row.paper[name] / table.measures[name].scale for name in NEEDED]
            halves = [half_units[name] / table.measures[name].scale for name in NEEDED]
            low, high = implied_interval(values[0], values[1], values[2], (halves[0], halves[1], halves[2]))
            shares.append(ImpliedShare(row, low, high, not (math.isnan(low) or math.isnan(high))))
    return shares


def share_sentences(shares: list[ImpliedShare]) -> list[str]:
    """What the shares say, for the table's head: each row's, and whether one share fits all rows."""
    if len(shares) < 2:
        return []
    each = ", ".join(f"{share.row.label} {_percent(share)}" for share in shares)
    fitting = [share for share in shares if share.consistent]
    common = max(share.low for share in fitting) <= min(share.high for share in fitting) if fitting else False
    if common and len(fitting) == len(shares):
        verdict = "One share fits all rows, as it has to if they were pooled over the pixels of one test part."
    else:
        verdict = "No one share fits all rows; pooled over the pixels of one test part they would all imply the same."
    return [f"Lesion pixels that the published values imply if they are pooled: {each}. {verdict}"]


def _percent(share: ImpliedShare) -> str:
    if not share.consistent:
        return "none that fits"
    return f"{100 * share.low:.2f} to {100 * share.high:.2f} %"
