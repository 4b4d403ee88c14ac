"""Dice over thresholds of many cases, as sums of the slices' curves."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.scoring.thresholds import THRESHOLDS
from covid_monai.tables.tallies import Tally

CURVE = [str(place) for place in range(len(THRESHOLDS))]
"""Columns of slice_thresholds.csv: Dice at threshold i/255."""


@dataclass(frozen=True)
class CurveTally(Tally):
    """A :class:`Tally` whose parts are the Dice at each threshold and, last, the number of slices.

    ``best`` takes the highest point of the averaged curve, chosen anew for every resample and seed; else it is the
    mean over the thresholds.
    """

    best: bool = False

    def per_class(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The measure of sums of ``parts`` (..., width)."""
        with np.errstate(invalid="ignore"):
            curve = sums[..., :-1] / sums[..., -1:]
        return cast("NDArray[np.float64]", curve.max(axis=-1) if self.best else curve.mean(axis=-1))


def curve_tally(curves: pd.DataFrame, best: bool) -> CurveTally:
    """The tally of slices' curves.

    Args:
        curves: of one row of a table under one protocol, as :class:`covid_monai.tables.collect.Results` has them.
        best: whether it is Dice at the best threshold, or the mean over all.
    """
    seeds = {seed: place for place, seed in enumerate(sorted(curves["seed"].unique()))}
    places, items = pd.factorize(pd.MultiIndex.from_frame(curves[["fold", "case"]]))
    units = np.empty(len(items), dtype=object)
    units[places] = curves["unit"].to_numpy()
    parts = np.zeros((len(items), len(seeds), 1, len(CURVE) + 1))
    values = np.column_stack([curves[CURVE].to_numpy(dtype=np.float64), np.ones(len(curves))])
    # slices of a volume that is one case add up
    np.add.at(parts[:, :, 0], (places, curves["seed"].map(seeds).to_numpy(dtype=np.intp)), values)
    return CurveTally(parts, units, None, best)
