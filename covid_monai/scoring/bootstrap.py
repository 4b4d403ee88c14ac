"""Percentile bootstrap over clusters: what is resampled is the patient, not the slice.

Slices of one patient resemble each other, so resampling slices would give intervals that are too narrow.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95
# With fewer clusters a percentile interval misses the truth far more often than its 5 % (one cluster even
# gives an interval of width 0), so that none is more honest than a narrow one.
FEWEST_CLUSTERS = 5
# Up to here the interval is given, and its reader is told that it tends to be too narrow.
FEW_CLUSTERS = 20


class ClusterBootstrap:
    """Resamples of whole clusters with replacement, as many clusters as there are.

    A statistic is computed from sums over rows, so that a resample is a weighted sum over clusters: a mean is the
    sum of values over the sum of ones, a pooled Dice a ratio of summed counts.

    Args:
        clusters: the cluster of each row, (rows,), by any names.
        seed: the same seed and number of clusters give the same resamples, whatever is summed.
        resamples: their number.
        weights_at_once: how many weights are in memory together; the sums do not depend on it.

    Attributes:
        index: the cluster of each row as 0, 1, ... in order of appearance, (rows,).
        count: the number of clusters.
    """

    def __init__(
        self,
        clusters: Sequence[Any] | NDArray[Any] | pd.Series | pd.Index,
        *,
        seed: int = 0,
        resamples: int = RESAMPLES,
        weights_at_once: int = 4_000_000,
    ) -> None:
        index, names = pd.factorize(np.asarray(clusters, dtype=object))
        self.index: NDArray[np.int64] = index.astype(np.int64)
        self.count = len(names)
        self.seed = seed
        self.resamples = resamples
        self.weights_at_once = weights_at_once

    def weights(self) -> Iterator[NDArray[np.float64]]:
        """How often each resample drew each cluster, (some resamples, clusters) at a time to bound the memory."""
        generator = np.random.default_rng(self.seed)
        step = max(1, self.weights_at_once // self.count)
        chances = np.full(self.count, 1 / self.count)
        for start in range(0, self.resamples, step):
            size = min(step, self.resamples - start)
            yield generator.multinomial(self.count, chances, size=size).astype(np.float64)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Column sums (resamples, columns) of finite ``values`` (rows, columns) in each resample."""
        of_clusters = np.zeros((self.count, values.shape[1]))
        np.add.at(of_clusters, self.index, values)
        return np.concatenate([weights @ of_clusters for weights in self.weights()])

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means (resamples,) of finite ``values`` (rows,) in each resample."""
        sums = self.sums(np.stack([values, np.ones_like(values)], axis=1))
        means: NDArray[np.float64] = sums[:, 0] / sums[:, 1]
        return means

    def clusters_with(self, rows: NDArray[np.bool_]) -> int:
        """The number of clusters that have one of the marked ``rows`` (rows,)."""
        return len(np.unique(self.index[rows]))

    def interval(self, draws: NDArray[np.float64], clusters: int | None = None) -> tuple[float, float] | None:
        """The central 95 % of a statistic's defined ``draws`` (resamples,).

        None where none is defined, or where fewer than ``FEWEST_CLUSTERS`` clusters contribute to it (all do unless
        ``clusters`` says how many).
        """
        defined = draws[np.isfinite(draws)]
        if not defined.size or (self.count if clusters is None else clusters) < FEWEST_CLUSTERS:
            return None
        tail = 100 * (1 - CONFIDENCE) / 2
        low, high = np.percentile(defined, [tail, 100 - tail])
        return float(low), float(high)

    def described(self) -> dict[str, Any]:
        """How intervals were made, for JSON."""
        return {
            "method": "percentile",
            "confidence": CONFIDENCE,
            "resamples": self.resamples,
            "seed": self.seed,
            "fewest_clusters": FEWEST_CLUSTERS,
        }


def cluster_unit(patients: Sequence[str], volumes: Sequence[str]) -> str:
    """``"patient"`` where all patients are known, ``"volume"`` where all volumes are, else ``"case"``."""
    if all(patients):
        return "patient"
    return "volume" if all(volumes) else "case"
