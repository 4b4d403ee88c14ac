"""Rows of measures, averaged: per slice, pooled and per volume, with intervals and what was left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.errors import InputError, did_you_mean
from covid_monai.scoring.bootstrap import ClusterBootstrap, cluster_unit, effective_number
from covid_monai.scoring.intervals import Range, Ratios, described, interval, mean_of
from covid_monai.scoring.measures import MEASURES
from covid_monai.scoring.overlap import (
    COUNTS,
    EMPTY_KINDS,
    EMPTY_MASK_RULE,
    OVERLAP_MEASURES,
    overlap_measures,
    overlap_ratios,
)
from covid_monai.scoring.surface import HD95_DEFINITION, SURFACE_DICE_DEFINITION
from covid_monai.scoring.thresholds import NamedCurve, curve_table, slice_table, summarise_curves

ANY_LESION = "any lesion"
CLASS_MEAN = "mean of classes"

LEVELS = {
    "slice": "measured on each slice, then averaged over the slices",
    "slice_with_lesion": "as slice, over the slices whose reference has the class",
    "pooled": "the pixels of all slices counted together, one measure of the counts",
    "volume": "measured on each volume (its slices' counts added up, 3-D surfaces), then averaged over the volumes",
    "volume_with_lesion": "as volume, over the volumes whose reference has the class",
}

_UNDEFINED_RATIO = {"specificity": "no background pixel in the reference"}


@dataclass(frozen=True)
class Summary:
    """The content of ``scores.csv`` (rows), ``scores.json`` (content), ``thresholds.csv`` (curve) and
    ``slice_thresholds.csv`` (slice_curves).
    """

    rows: pd.DataFrame
    content: dict[str, Any]
    curve: pd.DataFrame | None
    slice_curves: pd.DataFrame | None

    def value(self, measure: str, *, level: str = "pooled", lesion_class: str | None = None) -> float:
        """The mean (or pooled measure) of a class; NaN where it is undefined.

        Args:
            measure: one of ``MEASURES``; where the level is pooled, not one of surfaces.
            level: one of ``LEVELS``.
            lesion_class: its name; all lesion classes as one if None.

        Raises:
            InputError: there is no such level, class or measure.
        """
        value = self._found(measure, level, lesion_class)["value"]
        return np.nan if value is None else float(value)

    def interval(
        self, measure: str, *, level: str = "pooled", lesion_class: str | None = None
    ) -> tuple[float, float] | None:
        """The 95 % interval of :meth:`value` (:mod:`covid_monai.scoring.intervals`); None where there is none."""
        interval = self._found(measure, level, lesion_class)["interval"]
        return (float(interval[0]), float(interval[1])) if interval else None

    def _found(self, measure: str, level: str, lesion_class: str | None) -> dict[str, Any]:
        found: Any = self.content["levels"]
        classes_as_one = str(self.content["classes"][-1])
        for what, name, within in (
            ("level", level, "classes"),
            ("class", lesion_class or classes_as_one, "measures"),
            ("measure", measure, ""),
        ):
            if name not in found:
                known = list(found)
                near = did_you_mean(name, known)
                raise InputError(f"the scores have no {what} {name!r}{near}; they have {', '.join(known) or 'none'}")
            found = found[name][within] if within else found[name]
        return dict(found)


@dataclass(frozen=True)
class _Estimate:
    """One measure's value, as sums over clusters, and what went into it."""

    value: float
    statistic: Ratios
    used: int
    left_out: dict[str, int]


def summarise(
    rows: pd.DataFrame, classes: Sequence[str], curves: Sequence[NamedCurve], tolerance_mm: float, seed: int
) -> Summary:
    """Average ``rows`` (one per slice and class, and per volume and class) into a summary.

    ``classes`` are the lesion classes in order, their union last where there are several.
    """
    slices = rows[rows["level"] == "slice"]
    volumes = rows[rows["level"] == "volume"]
    levels = {
        "slice": _level("slice", slices, classes, seed, _means),
        "slice_with_lesion": _level("slice_with_lesion", slices, classes, seed, _means_with_lesion),
        "pooled": _level("pooled", slices, classes, seed, _pooled),
    }
    if len(volumes):
        levels["volume"] = _level("volume", volumes, classes, seed, _means)
        levels["volume_with_lesion"] = _level("volume_with_lesion", volumes, classes, seed, _means_with_lesion)
    first = slices[slices["class"] == classes[-1]]
    content = {
        "format": "covid-monai scores",
        "version": 1,
        "classes": list(classes),
        "cases": int(first["case"].nunique()),
        "slices": len(first),
        "volumes": int(first.loc[first["volume"] != "", "volume"].nunique()),
        "patients": int(first.loc[first["patient"] != "", "patient"].nunique()),
        "slices_without_patient": int((first["patient"] == "").sum()),
        "empty_mask_rule": EMPTY_MASK_RULE,
        "surface_measures": {
            "tolerance_mm": tolerance_mm,
            "hd95_mm": HD95_DEFINITION,
            "surface_dice": SURFACE_DICE_DEFINITION,
        },
        "bootstrap": described(seed),
        "levels": levels,
        "thresholds": summarise_curves(curves, seed) if curves else None,
    }
    return Summary(
        rows=rows,
        content=content,
        curve=curve_table(curves) if curves else None,
        slice_curves=slice_table(curves) if curves else None,
    )


def _level(
    name: str,
    rows: pd.DataFrame,
    classes: Sequence[str],
    seed: int,
    estimate: Callable[[pd.DataFrame, ClusterBootstrap], dict[str, _Estimate]],
) -> dict[str, Any]:
    first = rows[rows["class"] == classes[0]]
    unit = cluster_unit(list(first["patient"]), list(first["volume"]))
    bootstrap = ClusterBootstrap(first[unit], strata=first["source"], seed=seed)
    scored: dict[str, Any] = {}
    estimates: dict[str, dict[str, _Estimate]] = {}
    for lesion_class in classes:
        own = rows[rows["class"] == lesion_class]
        estimates[lesion_class] = estimate(own, bootstrap)
        counted = own[own["tp"] + own["fn"] > 0] if name.endswith("_with_lesion") else own
        scored[lesion_class] = {
            "rows": len(counted),
            "empty": {kind: int((counted["empty"] == kind).sum()) for kind in EMPTY_KINDS},
            "measures": {
                measure: _as_json(found, measure, bootstrap) for measure, found in estimates[lesion_class].items()
            },
        }
    if len(classes) > 1:
        present = [name for name in classes[:-1] if rows.loc[rows["class"] == name, ["tp", "fn"]].to_numpy().any()]
        scored[CLASS_MEAN] = {
            "classes": present,
            "measures": _class_mean([estimates[present_class] for present_class in present], bootstrap),
        }
    return {
        "averaging": LEVELS[name],
        "unit": unit,
        "clusters": bootstrap.count,
        "strata": bootstrap.strata,
        "classes": scored,
    }


def _means(rows: pd.DataFrame, bootstrap: ClusterBootstrap) -> dict[str, _Estimate]:
    return _means_of(rows, np.ones(len(rows), dtype=bool), bootstrap)


def _means_with_lesion(rows: pd.DataFrame, bootstrap: ClusterBootstrap) -> dict[str, _Estimate]:
    return _means_of(rows, (rows["tp"] + rows["fn"]).to_numpy() > 0, bootstrap)


def _means_of(rows: pd.DataFrame, included: NDArray[np.bool_], bootstrap: ClusterBootstrap) -> dict[str, _Estimate]:
    """Means over the included rows; resamples draw among all clusters, so that the classes share them."""
    values = rows[list(MEASURES)].to_numpy(dtype=np.float64)
    defined = np.isfinite(values) & included[:, None]
    sums, numbers = bootstrap.totals(np.where(defined, values, 0.0)), bootstrap.totals(defined)
    with np.errstate(invalid="ignore"):
        means = sums.sum(axis=0) / numbers.sum(axis=0)
    return {
        measure: _Estimate(
            value=float(means[column]),
            statistic=Ratios(sums[:, [column]], numbers[:, [column]]),
            used=int(defined[:, column].sum()),
            left_out=_reasons(rows[included & ~defined[:, column]], measure),
        )
        for column, measure in enumerate(MEASURES)
    }


def _pooled(rows: pd.DataFrame, bootstrap: ClusterBootstrap) -> dict[str, _Estimate]:
    counts = bootstrap.totals(rows[list(COUNTS)])
    values = overlap_measures(counts.sum(axis=0))
    numerators, denominators = overlap_ratios(counts)
    return {
        measure: _Estimate(
            value=float(values[column]),
            statistic=Ratios(numerators[:, [column]], denominators[:, [column]]),
            used=len(rows),
            left_out={},
        )
        for column, measure in enumerate(OVERLAP_MEASURES)
    }


def _reasons(rows: pd.DataFrame, measure: str) -> dict[str, int]:
    """Why ``measure`` is undefined in ``rows``, counted."""
    why = rows["empty"]
    if MEASURES[measure].of_surfaces:
        why = rows["no_surface"].where(rows["no_surface"] != "", why)
    elif measure in _UNDEFINED_RATIO:
        why = pd.Series(_UNDEFINED_RATIO[measure], index=rows.index)
    return {str(reason): int(number) for reason, number in why.value_counts().items()}


def _class_mean(estimates: Sequence[dict[str, _Estimate]], bootstrap: ClusterBootstrap) -> dict[str, Any]:
    """The unweighted mean of the classes' values; undefined where one of them is."""
    if not estimates:
        return {}
    means = {}
    for measure in estimates[0]:
        of_classes = [estimate[measure] for estimate in estimates]
        mean = _Estimate(
            value=float(np.mean([estimate.value for estimate in of_classes])),
            statistic=mean_of([estimate.statistic for estimate in of_classes]),
            used=sum(estimate.used for estimate in of_classes),
            left_out=_added([estimate.left_out for estimate in of_classes]),
        )
        means[measure] = _as_json(mean, measure, bootstrap)
    return means


def _added(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    reasons = dict.fromkeys(reason for of_class in counts for reason in of_class)
    return {reason: sum(of_class.get(reason, 0) for of_class in counts) for reason in reasons}


def _as_json(estimate: _Estimate, measure: str, bootstrap: ClusterBootstrap) -> dict[str, Any]:
    defined = np.isfinite(estimate.value)
    found = interval(estimate.statistic, bootstrap, Range(high=MEASURES[measure].highest)) if defined else None
    return {
        "value": estimate.value if defined else None,
        "interval": list(found) if found else None,
        "used": estimate.used,
        "left_out": estimate.left_out,
        "clusters": estimate.statistic.clusters,
        "effective_clusters": round(effective_number(estimate.statistic.contributions), 2),
    }
