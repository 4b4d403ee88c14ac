"""Scores of a row as tallies, and the intervals of these, of their differences and contrasts, over units."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.scoring.bootstrap import ClusterBootstrap, effective_number
from covid_monai.scoring.intervals import Range, interval
from covid_monai.scoring.measures import MEASURES
from covid_monai.scoring.overlap import COUNTS, OVERLAP_MEASURES
from covid_monai.scoring.thresholds import THRESHOLDS
from covid_monai.tables.tally import CurveTally, Tally

WITH_LESION = "_with_lesion"


def tally(rows: pd.DataFrame, measure: str, averaging: str, classes: Sequence[str]) -> Tally:
    """The tally of scored rows.

    Args:
        rows: of one row of a table under one protocol, as :class:`covid_monai.tables.results.Results` has them.
        measure: of the scores.
        averaging: a level of the scores.
        classes: one class; or several, whose mean is taken: for ``pooled`` over the classes in the reference, else
            within each slice or volume over the classes that have a value there.
    """
    level = "slice" if averaging == "pooled" else averaging.removesuffix(WITH_LESION)
    own = rows[(rows["level"] == level) & rows["class"].isin(classes)]
    jobs, place_of_job = _jobs_of(own)
    # a volume can be in the test subsets of several folds, some of its slices in each
    keys = pd.MultiIndex.from_frame(own[["fold", "case", "volume"]])
    places, items = pd.factorize(keys)
    units = np.empty(len(items), dtype=object)
    units[places] = own["unit"].to_numpy()
    sources = _sources(own, places, len(items))
    at = places, place_of_job
    if averaging == "pooled":
        present = [name for name in classes if own.loc[own["class"] == name, ["tp", "fn"]].to_numpy().any()]
        order = {name: place for place, name in enumerate(present if len(classes) > 1 else classes)}
        kept = own["class"].isin(order).to_numpy()
        parts = np.zeros((len(items), len(jobs), len(order), len(COUNTS)))
        of_class = own["class"].map(order)[kept].to_numpy(dtype=np.intp)
        np.add.at(parts, (at[0][kept], at[1][kept], of_class), own.loc[kept, list(COUNTS)].to_numpy(dtype=np.float64))
        return Tally(parts, units, OVERLAP_MEASURES.index(measure), jobs, sources)
    values = own[measure].to_numpy(dtype=np.float64)
    used = np.isfinite(values)
    if averaging.endswith(WITH_LESION):
        used &= (own["tp"] + own["fn"]).to_numpy() > 0
    sums, numbers = (np.zeros((len(items), len(jobs))) for _ in range(2))
    np.add.at(sums, at, np.where(used, values, 0))
    np.add.at(numbers, at, used)
    # of several classes the mean, so that every slice counts once
    means = np.divide(sums, numbers, out=np.zeros_like(sums), where=numbers > 0)
    parts = np.stack([means, numbers > 0], axis=-1)[:, :, None]
    return Tally(parts, units, None, jobs, sources, MEASURES[measure].highest if measure in MEASURES else 1.0)


def rate_tally(curves: pd.DataFrame, rate: str) -> Tally:
    """The tally of one of :data:`covid_monai.scoring.thresholds.RATES`, which slices have as means over thresholds."""
    kept = [name for name in ("fold", "seed", "case", "unit", "source", rate) if name in curves]
    rows = curves[kept].assign(**{"level": "slice", "class": "", "volume": ""})
    return tally(rows, rate, "slice", [""])


def _jobs_of(rows: pd.DataFrame) -> tuple[list[tuple[int, int]], NDArray[np.intp]]:
    """The fold and seed of every job, and the place of each row's job among them."""
    keys = pd.MultiIndex.from_frame(rows[["fold", "seed"]])
    places, jobs = pd.factorize(keys, sort=True)
    return [(int(fold), int(seed)) for fold, seed in jobs], places.astype(np.intp)


def _sources(rows: pd.DataFrame, places: NDArray[np.intp], items: int) -> NDArray[np.object_] | None:
    """The source of each item, whose ``places`` the rows have; None where it is not known."""
    if "source" not in rows:
        return None
    sources = np.empty(items, dtype=object)
    sources[places] = rows["source"].fillna("").to_numpy()
    return sources


def interval_of(tallied: Tally) -> tuple[float, float] | None:
    """The measure's 95 % interval over units (:mod:`covid_monai.scoring.intervals`); None where there is none."""
    return interval_of_contrast([tallied], [1.0])


def interval_of_difference(first: Tally, second: Tally) -> tuple[float, float] | None:
    """That of ``first`` minus ``second``: the same units are drawn for both, whether or not their cases are the same.

    None where one of the two has too few units, or all units agree.
    """
    return interval_of_contrast([first, second], [1.0, -1.0])


def interval_of_contrast(tallies: Sequence[Tally], factors: Sequence[float]) -> tuple[float, float] | None:
    """That of the sum of ``tallies``, each multiplied with its factor; the same units are drawn for all."""
    contrast = _Contrast.of(tallies, factors)
    sources = _sources_of_units(tallies)
    bootstrap = _bootstrap(tuple(sources), tuple(sources.values()))
    return interval(contrast, bootstrap, _range_of(tallies, factors))


def effective_units(*tallies: Tally) -> float:
    """Kish's effective number of the units that a measure comes from, or a difference of several."""
    return effective_number(_Contrast.of(tallies, [1.0] * len(tallies)).contributions)


@dataclass(frozen=True)
class _Contrast:
    """A :class:`covid_monai.scoring.intervals.Statistic` of several tallies, whose ``sums`` are (units, ...)."""

    tallies: Sequence[Tally]
    factors: Sequence[float]
    sums: Sequence[NDArray[np.float64]]
    contributions: NDArray[np.float64]

    @classmethod
    def of(cls, tallies: Sequence[Tally], factors: Sequence[float]) -> "_Contrast":
        places = {unit: place for place, unit in enumerate(_sources_of_units(tallies))}
        contributions, sums = np.zeros(len(places)), []
        for each, factor in zip(tallies, factors, strict=True):
            index = np.array([places[unit] for unit in each.units], dtype=np.intp)
            of_units = np.zeros((len(places), *each.parts.shape[1:]))
            np.add.at(of_units, index, each.parts)
            sums.append(of_units)
            np.add.at(contributions, index, abs(factor) * each.contributions())
        return cls(tallies, factors, sums, contributions)

    @property
    def clusters(self) -> int:
        return min(each.contributing_units() for each in self.tallies)

    def drawn(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values, influences = np.zeros(len(weights)), np.zeros(weights.shape)
        for each, factor, of_units in zip(self.tallies, self.factors, self.sums, strict=True):
            flat = of_units.reshape(len(of_units), -1)
            sums = (weights @ flat).reshape(-1, *of_units.shape[1:])
            values += factor * each.of(sums)
            influences += factor * (each.gradient(sums).reshape(len(weights), -1) @ flat.T)
        return values, influences


def _sources_of_units(tallies: Sequence[Tally]) -> dict[str, str]:
    """The source of each unit, that of its first case; sorted, so that equal units are drawn alike."""
    sources: dict[str, str] = {}
    for each in tallies:
        of_cases = each.sources if each.sources is not None else [""] * len(each.units)
        for unit, source in zip(each.units, of_cases, strict=True):
            sources.setdefault(unit, source)
    return dict(sorted(sources.items()))


@lru_cache(maxsize=8)
def _bootstrap(units: tuple[str, ...], sources: tuple[str, ...]) -> ClusterBootstrap:
    return ClusterBootstrap(units, strata=sources)


def _range_of(tallies: Sequence[Tally], factors: Sequence[float]) -> Range:
    low, high = 0.0, 0.0
    for each, factor in zip(tallies, factors, strict=True):
        low, high = (low, high + factor * each.highest) if factor > 0 else (low + factor * each.highest, high)
    return Range(low, high)


CURVE = [str(place) for place in range(len(THRESHOLDS))]
"""Columns of slice_thresholds.csv: Dice at threshold i/255."""


def curve_tally(curves: pd.DataFrame, best: bool) -> CurveTally:
    """The tally of slices' curves.

    Args:
        curves: of one row of a table under one protocol, as :class:`covid_monai.tables.results.Results` has them.
        best: whether it is Dice at the best threshold, or the mean over all.
    """
    jobs, place_of_job = _jobs_of(curves)
    places, items = pd.factorize(pd.MultiIndex.from_frame(curves[["fold", "case"]]))
    units = np.empty(len(items), dtype=object)
    units[places] = curves["unit"].to_numpy()
    dice = curves[CURVE].to_numpy(dtype=np.float64)
    # the mean needs no single threshold
    values = np.column_stack([dice if best else dice.mean(axis=1), np.ones(len(curves))])
    parts = np.zeros((len(items), len(jobs), 1, values.shape[1]))
    # slices of a volume that is one case add up
    np.add.at(parts[:, :, 0], (places, place_of_job), values)
    return CurveTally(parts, units, None, jobs, _sources(curves, places, len(items)), best=best)
