"""Resamples of whole clusters within each source: what is drawn again is the patient, not the slice.

Slices of one patient resemble each other, so resampling slices would give intervals that are too narrow. The sources of
a data set (its strata) were collected apart and keep their sizes, so that each resample has as many units of each as
there are. :mod:`covid_monai.scoring.intervals` makes intervals of them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95
# Coverage holds down to here (docs/intervals.md); of fewer clusters there are too few different resamples.
FEWEST_CLUSTERS = 5
# Below so many effective units the interval is given, and its reader is told that few units decide it.
FEW_EFFECTIVE = 15
_FEWEST_IN_STRATUM = 2
# drawing takes as long as the rest; beyond 32 MB the weights are drawn anew each time
_MOST_KEPT = 4_000_000

Labels = Sequence[Any] | NDArray[Any] | pd.Series | pd.Index


class ClusterBootstrap:
    """Resamples of whole clusters with replacement, within each stratum as many clusters as it has.

    A statistic is computed from sums over rows, so that a resample is a weighted sum over clusters: a mean is the
    sum of values over the sum of ones, a pooled Dice a ratio of summed counts.

    A stratum of a single cluster has no spread of its own: all such strata are one together, and a last single cluster
    joins the smallest of the others.

    Args:
        clusters: the cluster of each row, (rows,), by any names.
        strata: the stratum of each row, (rows,); of a cluster with rows of several it is that of its first row. One
            stratum if None.
        seed: the same seed and number of clusters give the same resamples, whatever is summed.
        resamples: their number.
        weights_at_once: how many weights are worked on together; the resamples do not depend on it.

    Attributes:
        index: the cluster of each row as 0, 1, ... in order of appearance, (rows,).
        count: the number of clusters.
        members: the clusters of each stratum, by its name; joined strata have their names joined by ``" + "``.
    """

    def __init__(
        self,
        clusters: Labels,
        *,
        strata: Labels | None = None,
        seed: int = 0,
        resamples: int = RESAMPLES,
        weights_at_once: int = 50_000,
    ) -> None:
        index, names = pd.factorize(np.asarray(clusters, dtype=object))
        self.index: NDArray[np.int64] = index.astype(np.int64)
        self.count = len(names)
        self.members = _members(self.index, self.count, strata)
        self.seed = seed
        self.resamples = resamples
        self.weights_at_once = weights_at_once
        self._kept: list[NDArray[np.float64]] = []

    def weights(self) -> Iterator[NDArray[np.float64]]:
        """How often each resample drew each cluster, (some resamples, clusters) at a time."""
        if self.count * self.resamples > _MOST_KEPT:
            yield from self._drawn()
            return
        if not self._kept:
            self._kept = list(self._drawn())
        yield from self._kept

    def _drawn(self) -> Iterator[NDArray[np.float64]]:
        generators = np.random.default_rng(self.seed).spawn(len(self.members))
        step = max(1, self.weights_at_once // max(self.count, 1))
        for start in range(0, self.resamples, step):
            size = min(step, self.resamples - start)
            weights = np.zeros((size, self.count))
            for generator, own in zip(generators, self.members.values(), strict=True):
                chances = np.full(len(own), 1 / len(own))
                weights[:, own] = generator.multinomial(len(own), chances, size=size)
            yield weights

    def totals(self, values: ArrayLike) -> NDArray[np.float64]:
        """Sums (clusters, ...) of finite ``values`` (rows, ...) over each cluster's rows."""
        of_rows = np.asarray(values, dtype=np.float64)
        totals = np.zeros((self.count, *of_rows.shape[1:]))
        np.add.at(totals, self.index, of_rows)
        return totals

    @property
    def strata(self) -> dict[str, int]:
        """The number of clusters of each stratum, for JSON."""
        return {name: len(own) for name, own in self.members.items()}


def effective_number(contributions: ArrayLike) -> float:
    """Kish's effective number of units: how many that contribute equally would be as uncertain together.

    ``contributions`` (units,) are what each unit adds to an estimate: of a mean its number of values, of pooled pixels
    its share of the denominator. 0 where nothing contributes.

    Kish, Survey Sampling (1965): the squared sum over the sum of squares.
    """
    weights = np.asarray(contributions, dtype=np.float64)
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def cluster_unit(patients: Sequence[str], volumes: Sequence[str]) -> str:
    """``"patient"`` where all patients are known, ``"volume"`` where all volumes are, else ``"case"``."""
    if all(patients):
        return "patient"
    return "volume" if all(volumes) else "case"


def _members(index: NDArray[np.int64], count: int, strata: Labels | None) -> dict[str, NDArray[np.int64]]:
    """The clusters of each stratum, none of which has a single cluster where there are others."""
    if not count:
        return {}
    if strata is None:
        return {"": np.arange(count)}
    stratum, names = pd.factorize(np.asarray(strata, dtype=object))
    first_rows = np.unique(index, return_index=True)[1]
    of_clusters = stratum[first_rows]
    found = {str(name): np.flatnonzero(of_clusters == place) for place, name in enumerate(names)}
    members = {name: own for name, own in found.items() if len(own) >= _FEWEST_IN_STRATUM}
    single = {name: own for name, own in found.items() if len(own) == 1}
    if len(single) == 1 and members:
        smallest = min(members, key=lambda name: len(members[name]))
        single = {smallest: members.pop(smallest), **single}
    if single:
        members[" + ".join(single)] = np.sort(np.concatenate(list(single.values())))
    return members
