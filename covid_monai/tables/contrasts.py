"""How the rows of a table differ from one another: every pair, over the same cases, with nothing tested."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from covid_monai.scoring.comparison import Estimate
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import scored_classes
from covid_monai.tables.table import CLASS_MEAN, OVER_THRESHOLDS, Row
from covid_monai.tables.tallies import interval_of_difference, tally

PAIRS_RULE = (
    "All pairs of rows under one protocol, first minus second, on the cases that both were tested on, averaged over "
    "the seeds. The difference is that of Dice, averaged as the table does it (per slice where it has no Dice of that "
    "kind), with the 95 % bootstrap interval of whole units. Units are counted by the mean Dice of their slices. "
    "Nothing is tested here: so many comparisons would find something by chance, and trainings differ from one "
    "another by chance too, which the interval does not hold. What is tested are the claims of the paper."
)


@dataclass(frozen=True)
class Pair:
    """Two rows under one protocol; the difference is in the paper's scale of Dice.

    ``higher``, ``equal`` and ``lower`` count the units in which the first row's Dice is so.
    """

    protocol: str
    first: Row
    second: Row
    difference: Estimate
    cases: int
    units: int
    higher: int
    equal: int
    lower: int


def compare_rows(results: Results) -> list[Pair]:
    """All pairs of rows that were tested on some of the same cases."""
    pairs = []
    for protocol in results.protocols:
        rows = [row for row in results.table.rows if len(results.jobs_of(protocol, row))]
        for first, second in combinations(rows, 2):
            pair = _pair(results, protocol, first, second)
            if pair is not None:
                pairs.append(pair)
    return pairs


def dice_scale(results: Results) -> float:
    """What a Dice of 1 is in the paper."""
    scales = [measure.scale for measure in results.table.measures.values() if measure.name.startswith("dice")]
    return scales[0] if scales else 1.0


def _pair(results: Results, protocol: str, first: Row, second: Row) -> Pair | None:
    scores = [results.scores_of(protocol, row) for row in (first, second)]
    shared = set(scores[0]["case"]) & set(scores[1]["case"]) - {""}
    if not shared:
        return None
    # a volume's rows go with its slices; those of cases that only one row has do not count
    kept = [rows[(rows["level"] == "slice") & rows["case"].isin(shared)] for rows in scores]
    classes = scored_classes(results.table, kept[0])
    averaging = _averaging(results)
    difference = _difference(kept, averaging, classes, dice_scale(results))
    if difference is None:
        return None
    per_slice = "slice_with_lesion" if results.table.lesion_class == CLASS_MEAN else "slice"
    by_unit = pd.concat([_unit_dice(rows, per_slice, classes) for rows in kept], axis=1, join="inner")
    apart = np.round((by_unit.iloc[:, 0] - by_unit.iloc[:, 1]).to_numpy(), 12)
    return Pair(
        protocol=protocol,
        first=first,
        second=second,
        difference=difference,
        cases=len(shared),
        units=len(apart),
        higher=int((apart > 0).sum()),
        equal=int((apart == 0).sum()),
        lower=int((apart < 0).sum()),
    )


def _averaging(results: Results) -> str:
    """That of the table's Dice; per slice where it is over thresholds or volumes, which have no slices' values."""
    dice = results.table.measures.get("dice")
    if dice is None or dice.averaging == OVER_THRESHOLDS or dice.averaging.startswith("volume"):
        return "slice"
    return dice.averaging


def _difference(rows: list[pd.DataFrame], averaging: str, classes: list[str], scale: float) -> Estimate | None:
    entry, other = (tally(part, "dice", averaging, classes) for part in rows)
    value = entry.value() - other.value()
    if not np.isfinite(value):
        return None
    interval = interval_of_difference(entry, other)
    return Estimate(scale * value, None if interval is None else (scale * interval[0], scale * interval[1]))


def _unit_dice(rows: pd.DataFrame, averaging: str, classes: list[str]) -> pd.Series:
    """The mean Dice of each unit's slices, by the unit; without units that have none."""
    entry = tally(rows, "dice", averaging, classes)
    sums, numbers = entry.parts[:, :, 0, 0].sum(axis=1), entry.parts[:, :, 0, 1].sum(axis=1)
    per_case = pd.DataFrame({"unit": entry.units, "dice": sums, "number": numbers})
    per_case = per_case[per_case["number"] > 0]
    return (per_case["dice"] / per_case["number"]).groupby(per_case["unit"]).mean()
