"""What the jobs of a row say together: mean, spread, interval, difference to the paper, verdict, optimism."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from covid_monai.scoring.bootstrap import FEWEST_CLUSTERS
from covid_monai.scoring.comparison import Estimate
from covid_monai.scoring.summary import ANY_LESION
from covid_monai.tables.results import Results
from covid_monai.tables.table import CLASS_MEAN, FULL, OVER_THRESHOLDS, Measure, Row, Table
from covid_monai.tables.tallies import Tally, curve_tally, interval_of, interval_of_difference, tally

NO_INTERVAL = "no interval"
POINTS = 0.03
"""How far our mean may be from the paper's value, at scale 1: 3 points."""

VERDICT_RULE = (
    "reproduced: the paper's value lies in our 95 % interval and within 3 points (0.03 at scale 1) of our mean. "
    "higher, lower: it does not, and our mean is above or below it. not comparable: what was measured is not what "
    "the paper measured, for the reason given; no verdict then. Where no interval can be given (fewer than "
    f"{FEWEST_CLUSTERS} units, or a measure that is not known case by case) the 3 points alone decide, and the "
    "verdict says so. no verdict: the budget is a reduced one, so the paper's training was not repeated, wherever "
    "the value falls."
)


@dataclass(frozen=True)
class Verdict:
    """``word`` is one of reproduced, higher, lower, not comparable, no verdict, or "" where the paper has no value."""

    word: str
    reason: str = ""


def verdict(
    paper: float | None,
    mean: float | None,
    interval: tuple[float, float] | None,
    scale: float,
    not_comparable: str | None = None,
    budget: str = FULL,
) -> Verdict:
    """Judge our ``mean`` and its ``interval`` against the paper's value, all in the paper's scale.

    Args:
        paper: the paper's value; None where it has none.
        mean: ours over the jobs; None where it is undefined.
        interval: ours; None where there is none.
        scale: what a measure of 1 is in the paper, such as 100.
        not_comparable: why the two cannot be compared; None where they can.
        budget: of the jobs; a reduced one has no verdict.
    """
    if paper is None or mean is None:
        return Verdict("")
    if not_comparable is not None:
        return Verdict("not comparable", not_comparable)
    if budget != FULL:
        return Verdict("no verdict", f"budget {budget}")
    near = abs(mean - paper) <= POINTS * scale * (1 + 1e-9)
    inside = interval is None or interval[0] <= paper <= interval[1]
    word = "reproduced" if near and inside else "higher" if mean > paper else "lower"
    return Verdict(word, NO_INTERVAL if interval is None else "")


BEST_THRESHOLD = "dice_at_best_threshold"
_THRESHOLD_VALUES = {"dice_mean_over_thresholds": ("mean_over_thresholds", "value"), BEST_THRESHOLD: ("best", "dice")}

STATISTICS_RULE = (
    "Mean ± SD: of the measure in each job's own test part, over folds and seeds. Cross-validated over all folds: the "
    "measure of the test cases of all finished folds at once, averaged over the seeds, with the 95 % percentile "
    "bootstrap interval of whole units (2000 resamples). It tells how much the test cases decide. How much one "
    'training differs from the next stands after "seeds": the SD of the seeds\' means over the folds. Optimism: '
    "the paper's protocol minus the grouped one, both cross-validated over all folds, the same units drawn for both. "
    "It is all that lies between the two: leaks, but also fewer training slices under grouped, whose validation part "
    "is taken from "
    "them (the audit counts them), and other weights where the paper keeps those of the last epoch. Where "
    "not all folds are run, the two are of different test cases for the most part, and the difference between "
    "these is in it; the cases in common are counted. Dice at the best threshold takes one threshold for all "
    "folds, chosen anew for every resample and seed; in a job's value it is the job's own."
)


@dataclass(frozen=True)
class Entry:
    """One measure of one row under one protocol, in the paper's scale; None where there is no value.

    ``jobs`` are finished out of ``planned``; ``sd`` is over all of them, ``sd_of_seeds`` that of the seeds' means over
    the folds that all seeds have. ``units`` have a value. ``difference`` is ``mean`` minus ``paper``, where these can
    be compared.
    """

    protocol: str
    row: Row
    measure: Measure
    paper: float | None
    jobs: int
    planned: int
    mean: float | None
    sd: float | None
    sd_of_seeds: float | None
    together: Estimate | None
    units: int
    difference: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Optimism:
    """How much higher a measure of a row is under the paper's protocol than under the grouped one.

    ``paper_cases`` and ``grouped_cases`` were tested, ``shared_cases`` of them under both: where these are fewer, the
    estimate holds the difference between the test cases too.
    """

    row: Row
    measure: Measure
    estimate: Estimate
    paper_cases: int
    grouped_cases: int
    shared_cases: int

    @property
    def same_cases(self) -> bool:
        """Whether both protocols were tested on the same cases."""
        return self.paper_cases == self.grouped_cases == self.shared_cases


def estimate_entries(results: Results, not_comparable: Mapping[str, str]) -> list[Entry]:
    """An entry for every measure, row and protocol that has finished jobs.

    Args:
        results: of an output folder.
        not_comparable: why a measure (by its name) cannot be held against the paper's, where it cannot.
    """
    return [
        _entry(results, protocol, row, measure, not_comparable.get(measure.name))
        for measure in results.table.measures.values()
        for row in results.table.rows
        for protocol in results.protocols
        if len(results.jobs_of(protocol, row))
    ]


def estimate_optimism(results: Results) -> list[Optimism]:
    """Of every measure and row that has finished jobs under both protocols."""
    if len(results.protocols) < 2:
        return []
    found = []
    for measure in results.table.measures.values():
        for row in results.table.rows:
            if all(len(results.jobs_of(protocol, row)) for protocol in results.protocols):
                estimate = _optimism(results, row, measure)
                if estimate is not None:
                    paper, grouped = (_tested(results, protocol, row) for protocol in ("paper", "grouped"))
                    found.append(Optimism(row, measure, estimate, len(paper), len(grouped), len(paper & grouped)))
    return found


def scored_classes(table: Table, rows: pd.DataFrame) -> list[str]:
    """The class of the table, or all lesion classes where it takes their mean."""
    if table.lesion_class != CLASS_MEAN:
        return [table.lesion_class]
    return [str(name) for name in rows["class"].unique() if name != ANY_LESION]


def is_scored(measure: Measure) -> bool:
    """Whether the scores have the measure; those that are published only need not be among them."""
    from covid_monai.scoring.overlap import OVERLAP_MEASURES
    from covid_monai.scoring.surface import SURFACE_MEASURES

    if measure.averaging == OVER_THRESHOLDS:
        return measure.name in _THRESHOLD_VALUES
    if measure.averaging == "pooled":
        return measure.name in OVERLAP_MEASURES
    return measure.name in (*OVERLAP_MEASURES, *SURFACE_MEASURES)


def job_values(results: Results, protocol: str, row: Row, measure: Measure) -> pd.Series:
    """The measure (0..1; mm of distances) in each finished job's test part, by the job's place in ``results.jobs``.

    NaN where it is undefined.
    """
    jobs, scores = results.jobs_of(protocol, row), results.scores_of(protocol, row)
    if not is_scored(measure):
        return pd.Series(np.nan, index=jobs.index)
    if measure.averaging == OVER_THRESHOLDS:
        return jobs["thresholds"].map(lambda content: _threshold_value(content, measure)).astype(float)
    classes = scored_classes(results.table, scores)
    values = {
        index: tally(
            scores[(scores["fold"] == job["fold"]) & (scores["seed"] == job["seed"])],
            measure.name,
            measure.averaging,
            classes,
        ).value()
        for index, job in jobs.iterrows()
    }
    return pd.Series(values, dtype=float)


def _entry(results: Results, protocol: str, row: Row, measure: Measure, not_comparable: str | None) -> Entry:
    scale, paper = measure.scale, row.paper.get(measure.name)
    values = scale * job_values(results, protocol, row, measure).dropna()
    mean = float(values.mean()) if len(values) else None
    together, units = _together(results, protocol, row, measure)
    judged = verdict(paper, mean, together.interval if together else None, scale, not_comparable, results.budget)
    return Entry(
        protocol=protocol,
        row=row,
        measure=measure,
        paper=paper,
        jobs=len(results.jobs_of(protocol, row)),
        planned=results.planned(protocol, row),
        mean=mean,
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        sd_of_seeds=_sd_of_seeds(results.jobs_of(protocol, row), values),
        together=together,
        units=units,
        difference=None if mean is None or paper is None or not_comparable else mean - paper,
        verdict=judged,
    )


def _sd_of_seeds(jobs: pd.DataFrame, values: pd.Series) -> float | None:
    """How much one training of all folds differs from the next by its seed alone."""
    places = jobs.loc[values.index, ["fold", "seed"]].assign(value=values)
    shared = places.pivot(index="fold", columns="seed", values="value").dropna()
    if shared.empty or shared.shape[1] < 2:
        return None
    return float(shared.mean().std(ddof=1))


def _together(results: Results, protocol: str, row: Row, measure: Measure) -> tuple[Estimate | None, int]:
    """The measure cross-validated over all folds with its interval, in the paper's scale, and how many units it has."""
    if not is_scored(measure):
        return None, 0
    entry = _tally(results, protocol, row, measure)
    value = entry.value()
    if not np.isfinite(value):
        return None, 0
    return _scaled(value, interval_of(entry), measure.scale), entry.contributing_units()


def _tested(results: Results, protocol: str, row: Row) -> set[str]:
    scores = results.scores_of(protocol, row)
    return set(scores.loc[scores["level"] == "slice", "case"])


def _optimism(results: Results, row: Row, measure: Measure) -> Estimate | None:
    if not is_scored(measure):
        return None
    paper_tally, grouped_tally = (_tally(results, protocol, row, measure) for protocol in ("paper", "grouped"))
    difference = paper_tally.value() - grouped_tally.value()
    if not np.isfinite(difference):
        return None
    return _scaled(difference, interval_of_difference(paper_tally, grouped_tally), measure.scale)


def _tally(results: Results, protocol: str, row: Row, measure: Measure) -> Tally:
    if measure.averaging == OVER_THRESHOLDS:
        return curve_tally(results.curves_of(protocol, row), best=measure.name == BEST_THRESHOLD)
    scores = results.scores_of(protocol, row)
    return tally(scores, measure.name, measure.averaging, scored_classes(results.table, scores))


def _threshold_value(content: Mapping[str, Any] | None, measure: Measure) -> float:
    if not content:
        return float("nan")
    variant, key = _THRESHOLD_VALUES[measure.name]
    return float(content["stretched"][variant][key])


def _scaled(value: float, interval: tuple[float, float] | None, scale: float) -> Estimate:
    return Estimate(scale * value, None if interval is None else (scale * interval[0], scale * interval[1]))
