"""Whether paired values differ: Wilcoxon's signed-rank test, corrected for the number of tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_PAIRS = 6
"""Under 6 pairs even the clearest difference has p > 0.05 (2 / 2^5)."""

MOST_EXACT = 300
"""Up to so many differences that are not 0 all ways to sign them are counted; above, a normal curve is near enough."""

# differences of Dice that are equal on paper differ in their last digits
_ROUNDING = 12


@dataclass(frozen=True)
class SignedRank:
    """The result of a test.

    Attributes:
        statistic: the smaller of the two sums of ranks; None where not tested.
        p: two-sided; None where not tested.
        method: ``"exact"``, ``"normal approximation"``, or ``"not tested: ..."`` with the reason.
    """

    statistic: float | None
    p: float | None
    method: str


def signed_rank(differences: NDArray[np.float64]) -> SignedRank:
    """Wilcoxon's two-sided signed-rank test of paired ``differences`` (n,), which are finite.

    Differences of 0 are ranked with the others and their ranks then dropped (Pratt 1959). Among many of them few signs
    are left, whose sum is far from normal: how many there are decides between the exact test and the approximation.
    """
    from scipy.stats import rankdata, wilcoxon

    differences = np.round(differences, _ROUNDING)
    count = len(differences)
    if count < FEWEST_PAIRS:
        return SignedRank(None, None, f"not tested: {count} pairs, at least {FEWEST_PAIRS} are needed")
    if not differences.any():
        return SignedRank(None, None, "not tested: all differences are 0")
    signed = differences != 0
    if np.count_nonzero(signed) > MOST_EXACT:
        result = wilcoxon(differences, zero_method="pratt", method="approx")
        return SignedRank(float(result.statistic), float(result.pvalue), "normal approximation")
    # ties have halves of ranks
    doubled = np.rint(2 * rankdata(np.abs(differences))).astype(np.int64)[signed]
    positive = int(doubled[differences[signed] > 0].sum())
    smaller = min(positive, int(doubled.sum()) - positive)
    return SignedRank(smaller / 2, min(1.0, 2 * _chance_of_at_most(smaller, doubled)), "exact")


def _chance_of_at_most(limit: int, ranks: NDArray[np.int64]) -> float:
    """The chance that whole ``ranks``, each counted or not with a chance of a half, sum up to at most ``limit``."""
    chances = np.zeros(limit + 1)
    chances[0] = 1.0
    for rank in ranks.tolist():
        counted = np.zeros_like(chances)
        if rank <= limit:
            counted[rank:] = chances[: limit + 1 - rank]
        chances = (chances + counted) / 2
    return float(chances.sum())


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction over the tests that have a p-value; None stays None."""
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        corrected[index] = highest
    return corrected
