"""Measures and threshold curves of many cases as sums over cases, so that resampling needs the sums alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.scoring.bootstrap import FEWEST_CLUSTERS, ClusterBootstrap
from covid_monai.scoring.overlap import COUNTS, OVERLAP_MEASURES, overlap_measures, overlap_ratios
from covid_monai.scoring.thresholds import THRESHOLDS

WITH_LESION = "_with_lesion"


@dataclass(frozen=True)
class Tally:
    """A measure of some cases, of one or several jobs (a seed on a fold), averaged within folds and then over them.

    Attributes:
        parts: (cases, jobs, classes, width): counts of pixels (width 4) where the measure is ``pooled``, else the
            sum of the case's values and their number (width 2); zeros where a job did not score a case.
        units: (cases,), the unit that each is of.
        pooled: the index of the measure in ``OVERLAP_MEASURES``; None for a mean of values.
        jobs: the fold and the seed of each job.
    """

    parts: NDArray[np.float64]
    units: NDArray[np.object_]
    pooled: int | None
    jobs: Sequence[tuple[int, int]]

    def value(self) -> float:
        """The measure of all cases, 0..1; NaN where it is undefined."""
        return float(self.of(self.parts.sum(axis=0)))

    def of(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The measure of sums of ``parts`` (..., jobs, classes, width): the seeds of a fold averaged, then the folds.

        A fold weighs as much as it has pixels (pooled) or cases with a value, so that the mean over slices is what it
        is called, and a fold with more seeds weighs no more than another.
        """
        per_job, weights = self.of_jobs(sums)
        defined = np.isfinite(per_job)
        folds = np.array([fold for fold, _ in self.jobs])
        value, total = np.zeros(per_job.shape[:-1]), np.zeros(per_job.shape[:-1])
        for fold in np.unique(folds):
            own = folds == fold
            number = np.maximum(defined[..., own].sum(axis=-1), 1)
            weight = np.where(defined, weights, 0)[..., own].sum(axis=-1) / number
            value += weight * np.where(defined, per_job, 0)[..., own].sum(axis=-1) / number
            total += weight
        with np.errstate(invalid="ignore"):
            mean: NDArray[np.float64] = value / total
        return mean

    def of_jobs(self, sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(..., jobs): the measure of each job, and its weight; several pooled classes are those in its reference."""
        values = self.per_class(sums)
        if self.pooled is None:
            return values[..., 0], sums[..., 0, -1]
        if values.shape[-1] > 1:
            values = np.where(sums[..., 0] + sums[..., 2] > 0, values, np.nan)
        known = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            mean = np.where(known, values, 0).sum(axis=-1) / known.sum(axis=-1)
        return mean, sums[..., 0, :].sum(axis=-1)

    def by_job(self) -> dict[tuple[int, int], float]:
        """The measure of each job's own cases, by its fold and seed; NaN where it is undefined."""
        return dict(zip(self.jobs, self.of_jobs(self.parts.sum(axis=0))[0].tolist(), strict=True))

    def per_case(self) -> NDArray[np.float64]:
        """``parts`` averaged over the jobs that scored each case, (cases, classes, width)."""
        scored = np.maximum(self.parts.any(axis=(2, 3)).sum(axis=1), 1)
        averaged: NDArray[np.float64] = self.parts.sum(axis=1) / scored[:, None, None]
        return averaged

    def of_parts(self, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        """The measure (draws,) of test parts (draws, cases) of 0 and 1, whatever fold each case was tested in."""
        averaged = self.per_case()
        sums = (drawn @ averaged.reshape(len(averaged), -1)).reshape(-1, 1, *averaged.shape[1:])
        return self.of_jobs(sums)[0][..., 0]

    def per_class(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The measure of sums of ``parts`` (..., width)."""
        if self.pooled is not None:
            return overlap_measures(sums)[..., self.pooled]
        with np.errstate(invalid="ignore"):
            return sums[..., 0] / sums[..., 1]

    def contributing_units(self) -> int:
        """How many units have a value; of several classes the fewest of one."""
        weights = self.parts[..., -1] if self.pooled is None else overlap_ratios(self.parts)[1][..., self.pooled]
        of_classes = (weights[:, :, place].any(axis=1) for place in range(weights.shape[2]))
        return min((len(np.unique(self.units[cases])) for cases in of_classes), default=0)


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
    at = places, place_of_job
    if averaging == "pooled":
        present = [name for name in classes if own.loc[own["class"] == name, ["tp", "fn"]].to_numpy().any()]
        order = {name: place for place, name in enumerate(present if len(classes) > 1 else classes)}
        kept = own["class"].isin(order).to_numpy()
        parts = np.zeros((len(items), len(jobs), len(order), len(COUNTS)))
        of_class = own["class"].map(order)[kept].to_numpy(dtype=np.intp)
        np.add.at(parts, (at[0][kept], at[1][kept], of_class), own.loc[kept, list(COUNTS)].to_numpy(dtype=np.float64))
        return Tally(parts, units, OVERLAP_MEASURES.index(measure), jobs)
    values = own[measure].to_numpy(dtype=np.float64)
    used = np.isfinite(values)
    if averaging.endswith(WITH_LESION):
        used &= (own["tp"] + own["fn"]).to_numpy() > 0
    sums, numbers = (np.zeros((len(items), len(jobs))) for _ in range(2))
    np.add.at(sums, at, np.where(used, values, 0))
    np.add.at(numbers, at, used)
    # of several classes the mean, so that every slice counts once
    means = np.divide(sums, numbers, out=np.zeros_like(sums), where=numbers > 0)
    return Tally(np.stack([means, numbers > 0], axis=-1)[:, :, None], units, None, jobs)


def rate_tally(curves: pd.DataFrame, rate: str) -> Tally:
    """The tally of one of :data:`covid_monai.scoring.thresholds.RATES`, which slices have as means over thresholds."""
    rows = curves[["fold", "seed", "case", "unit", rate]].assign(**{"level": "slice", "class": "", "volume": ""})
    return tally(rows, rate, "slice", [""])


def _jobs_of(rows: pd.DataFrame) -> tuple[list[tuple[int, int]], NDArray[np.intp]]:
    """The fold and seed of every job, and the place of each row's job among them."""
    keys = pd.MultiIndex.from_frame(rows[["fold", "seed"]])
    places, jobs = pd.factorize(keys, sort=True)
    return [(int(fold), int(seed)) for fold, seed in jobs], places.astype(np.intp)


def interval_of(tallied: Tally) -> tuple[float, float] | None:
    """The measure's 95 % bootstrap interval over units; None with too few of them."""
    if tallied.contributing_units() < FEWEST_CLUSTERS:
        return None
    bootstrap, (draws,) = _draws([tallied])
    return bootstrap.interval(draws)


def interval_of_difference(first: Tally, second: Tally) -> tuple[float, float] | None:
    """That of ``first`` minus ``second``: the same units are drawn for both, whether or not their cases are the same.

    None where one of the two has too few units.
    """
    return interval_of_contrast([first, second], [1.0, -1.0])


def interval_of_contrast(tallies: Sequence[Tally], factors: Sequence[float]) -> tuple[float, float] | None:
    """That of the sum of ``tallies``, each multiplied with its factor; the same units are drawn for all."""
    if min(each.contributing_units() for each in tallies) < FEWEST_CLUSTERS:
        return None
    bootstrap, draws = _draws(tallies)
    return bootstrap.interval(np.asarray(factors) @ np.stack(draws))


def _draws(tallies: Sequence[Tally]) -> tuple[ClusterBootstrap, list[NDArray[np.float64]]]:
    """The measures (resamples,) when units of all tallies together are drawn."""
    bootstrap = ClusterBootstrap(np.concatenate([each.units for each in tallies]))
    widths = [each.parts[0].size for each in tallies]
    columns = np.zeros((len(bootstrap.index), sum(widths)))
    row = column = 0
    for each, width in zip(tallies, widths, strict=True):
        # each has columns of its own, and zeros in those of the others
        columns[row : row + len(each.parts), column : column + width] = each.parts.reshape(len(each.parts), -1)
        row, column = row + len(each.parts), column + width
    drawn = np.split(bootstrap.sums(columns), np.cumsum(widths)[:-1], axis=1)
    return bootstrap, [
        each.of(sums.reshape(-1, *each.parts.shape[1:])) for each, sums in zip(tallies, drawn, strict=True)
    ]


CURVE = [str(place) for place in range(len(THRESHOLDS))]
"""Columns of slice_thresholds.csv: Dice at threshold i/255."""


@dataclass(frozen=True)
class CurveTally(Tally):
    """A :class:`Tally` whose parts are the Dice at each threshold and, last, the number of slices.

    ``best`` takes the highest point of a job's averaged curve, chosen anew for every resample; else it is the mean over
    the thresholds.
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
        curves: of one row of a table under one protocol, as :class:`covid_monai.tables.results.Results` has them.
        best: whether it is Dice at the best threshold, or the mean over all.
    """
    jobs, place_of_job = _jobs_of(curves)
    places, items = pd.factorize(pd.MultiIndex.from_frame(curves[["fold", "case"]]))
    units = np.empty(len(items), dtype=object)
    units[places] = curves["unit"].to_numpy()
    parts = np.zeros((len(items), len(jobs), 1, len(CURVE) + 1))
    values = np.column_stack([curves[CURVE].to_numpy(dtype=np.float64), np.ones(len(curves))])
    # slices of a volume that is one case add up
    np.add.at(parts[:, :, 0], (places, place_of_job), values)
    return CurveTally(parts, units, None, jobs, best)
