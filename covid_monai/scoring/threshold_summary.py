"""The threshold curves of all slices, averaged, with intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.scoring.intervals import FEWEST_CLUSTERS, cluster_unit, percentile_interval, resampled_sums
from covid_monai.scoring.thresholds import THRESHOLD_RULE, THRESHOLDS, NamedCurve


def curve_table(curves: Sequence[NamedCurve]) -> pd.DataFrame:
    """Mean Dice over the slices at each threshold: columns threshold, dice_stretched, dice_unstretched."""
    return pd.DataFrame(
        {
            "threshold": THRESHOLDS,
            "dice_stretched": np.mean([one.curve.stretched for one in curves], axis=0),
            "dice_unstretched": np.mean([one.curve.unstretched for one in curves], axis=0),
        }
    )


def slice_table(curves: Sequence[NamedCurve]) -> pd.DataFrame:
    """Stretched Dice of each slice: columns case, and 0 to 255 for the thresholds 0/255 to 255/255."""
    dice = pd.DataFrame([one.curve.stretched for one in curves]).round(6)
    dice.insert(0, "case", [one.case for one in curves])
    return dice


def summarise_curves(curves: Sequence[NamedCurve], seed: int) -> dict[str, Any]:
    """Mean over the thresholds, best threshold, Dice at 0.5, stretched and not, as JSON content."""
    unit = cluster_unit([one.patient for one in curves], [one.volume for one in curves])
    clusters = pd.factorize(np.array([getattr(one, unit) for one in curves], dtype=object))[0].astype(np.int64)
    arms = {
        "stretched": (
            np.array([one.curve.stretched for one in curves]),
            np.array([one.curve.stretched_at_half for one in curves]),
        ),
        "unstretched": (
            np.array([one.curve.unstretched for one in curves]),
            np.array([one.curve.at_half for one in curves]),
        ),
    }
    return {
        "rule": THRESHOLD_RULE,
        "slices": len(curves),
        "unit": unit,
        "clusters": int(clusters.max()) + 1,
        **{name: _arm(dice, at_half, clusters, seed) for name, (dice, at_half) in arms.items()},
    }


def _arm(
    dice: NDArray[np.float64], at_half: NDArray[np.float64], clusters: NDArray[np.int64], seed: int
) -> dict[str, Any]:
    """``dice`` is (slices, thresholds), ``at_half`` (slices,)."""
    curve = dice.mean(axis=0)
    best = int(curve.argmax())
    return {
        "mean_over_thresholds": _mean(dice.mean(axis=1), clusters, seed),
        "best": {"threshold": float(THRESHOLDS[best]), "dice": float(curve[best])},
        "at_half": _mean(at_half, clusters, seed),
    }


def _mean(values: NDArray[np.float64], clusters: NDArray[np.int64], seed: int) -> dict[str, Any]:
    interval = None
    if len(np.unique(clusters)) >= FEWEST_CLUSTERS:
        drawn = resampled_sums(np.stack([values, np.ones_like(values)], axis=1), clusters, seed=seed)
        interval = percentile_interval(drawn[:, 0] / drawn[:, 1])
    return {
        "value": float(values.mean()),
        "interval": list(interval) if interval else None,
        "used": len(values),
    }
