"""The optimism of a split by slices, patient by patient: what the slices of each give under both protocols."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from covid_monai.scoring.comparison import Estimate
from covid_monai.tables.optimism import EqualSeeds, difference_of_tallies, tested_cases, with_equal_seeds
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import tally_of
from covid_monai.tables.table import COMPARED_PROTOCOLS, Measure, Row

PATIENT_OPTIMISM_RULE = (
    "Optimism by patient: of the jobs with equal folds and seeds, the slices alone that both protocols tested, by "
    "patient; those whose patient is not known stand together. All: every such slice, with the 95 % interval over "
    "units; unlike the optimism beside the values, it has no difference between test cases in it."
)


@dataclass(frozen=True)
class PatientOptimism:
    """A row's values under two protocols on the same slices, in the paper's scale.

    ``patient`` is "" for the slices whose patient is not known, and None for all slices, which alone have an interval.
    The two protocols are one of :data:`covid_monai.tables.table.COMPARED_PROTOCOLS`.
    """

    row: Row
    measure: Measure
    first: str
    second: str
    patient: str | None
    cases: int
    first_value: float
    second_value: float
    difference: Estimate


def estimate_patient_optimism(results: Results) -> list[PatientOptimism]:
    """In the table's first measure, of every row with jobs of equal folds and seeds; none where no patient is known."""
    measure = next(iter(results.table.measures.values()))
    found = []
    for first, second in COMPARED_PROTOCOLS:
        for row in results.table.rows:
            equal = with_equal_seeds(results, row, first, second)
            if equal.jobs:
                found += _of_row(equal, row, measure, (first, second))
    return found


def _of_row(equal: EqualSeeds, row: Row, measure: Measure, protocols: tuple[str, str]) -> list[PatientOptimism]:
    tested = [tested_cases(equal.results, protocol, row) for protocol in protocols]
    slices = equal.results.scores_of(protocols[0], row)
    slices = slices[(slices["level"] == "slice") & slices["case"].isin(tested[0] & tested[1])]
    patients = {str(name): set(own["case"]) for name, own in slices.groupby("patient")}
    if not any(patients):
        return []
    groups: list[tuple[str | None, set[str]]] = [(name, patients[name]) for name in sorted(patients, key=_unknown_last)]
    groups.append((None, set(slices["case"])))
    lines = [_line(equal.results, row, measure, protocols, patient, cases) for patient, cases in groups]
    return [line for line in lines if line is not None]


def _unknown_last(patient: str) -> tuple[bool, str]:
    return not patient, patient


def _line(
    results: Results,
    row: Row,
    measure: Measure,
    protocols: tuple[str, str],
    patient: str | None,
    cases: Collection[str],
) -> PatientOptimism | None:
    own = _with_cases(results, cases)
    tallies = [tally_of(own, protocol, row, measure) for protocol in protocols]
    if (difference := difference_of_tallies(tallies, measure)) is None:
        return None
    first, second = (measure.scale * tallied.value() if tallied else np.nan for tallied in tallies)
    if patient is not None:
        difference = replace(difference, interval=None)
    return PatientOptimism(row, measure, *protocols, patient, len(cases), first, second, difference)


def _with_cases(results: Results, cases: Collection[str]) -> Results:
    """The results with the slices of ``cases`` alone; whole volumes have slices beside them."""
    curves = results.curves
    return replace(
        results,
        scores=results.scores[results.scores["case"].isin(cases)],
        curves=curves[curves["case"].isin(cases)] if len(curves) else curves,
    )
