"""Pixel counts of two label maps, the measures that are ratios of them, and the rule for empty masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.scoring.measures import MEASURES

EMPTY_MASK_RULE = (
    "Reference and prediction both empty (both_empty): Dice, IoU and surface Dice are 1; sensitivity, "
    "precision and HD95 are undefined. Only the reference empty (reference_empty): Dice, IoU, surface Dice "
    "and precision are 0; sensitivity and HD95 are undefined. Only the prediction empty (missed): Dice, IoU, "
    "surface Dice and sensitivity are 0; precision and HD95 are undefined. An undefined value is left out of "
    "its mean; every mean says how many values it used and how many it left out, and why."
)

EMPTY_KINDS = ("both_empty", "reference_empty", "missed")


def empty_kind(prediction_empty: bool, reference_empty: bool) -> str:
    """One of ``EMPTY_KINDS``, or ``""`` where both masks have pixels."""
    if prediction_empty:
        return "both_empty" if reference_empty else "missed"
    return "reference_empty" if reference_empty else ""


COUNTS = ("tp", "fp", "fn", "tn")
OVERLAP_MEASURES = tuple(name for name, measure in MEASURES.items() if not measure.of_surfaces)


def confusion_matrix(prediction: NDArray[Any], reference: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Pixels per (reference label, predicted label), shape (classes, classes).

    Both label maps are integers from 0 to ``classes`` - 1 and have one shape.
    """
    pairs = reference.astype(np.intp).ravel() * classes + prediction.astype(np.intp).ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def overlap_counts(confusion: NDArray[np.int64], labels: Sequence[int]) -> NDArray[np.int64]:
    """(tp, fp, fn, tn) of the union of ``labels``; one of them predicted as another one is a tp."""
    inside = np.isin(np.arange(len(confusion)), labels)
    return np.array(
        [
            confusion[np.ix_(inside, inside)].sum(),
            confusion[np.ix_(~inside, inside)].sum(),
            confusion[np.ix_(inside, ~inside)].sum(),
            confusion[np.ix_(~inside, ~inside)].sum(),
        ],
        dtype=np.int64,
    )


def overlap_ratios(counts: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numerators and denominators of ``OVERLAP_MEASURES``, each (..., 6), for ``counts`` (..., 4)."""
    tp, fp, fn, tn = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    ratios = {
        "dice": (2 * tp, 2 * tp + fp + fn),
        "iou": (tp, tp + fp + fn),
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "precision": (tp, tp + fp),
        "accuracy": (tp + tn, tp + fp + fn + tn),
    }
    numerators, denominators = zip(*(ratios[measure] for measure in OVERLAP_MEASURES), strict=True)
    return np.stack(numerators, axis=-1), np.stack(denominators, axis=-1)


def overlap_measures(counts: NDArray[Any]) -> NDArray[np.float64]:
    """``OVERLAP_MEASURES`` (..., 6) of ``counts`` (..., 4), in 0..1.

    Where a denominator is 0, Dice and IoU are 1 (both masks empty) and the others NaN (undefined), as
    ``EMPTY_MASK_RULE`` says.
    """
    numerators, denominators = overlap_ratios(counts)
    with np.errstate(invalid="ignore"):
        measures = numerators / denominators
    agreement = np.isin(OVERLAP_MEASURES, ["dice", "iou"])
    measures[(denominators == 0) & agreement] = 1.0
    # without a single pixel (no case at all) nothing agrees with anything
    measures[denominators[..., OVERLAP_MEASURES.index("accuracy")] == 0] = np.nan
    return measures
