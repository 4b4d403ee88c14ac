"""The rows of a table held against the paper: from their tallies to differences and verdicts."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from covid_monai.tables.results import Results
from covid_monai.tables.table import FULL, Measure, Row
from covid_monai.tables.tallies import CurveTally, Tally
from covid_monai.tables.verdict import (
    LOGARITHMIC,
    Difference,
    SeedSpread,
    SlicesTested,
    Verdict,
    difference_of,
    judge,
    on_scale,
    pooled_seed_spread,
    sd_of_drawn_parts,
)


@dataclass(frozen=True)
class RowJudge:
    """Judges the rows of one measure under one protocol; ``tallies`` are by the row's slug, all rows with jobs.

    ``not_comparable`` says why the measure cannot be held against the paper's, None where it can; ``no_verdict`` why
    nothing of the table can be judged, empty where it can.
    """

    results: Results
    measure: Measure
    protocol: str
    tallies: Mapping[str, Tally | None]
    not_comparable: str | None
    no_verdict: str

    def of(self, row: Row, value: float) -> tuple[Difference | None, Verdict]:
        """The difference of ``value`` (0..1) to the paper's, at scale 1, and the verdict."""
        published, tallied = row.paper.get(self.measure.name), self.tallies[row.slug]
        if published is None or tallied is None or not math.isfinite(value):
            return None, Verdict("")
        if self.not_comparable is not None:
            return None, Verdict("not comparable", self.not_comparable)
        difference = self._difference(tallied, value, published / self.measure.scale)
        judging = self.results.table.judging
        margin = judging.margin_of(self.measure.name, self.measure.scale) if judging else None
        if (reason := why_no_verdict(self.results, self.protocol, [row], self.no_verdict)) or margin is None:
            return difference, Verdict("no verdict", reason or "the table has no margin for it")
        return difference, judge(self.measure.name, difference, margin)

    def _difference(self, tallied: Tally, value: float, published: float) -> Difference:
        judging, name = self.results.table.judging, self.measure.name
        half_unit = self.results.table.half_unit(name) / self.measure.scale
        ours = contributing_cases(tallied)
        parts = SlicesTested(judging.slices, judging.tested, ours) if judging else SlicesTested(ours, ours, ours)
        sd = sd_over_slices(tallied, name, parts.published) if judging else float("nan")
        seeds = seeds_of_every_fold(tallied)
        return difference_of(name, value, published, half_unit, sd, parts, self._spread, seeds)

    @cached_property
    def _spread(self) -> SeedSpread:
        of_rows = [
            seeds_on_same_cases(tallied, lambda value: on_scale(self.measure.name, value))
            for tallied in self.tallies.values()
        ]
        return pooled_seed_spread(of_rows)


def why_no_verdict(results: Results, protocol: str, rows: Iterable[Row], classes: str) -> str:
    """Why rows have no verdict: settings, classes or budget are not the paper's own; empty where they are.

    Args:
        results: of an output folder.
        protocol: whose jobs are judged.
        rows: those that are judged together.
        classes: which of the paper's classes the data lack, empty where none.
    """
    if results.budget != FULL:
        return f"budget {results.budget}"
    if variants := [row.variant for row in rows if row.variant]:
        return f"variant {variants[0]}"
    return f"protocol {protocol}" if protocol != "paper" else classes


def seeds_on_same_cases(tallied: Tally | None, scale: Callable[[float], float]) -> list[float]:
    """What each seed gives on the folds that all seeds have, on a ``scale``; empty without a second seed."""
    if tallied is None:
        return []
    values = tallied.by_job()
    seeds = sorted({seed for _, seed in values})
    folds = [
        fold
        for fold in sorted({fold for fold, _ in values})
        if all(math.isfinite(values.get((fold, seed), math.nan)) for seed in seeds)
    ]
    if len(seeds) < 2 or not folds:
        return []
    weights = dict(zip(tallied.jobs, tallied.of_jobs(tallied.parts.sum(axis=0))[1].tolist(), strict=True))
    return [
        scale(
            float(np.average([values[fold, seed] for fold in folds], weights=[weights[fold, seed] for fold in folds]))
        )
        for seed in seeds
    ]


def seeds_of_every_fold(tallied: Tally) -> int:
    """k: the seeds that every fold has at the least."""
    folds = [fold for fold, _ in tallied.jobs]
    return min(folds.count(fold) for fold in set(folds))


def contributing_cases(tallied: Tally) -> int:
    """n_o: the cases with a value; of pooled measures all that were tested."""
    parts = tallied.per_case()
    used = parts.any(axis=(1, 2)) if tallied.pooled is not None else (parts[..., -1] > 0).any(axis=1)
    return int(used.sum())


def sd_over_slices(tallied: Tally, measure: str, tested: int) -> float:
    """s of :mod:`covid_monai.tables.verdict`: over the cases, each averaged over its seeds, where it is compared."""
    if tallied.pooled is not None or isinstance(tallied, CurveTally):
        return sd_of_drawn_parts(lambda drawn: _on_scale(measure, tallied.of_parts(drawn)), len(tallied.units), tested)
    parts = tallied.per_case()[:, 0]
    values = parts[parts[:, 1] > 0][:, 0] / parts[parts[:, 1] > 0][:, 1]
    if len(values) < 2:
        return float("nan")
    sd = float(values.std(ddof=1))
    # the slope of ln(1 - x) at the mean
    return sd / (1 - float(values.mean())) if measure in LOGARITHMIC and values.mean() < 1 else sd


def _on_scale(measure: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if measure not in LOGARITHMIC:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(1 - values)
