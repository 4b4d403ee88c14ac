"""Whether paired values differ: Wilcoxon's signed-rank test, corrected for the number of tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_PAIRS = 6
"""Under 6 pairs even the clearest difference has p > 0.05 (2 / 2^5)."""

_MOST_EXACT = 50
# 2^13 ways to sign the differences are all tried
_MOST_EXACT_WITH_TIES = 13

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

    Differences of 0 are ranked with the others and their ranks then dropped (Pratt 1959).
    """
    from scipy.stats import PermutationMethod, wilcoxon

    differences = np.round(differences, _ROUNDING)
    count = len(differences)
    if count < FEWEST_PAIRS:
        return SignedRank(None, None, f"not tested: {count} pairs, at least {FEWEST_PAIRS} are needed")
    if not differences.any():
        return SignedRank(None, None, "not tested: all differences are 0")
    tied = not differences.all() or len(np.unique(np.abs(differences))) < count
    exact = count <= (_MOST_EXACT_WITH_TIES if tied else _MOST_EXACT)
    if not exact:
        result = wilcoxon(differences, zero_method="pratt", method="approx")
        return SignedRank(float(result.statistic), float(result.pvalue), "normal approximation")
    method = PermutationMethod(n_resamples=2**_MOST_EXACT_WITH_TIES) if tied else "exact"
    result = wilcoxon(differences, zero_method="pratt", method=method)
    return SignedRank(float(result.statistic), float(result.pvalue), "exact")


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction over the tests that have a p-value; None stays None."""
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        corrected[index] = highest
    return corrected
