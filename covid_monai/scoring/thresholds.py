"""Dice over 256 thresholds, as the published comparison of Inf-Net (Fan et al. 2020) computes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.scoring.bootstrap import ClusterBootstrap, cluster_unit, effective_number
from covid_monai.scoring.intervals import Range, Ratios, interval

THRESHOLDS = np.arange(256) / 255

RATES = ("sensitivity", "specificity")
"""What slices have beside Dice at each threshold, as the mean over the thresholds."""

THRESHOLD_RULE = (
    "Prediction = probability >= i/255 for i = 0..255; Dice of the lesion (all lesion classes as one) per "
    "slice, averaged over the slices at each threshold, then over the 256 thresholds. Stretched: the "
    "probabilities of each slice are first mapped to 0..1 by their own minimum and maximum (a constant map "
    "is left as it is). Sensitivity and specificity over the thresholds are taken in the same way, sensitivity of the "
    "slices with lesion. The best threshold is chosen on these very slices, so its Dice is optimistic."
)


@dataclass(frozen=True)
class ImageCurve:
    """Dice of one image at ``THRESHOLDS``, and at 0.5, before and after the min-max stretch.

    ``sensitivity`` and ``specificity`` are those of the stretched probabilities, as the mean over ``THRESHOLDS``; NaN
    where the reference has no pixels that they could be of.
    """

    unstretched: NDArray[np.float64]
    stretched: NDArray[np.float64]
    at_half: float
    stretched_at_half: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class NamedCurve:
    """The curves of one slice, and whose it is."""

    case: str
    patient: str
    volume: str
    source: str
    curve: ImageCurve


def image_curve(probability: NDArray[Any], reference: NDArray[np.bool_]) -> ImageCurve:
    """The curves of one lesion probability map (0..1) and its reference mask, of one shape."""
    probability = np.asarray(probability, dtype=np.float64)
    stretched = stretch(probability)
    half = np.array([0.5])
    sensitivity, specificity = rates_over_thresholds(stretched, reference, THRESHOLDS)
    return ImageCurve(
        unstretched=dice_at_thresholds(probability, reference, THRESHOLDS),
        stretched=dice_at_thresholds(stretched, reference, THRESHOLDS),
        at_half=float(dice_at_thresholds(probability, reference, half)[0]),
        stretched_at_half=float(dice_at_thresholds(stretched, reference, half)[0]),
        sensitivity=sensitivity,
        specificity=specificity,
    )


def stretch(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map with its minimum at 0 and its maximum at 1; a constant map as it is."""
    low, high = probability.min(), probability.max()
    return probability if low == high else (probability - low) / (high - low)


def dice_at_thresholds(
    probability: NDArray[np.float64], reference: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Dice of ``probability >= t`` for each t of the ascending ``thresholds``; 1 where both masks are empty.

    One histogram of the pixels between thresholds serves them all.
    """
    reached = np.searchsorted(thresholds, probability.ravel(), side="right")
    size = len(thresholds) + 1
    predicted = _at_least(np.bincount(reached, minlength=size))
    hits = _at_least(np.bincount(reached[reference.ravel()], minlength=size))
    pixels = predicted + int(np.count_nonzero(reference))
    return np.where(pixels == 0, 1.0, 2 * hits / np.maximum(pixels, 1))


def rates_over_thresholds(
    probability: NDArray[np.float64], reference: NDArray[np.bool_], thresholds: NDArray[np.float64]
) -> tuple[float, float]:
    """Sensitivity and specificity of ``probability >= t``, as means over the ascending ``thresholds``.

    NaN where the reference has no lesion, or nothing else. A pixel that reaches r of the
    thresholds is found at r of them.
    """
    reached = np.searchsorted(thresholds, probability.ravel(), side="right") / len(thresholds)
    lesion = reference.ravel()
    found = float(reached[lesion].mean()) if lesion.any() else float("nan")
    alarms = float(reached[~lesion].mean()) if not lesion.all() else float("nan")
    return found, 1 - alarms


def _at_least(histogram: NDArray[np.intp]) -> NDArray[np.intp]:
    """Pixels that reached threshold 0, 1, ..., from the histogram of how many thresholds each reached."""
    return histogram[::-1].cumsum()[::-1][1:]


def curve_table(curves: Sequence[NamedCurve]) -> pd.DataFrame:
    """Mean Dice over the slices at each threshold: columns threshold, dice_stretched, dice_unstretched."""
    return pd.DataFrame(
        {
            "threshold": THRESHOLDS,
            "dice_stretched": np.mean([named.curve.stretched for named in curves], axis=0),
            "dice_unstretched": np.mean([named.curve.unstretched for named in curves], axis=0),
        }
    )


def slice_table(curves: Sequence[NamedCurve]) -> pd.DataFrame:
    """Stretched Dice of each slice: columns case, and 0 to 255 for the thresholds 0/255 to 255/255.

    Columns sensitivity and specificity are means over the thresholds; see :class:`ImageCurve`.
    """
    dice = pd.DataFrame([named.curve.stretched for named in curves]).round(6)
    dice.insert(0, "case", [named.case for named in curves])
    for name in RATES:
        dice[name] = np.round([getattr(named.curve, name) for named in curves], 6)
    return dice


def summarise_curves(curves: Sequence[NamedCurve], seed: int) -> dict[str, Any]:
    """Mean over the thresholds, best threshold, Dice at 0.5, stretched and not, as JSON content."""
    unit = cluster_unit([named.patient for named in curves], [named.volume for named in curves])
    bootstrap = ClusterBootstrap(
        [getattr(named, unit) for named in curves], strata=[named.source for named in curves], seed=seed
    )
    variants = {
        "stretched": (
            np.array([named.curve.stretched for named in curves]),
            np.array([named.curve.stretched_at_half for named in curves]),
        ),
        "unstretched": (
            np.array([named.curve.unstretched for named in curves]),
            np.array([named.curve.at_half for named in curves]),
        ),
    }
    return {
        "rule": THRESHOLD_RULE,
        "slices": len(curves),
        "unit": unit,
        "clusters": bootstrap.count,
        "effective_clusters": round(effective_number(bootstrap.totals(np.ones(len(curves)))), 2),
        **{name: _summary_of(dice, at_half, bootstrap) for name, (dice, at_half) in variants.items()},
    }


def _summary_of(dice: NDArray[np.float64], at_half: NDArray[np.float64], bootstrap: ClusterBootstrap) -> dict[str, Any]:
    """``dice`` is (slices, thresholds), ``at_half`` (slices,)."""
    curve = dice.mean(axis=0)
    best = int(curve.argmax())
    return {
        "mean_over_thresholds": _mean(dice.mean(axis=1), bootstrap),
        "best": {"threshold": float(THRESHOLDS[best]), "dice": float(curve[best])},
        "at_half": _mean(at_half, bootstrap),
    }


def _mean(values: NDArray[np.float64], bootstrap: ClusterBootstrap) -> dict[str, Any]:
    totals = bootstrap.totals(np.column_stack([values, np.ones_like(values)]))
    found = interval(Ratios(totals[:, :1], totals[:, 1:]), bootstrap, Range())
    return {
        "value": float(values.mean()),
        "interval": list(found) if found else None,
        "used": len(values),
    }
