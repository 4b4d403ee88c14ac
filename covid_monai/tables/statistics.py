"""What the jobs of a row say together: value, spread, intervals, difference to the paper, verdict, optimism."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from covid_monai.scoring.comparison import Estimate
from covid_monai.scoring.summary import ANY_LESION
from covid_monai.scoring.thresholds import RATES
from covid_monai.tables.judging import RowJudge, seeds_on_same_cases
from covid_monai.tables.results import Results
from covid_monai.tables.table import CLASS_MEAN, OVER_THRESHOLDS, Measure, Row, Table
from covid_monai.tables.tallies import Tally, curve_tally, interval_of, interval_of_difference, rate_tally, tally
from covid_monai.tables.verdict import Difference, Verdict

BEST_THRESHOLD = "dice_at_best_threshold"
_RATE_OF = {f"{rate}_mean_over_thresholds": rate for rate in RATES}
_OVER_THRESHOLDS = (BEST_THRESHOLD, "dice_mean_over_thresholds", *_RATE_OF)

STATISTICS_RULE = (
    "One estimator for a value, its difference and its verdict: the measure in each job's own test part, the "
    "seeds averaged within each fold, then the folds, each with the weight of its test cases. ± stands before the"
    ' SD over all jobs; after "seeds" the SD of the seeds on the same cases. The interval over patients is for '
    "other patients than these: the 95 % bootstrap interval of whole units. The interval of the difference is for"
    " these slices, see the rule of the verdicts. Optimism: the paper's protocol minus the grouped one, the same "
    "units drawn for both. It is all that lies between the two: leaks, but also fewer training slices under "
    "grouped, whose validation part is taken from them (the audit counts them), and other weights where the paper"
    " keeps those of the last epoch. Where not all folds are run, the two are of different test cases for the "
    "most part, and the difference between these is in it; the cases in common are counted. Dice at the best "
    "threshold takes each job's own threshold, chosen anew for every resample."
)


@dataclass(frozen=True)
class Entry:
    """One measure of one row under one protocol, in the paper's scale; None where there is no value.

    ``jobs`` are finished out of ``planned``; ``sd`` is over all of them, ``sd_of_seeds`` that of the ``seeds`` on the
    folds that all of them have. ``value`` has the interval over patients, ``beside`` that of another averaging,
    ``own_grid`` that on the data's own grid where the table is scored on another.
    ``units`` have a value. ``difference`` is to the paper's value, for its verdict: of specificity a logarithm, see
    :mod:`covid_monai.tables.verdict`; None where the two cannot be compared.
    """

    protocol: str
    row: Row
    measure: Measure
    paper: float | None
    jobs: int
    planned: int
    seeds: int
    value: Estimate | None
    beside: Estimate | None
    own_grid: Estimate | None
    sd: float | None
    sd_of_seeds: float | None
    units: int
    difference: Difference | None
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


def estimate_entries(results: Results, not_comparable: Mapping[str, str], no_verdict: str = "") -> list[Entry]:
    """An entry for every measure, row and protocol that has finished jobs.

    Args:
        results: of an output folder.
        not_comparable: why a measure (by its name) cannot be held against the paper's, where it cannot.
        no_verdict: why nothing here can be judged, such as classes that the data lack; empty where it can.
    """
    entries = []
    for measure in results.table.measures.values():
        for protocol in results.protocols:
            rows = [row for row in results.table.rows if len(results.jobs_of(protocol, row))]
            tallies = {row.slug: tally_of(results, protocol, row, measure) for row in rows}
            judge_row = RowJudge(results, measure, protocol, tallies, not_comparable.get(measure.name), no_verdict)
            entries += [_entry(results, protocol, row, measure, tallies[row.slug], judge_row) for row in rows]
    order = {row.slug: place for place, row in enumerate(results.table.rows)}
    measures = {name: place for place, name in enumerate(results.table.measures)}
    return sorted(entries, key=lambda entry: (measures[entry.measure.name], order[entry.row.slug]))


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
        return measure.name in _OVER_THRESHOLDS
    if measure.averaging == "pooled":
        return measure.name in OVERLAP_MEASURES
    return measure.name in (*OVERLAP_MEASURES, *SURFACE_MEASURES)


def job_values(results: Results, protocol: str, row: Row, measure: Measure) -> pd.Series:
    """The measure (0..1; mm of distances) in each finished job's test part, by the job's place in ``results.jobs``.

    NaN where it is undefined.
    """
    jobs, tallied = results.jobs_of(protocol, row), tally_of(results, protocol, row, measure)
    by_job = tallied.by_job() if tallied else {}
    places = zip(jobs["fold"], jobs["seed"], strict=True)
    return pd.Series([by_job.get(place, float("nan")) for place in places], index=jobs.index, dtype=float)


def _entry(
    results: Results, protocol: str, row: Row, measure: Measure, tallied: Tally | None, judge_row: "RowJudge"
) -> Entry:
    scale = measure.scale
    values = pd.Series(tallied.by_job() if tallied else {}, dtype=float).dropna() * scale
    value = tallied.value() if tallied else float("nan")
    difference, verdict = judge_row.of(row, value)
    seeds = seeds_on_same_cases(tallied, lambda value: value)
    return Entry(
        protocol=protocol,
        row=row,
        measure=measure,
        paper=row.paper.get(measure.name),
        jobs=len(results.jobs_of(protocol, row)),
        planned=results.planned(protocol, row),
        seeds=len({seed for _, seed in tallied.jobs}) if tallied else 0,
        value=_estimate(tallied, scale),
        beside=_beside(results, protocol, row, measure),
        own_grid=_on_own_grid(results, protocol, row, measure),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        sd_of_seeds=scale * float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None,
        units=tallied.contributing_units() if tallied and np.isfinite(value) else 0,
        difference=difference,
        verdict=verdict,
    )


def _beside(results: Results, protocol: str, row: Row, measure: Measure) -> Estimate | None:
    """The measure by its other averaging."""
    if measure.beside is None:
        return None
    return _estimate(tally_of(results, protocol, row, replace(measure, averaging=measure.beside)), measure.scale)


def _on_own_grid(results: Results, protocol: str, row: Row, measure: Measure) -> Estimate | None:
    """The measure on the data's own grid; curves over thresholds are kept on the table's alone."""
    if results.grid is None or measure.averaging == OVER_THRESHOLDS:
        return None
    return _estimate(tally_of(replace(results, scores=results.native_scores), protocol, row, measure), measure.scale)


def _estimate(tallied: Tally | None, scale: float) -> Estimate | None:
    value = tallied.value() if tallied else float("nan")
    return _scaled(value, interval_of(tallied), scale) if tallied and np.isfinite(value) else None


def _tested(results: Results, protocol: str, row: Row) -> set[str]:
    scores = results.scores_of(protocol, row)
    return set(scores.loc[scores["level"] == "slice", "case"])


def _optimism(results: Results, row: Row, measure: Measure) -> Estimate | None:
    paper, grouped = (tally_of(results, protocol, row, measure) for protocol in ("paper", "grouped"))
    if paper is None or grouped is None:
        return None
    difference = paper.value() - grouped.value()
    if not np.isfinite(difference):
        return None
    return _scaled(difference, interval_of_difference(paper, grouped), measure.scale)


def tally_of(results: Results, protocol: str, row: Row, measure: Measure) -> Tally | None:
    """The tally of a row's scores; None where these do not have the measure."""
    if not is_scored(measure):
        return None
    if measure.averaging == OVER_THRESHOLDS:
        curves = results.curves_of(protocol, row)
        if measure.name in _RATE_OF:
            return rate_tally(curves, _RATE_OF[measure.name])
        return curve_tally(curves, best=measure.name == BEST_THRESHOLD)
    scores = results.scores_of(protocol, row)
    return tally(scores, measure.name, measure.averaging, scored_classes(results.table, scores))


def _scaled(value: float, interval: tuple[float, float] | None, scale: float) -> Estimate:
    return Estimate(scale * value, None if interval is None else (scale * interval[0], scale * interval[1]))
