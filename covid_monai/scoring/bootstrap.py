"""Percentile bootstrap over clusters: what is resampled is the patient, not the slice.

Slices of one patient resemble each other, so resampling slices would give intervals that are too narrow.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95
# With fewer clusters a percentile interval misses the truth far more often than its 5 % (one cluster even
# gives an interval of width 0), so that none is more honest than a narrow one.
FEWEST_CLUSTERS = 5
# Up to here the interval is given, and its reader is told that it tends to be too narrow.
FEW_CLUSTERS = 20

_WEIGHTS_AT_ONCE = 4_000_000


def resampled_sums(
    values: NDArray[np.float64], clusters: NDArray[np.int64], resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """Column sums of ``values`` under resampling of whole clusters with replacement.

    Args:
        values: (rows, columns), finite.
        clusters: (rows,), the cluster of each row as 0, 1, ..., n - 1.
        resamples: number of resamples.
        seed: the same seed and clusters give the same resamples, whatever the columns.

    Returns:
        (resamples, columns).
    """
    count = int(clusters.max()) + 1
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, clusters, values)
    return np.concatenate([weights @ sums for weights in _weights(count, resamples, seed)])


def percentile_interval(draws: NDArray[np.float64]) -> tuple[float, float] | None:
    """The central 95 % of the defined draws; None where none is defined."""
    defined = draws[np.isfinite(draws)]
    if not defined.size:
        return None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return float(low), float(high)


def cluster_unit(patients: Sequence[str], volumes: Sequence[str]) -> str:
    """``"patient"`` where all patients are known, ``"volume"`` where all volumes are, else ``"case"``."""
    if all(patients):
        return "patient"
    return "volume" if all(volumes) else "case"


def _weights(clusters: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each resample drew each cluster, (some resamples, clusters) at a time to bound the memory."""
    generator = np.random.default_rng(seed)
    step = max(1, _WEIGHTS_AT_ONCE // clusters)
    chances = np.full(clusters, 1 / clusters)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        yield generator.multinomial(clusters, chances, size=size).astype(np.float64)
