"""A measure of many cases as sums over cases, and how it moves with each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from covid_monai.scoring.overlap import COUNTS, overlap_measures, overlap_ratios


@dataclass(frozen=True)
class Tally:
    """A measure of some cases, of one or several jobs (a seed on a fold), averaged within folds and then over them.

    Attributes:
        parts: (cases, jobs, classes, width): counts of pixels (width 4) where the measure is ``pooled``, else the
            sum of the case's values and their number (width 2); zeros where a job did not score a case.
        units: (cases,), the unit that each is of.
        pooled: the index of the measure in ``OVERLAP_MEASURES``; None for a mean of values.
        jobs: the fold and the seed of each job.
        sources: (cases,), the collection that each is of; None where no source is known.
        highest: the upper end of the measure, whose lower one is 0.
    """

    parts: NDArray[np.float64]
    units: NDArray[np.object_]
    pooled: int | None
    jobs: Sequence[tuple[int, int]]
    sources: NDArray[np.object_] | None = None
    highest: float = 1.0

    def value(self) -> float:
        """The measure of all cases, 0..1; NaN where it is undefined."""
        return float(self.of(self.parts.sum(axis=0)))

    def of(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The measure of sums of ``parts`` (..., jobs, classes, width): the seeds of a fold averaged, then the folds.

        A fold weighs as much as it has pixels (pooled) or cases with a value, so that the mean over slices is what it
        is called, and a fold with more seeds weighs no more than another.
        """
        return self._averaged(*self.of_jobs(sums))[0]

    def _averaged(
        self, per_job: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The mean (...) of the measure of each job (..., jobs), and its derivatives to these and to their weights."""
        folds = np.array([fold for fold, _ in self.jobs])
        of_fold = (folds[:, None] == np.unique(folds)).astype(np.float64)
        defined = np.isfinite(per_job)
        number = np.maximum(defined @ of_fold, 1)
        weight = np.where(defined, weights, 0) @ of_fold / number
        within = np.where(defined, per_job, 0) @ of_fold / number
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = weight / weight.sum(axis=-1, keepdims=True)
            mean = (shares * within).sum(axis=-1)
            moves = (within - mean[..., None]) / weight.sum(axis=-1, keepdims=True)
        return mean, defined * (shares / number @ of_fold.T), defined * (moves / number @ of_fold.T)

    def gradient(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The derivatives of :meth:`of` to each of the ``sums`` (..., jobs, classes, width), in their shape."""
        _, of_values, of_weights = self._averaged(*self.of_jobs(sums))
        numerators, denominators = self.ratio(sums)
        values = self._counted(sums)
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes = (numerators - values[..., None] * denominators) / (sums @ denominators)[..., None]
        known = np.isfinite(values)
        of_classes = of_values[..., None] * known / np.maximum(known.sum(axis=-1, keepdims=True), 1)
        gradient = np.where(np.isfinite(slopes), of_classes[..., None] * slopes, 0.0)
        # a job weighs by its pixels or, a mean, by its number of values
        weighed = np.ones(sums.shape[-1]) if self.pooled is not None else denominators
        gradient[..., 0, :] += of_weights[..., None] * weighed
        return gradient

    def contributions(self) -> NDArray[np.float64]:
        """What each case adds to the value, (cases,): its shares of the denominators."""
        sums = self.parts.sum(axis=0)
        of_values = self._averaged(*self.of_jobs(sums))[1]
        denominators = self.ratio(sums)[1]
        known = np.isfinite(self._counted(sums))
        of_classes = of_values[..., None] * known / np.maximum(known.sum(axis=-1, keepdims=True), 1)
        totals = sums @ denominators
        shares: NDArray[np.float64] = np.divide(of_classes, totals, out=np.zeros_like(totals), where=totals > 0)
        return np.einsum("ijc,jc->i", self.parts @ denominators, shares)

    def ratio(self, sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What of ``sums`` (..., width) is added up above and below: factors (..., width) and (width,)."""
        if self.pooled is None:
            return np.array([1.0, 0.0]), np.array([0.0, 1.0])
        numerators, denominators = overlap_ratios(np.eye(len(COUNTS)))
        return numerators[:, self.pooled], denominators[:, self.pooled]

    def of_jobs(self, sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(..., jobs): the measure of each job, and its weight; several pooled classes are those in its reference."""
        values = self._counted(sums)
        if self.pooled is None:
            return values[..., 0], sums[..., 0, -1]
        known = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            mean = np.where(known, values, 0).sum(axis=-1) / known.sum(axis=-1)
        return mean, sums[..., 0, :].sum(axis=-1)

    def _counted(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The measure of each job and class; NaN of one of several pooled classes that the reference lacks."""
        values = self.per_class(sums)
        if self.pooled is None or values.shape[-1] == 1:
            return values
        return np.where(sums[..., 0] + sums[..., 2] > 0, values, np.nan)

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


@dataclass(frozen=True)
class CurveTally(Tally):
    """A :class:`Tally` whose parts are the Dice at each threshold (or its mean) and, last, the number of slices.

    ``best`` takes the highest point of a job's averaged curve, chosen anew for every resample; else it is the mean over
    the thresholds.
    """

    best: bool = False

    def per_class(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The measure of sums of ``parts`` (..., width)."""
        with np.errstate(invalid="ignore"):
            curve = sums[..., :-1] / sums[..., -1:]
        return cast("NDArray[np.float64]", curve.max(axis=-1) if self.best else curve.mean(axis=-1))

    def ratio(self, sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What of ``sums`` (..., width) is added up above and below: factors (..., width) and (width,)."""
        width = sums.shape[-1]
        number = np.eye(width)[-1]
        if self.best:
            return np.eye(width)[sums[..., :-1].argmax(axis=-1)], number
        return (1 - number) / (width - 1), number
