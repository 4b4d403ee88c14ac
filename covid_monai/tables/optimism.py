"""How much higher a measure is where leaks are allowed: the jobs of two protocols that have equal seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from covid_monai.scoring.comparison import Estimate
from covid_monai.tables.judging import seeds_on_same_cases
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import tally_of
from covid_monai.tables.table import COMPARED_PROTOCOLS, Measure, Row
from covid_monai.tables.tallies import effective_units, interval_of_difference
from covid_monai.tables.tally import Tally

OPTIMISM_RULE = (
    "Optimism: the paper's protocol minus the grouped one, of the jobs that both have with the same fold and seed, the "
    "same units drawn for both. It is all that lies between the two: leaks, but also fewer training slices under "
    "grouped, whose validation part is taken from them (the audit counts them), weights picked on the test part under "
    "paper, and other weights where the paper keeps those of the last epoch. The control arms (`--protocol control`) "
    "differ in grouping alone: the same numbers of training and test slices in every fold, the same seeds and weights, "
    "and the test part validates in both. Where the two have different test cases, the difference between these is in "
    "it; the cases in common are counted. The interval over units does not know that a second training gives other "
    "values: look at the SD of the seeds."
)


@dataclass(frozen=True)
class Optimism:
    """How much higher a measure of a row is under ``first`` than under ``second``, in the paper's scale.

    The two are one of :data:`covid_monai.tables.table.COMPARED_PROTOCOLS`. ``seeds`` are those in common;
    ``left_out`` jobs have no counterpart of the same fold and seed. ``sd_of_seeds`` is that of the difference, None
    with one seed. ``first_cases`` and ``second_cases`` were tested, ``shared_cases`` of them under both: where these
    are fewer, the estimate holds the difference between the test cases too.
    """

    row: Row
    measure: Measure
    first: str
    second: str
    estimate: Estimate
    sd_of_seeds: float | None
    seeds: tuple[int, ...]
    left_out: int
    first_cases: int
    second_cases: int
    shared_cases: int

    @property
    def in_control(self) -> bool:
        """Whether it is of the control arms."""
        return (self.first, self.second) == COMPARED_PROTOCOLS[1]

    @property
    def same_cases(self) -> bool:
        """Whether both protocols were tested on the same cases."""
        return self.first_cases == self.second_cases == self.shared_cases


@dataclass(frozen=True)
class EqualSeeds:
    """The results of a row under two protocols without the jobs that only one of the two has.

    ``jobs`` are (fold, seed); ``left_out`` is the number of jobs that have no counterpart.
    """

    results: Results
    jobs: tuple[tuple[int, int], ...]
    left_out: int


def estimate_optimism(results: Results) -> list[Optimism]:
    """Of every measure and row that has jobs with equal folds and seeds under both protocols of a pair."""
    found = []
    for first, second in COMPARED_PROTOCOLS:
        for row in results.table.rows:
            equal = with_equal_seeds(results, row, first, second)
            if equal.jobs:
                optimisms = [_optimism(equal, row, each, first, second) for each in results.table.measures.values()]
                found += [optimism for optimism in optimisms if optimism is not None]
    measures = list(results.table.measures)
    return sorted(found, key=lambda each: (each.in_control, measures.index(each.measure.name)))


def with_equal_seeds(results: Results, row: Row, first: str, second: str) -> EqualSeeds:
    """Keep of a row under two protocols the jobs whose fold and seed both have; nothing else is kept."""
    jobs = [results.jobs_of(protocol, row) for protocol in (first, second)]
    places = [set(zip(own["fold"], own["seed"], strict=True)) for own in jobs]
    common = sorted((int(fold), int(seed)) for fold, seed in places[0] & places[1])

    def kept(lines: pd.DataFrame) -> pd.DataFrame:
        if not len(lines):
            return lines
        own = lines[(lines["slug"] == row.slug) & lines["protocol"].isin([first, second])]
        return own[[place in common for place in zip(own["fold"], own["seed"], strict=True)]]

    equal = replace(results, jobs=kept(results.jobs), scores=kept(results.scores), curves=kept(results.curves))
    return EqualSeeds(equal, tuple(common), sum(map(len, jobs)) - 2 * len(common))


def tested_cases(results: Results, protocol: str, row: Row) -> set[str]:
    """The names of the cases that a row was tested on."""
    scores = results.scores_of(protocol, row)
    return set(scores.loc[scores["level"] == "slice", "case"])


def _optimism(equal: EqualSeeds, row: Row, measure: Measure, first: str, second: str) -> Optimism | None:
    tallies = [tally_of(equal.results, protocol, row, measure) for protocol in (first, second)]
    if (estimate := difference_of_tallies(tallies, measure)) is None:
        return None
    tested = [tested_cases(equal.results, protocol, row) for protocol in (first, second)]
    return Optimism(
        row=row,
        measure=measure,
        first=first,
        second=second,
        estimate=estimate,
        sd_of_seeds=_sd_of_seeds(tallies, measure),
        seeds=tuple(sorted({seed for _, seed in equal.jobs})),
        left_out=equal.left_out,
        first_cases=len(tested[0]),
        second_cases=len(tested[1]),
        shared_cases=len(tested[0] & tested[1]),
    )


def difference_of_tallies(tallies: Sequence[Tally | None], measure: Measure) -> Estimate | None:
    """The first minus the second in the paper's scale, with its interval over units; None where it is undefined."""
    first, second = tallies
    if first is None or second is None or not np.isfinite(difference := first.value() - second.value()):
        return None
    interval, effective = interval_of_difference(first, second), effective_units(first, second)
    scale = measure.scale
    scaled = None if interval is None else (scale * interval[0], scale * interval[1])
    return Estimate(scale * difference, scaled, effective)


def _sd_of_seeds(tallies: Sequence[Tally | None], measure: Measure) -> float | None:
    first, second = (seeds_on_same_cases(tallied, lambda value: value) for tallied in tallies)
    if len(first) < 2 or len(first) != len(second):
        return None
    return measure.scale * float(np.std(np.subtract(first, second), ddof=1))
