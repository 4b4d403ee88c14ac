"""The optimism of a split by slices, patient by patient: what the slices of each give under both protocols."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.stats import t as student

from covid_monai.scoring.bootstrap import FEWEST_CLUSTERS
from covid_monai.scoring.comparison import Estimate
from covid_monai.tables.optimism import EqualSeeds, difference_of_tallies, tested_cases, with_equal_seeds
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import tally_of
from covid_monai.tables.table import COMPARED_PROTOCOLS, Measure, Row

Kind = Literal["patient", "unknown", "patients", "all"]
"""Whose slices: one patient's, those of unknown patients, every known patient's with equal weights, or all together."""

PATIENT_OPTIMISM_RULE = (
    "Optimism by patient: of the jobs with equal folds and seeds, the slices alone that both protocols tested, by "
    "patient; those whose patient is not known stand together. Mean of the patients: every known patient counts "
    "equally; its 95 % interval is that of a paired t-test over them, for other patients than these, and there is "
    f"none under {FEWEST_CLUSTERS}. All: every such slice, averaged as the table does it, with the interval over "
    "units. Unlike the optimism beside the values, none of these has a difference between test cases in it."
)


@dataclass(frozen=True)
class PatientOptimism:
    """A row's values under two protocols on the same slices, in the paper's scale.

    ``patient`` is the name of the one patient where ``kind`` is that, else empty; ``patients`` are how many are known
    to be in it. The two protocols are one of :data:`covid_monai.tables.table.COMPARED_PROTOCOLS`.
    """

    row: Row
    measure: Measure
    first: str
    second: str
    kind: Kind
    patient: str
    patients: int
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


@dataclass(frozen=True)
class _Slices:
    """Cases that are compared together, see :class:`PatientOptimism`."""

    kind: Kind
    cases: Collection[str]
    patient: str = ""
    patients: int = 0


def _of_row(equal: EqualSeeds, row: Row, measure: Measure, protocols: tuple[str, str]) -> list[PatientOptimism]:
    tested = [tested_cases(equal.results, protocol, row) for protocol in protocols]
    slices = equal.results.scores_of(protocols[0], row)
    slices = slices[(slices["level"] == "slice") & slices["case"].isin(tested[0] & tested[1])]
    cases_of = {str(name): set(own["case"]) for name, own in slices.groupby("patient")}
    known = sorted(filter(None, cases_of), key=_in_natural_order)
    if not known:
        return []

    def compared(parts: Sequence[_Slices]) -> list[PatientOptimism]:
        lines = [_compared(equal.results, row, measure, protocols, part) for part in parts]
        return [line for line in lines if line is not None]

    of_patients = compared([_Slices("patient", cases_of[name], name, 1) for name in known])
    others = [_Slices("unknown", cases_of[""])] if "" in cases_of else []
    everything = _Slices("all", set(slices["case"]), patients=len(known))
    return [*of_patients, *_mean_of(of_patients), *compared([*others, everything])]


def _compared(
    results: Results, row: Row, measure: Measure, protocols: tuple[str, str], slices: _Slices
) -> PatientOptimism | None:
    own = _with_cases(results, slices.cases)
    first, second = (tally_of(own, protocol, row, measure) for protocol in protocols)
    difference = difference_of_tallies((first, second), measure)
    if difference is None or first is None or second is None:
        return None
    return PatientOptimism(
        row=row,
        measure=measure,
        first=protocols[0],
        second=protocols[1],
        kind=slices.kind,
        patient=slices.patient,
        patients=slices.patients,
        cases=len(slices.cases),
        first_value=measure.scale * first.value(),
        second_value=measure.scale * second.value(),
        difference=difference if slices.kind == "all" else Estimate(difference.value, None),
    )


def _in_natural_order(name: str) -> list[tuple[int, str]]:
    """Numbers by their value: patient_4 stands before patient_10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _mean_of(patients: Sequence[PatientOptimism]) -> list[PatientOptimism]:
    """Every patient with the same weight; nothing of fewer than two."""
    if len(patients) < 2:
        return []
    differences = np.array([each.difference.value for each in patients])
    mean, interval = float(differences.mean()), None
    if len(patients) >= FEWEST_CLUSTERS:
        reach = float(student.ppf(0.975, len(patients) - 1) * differences.std(ddof=1) / np.sqrt(len(patients)))
        interval = mean - reach, mean + reach
    return [
        replace(
            patients[0],
            kind="patients",
            patient="",
            patients=len(patients),
            cases=sum(each.cases for each in patients),
            first_value=float(np.mean([each.first_value for each in patients])),
            second_value=float(np.mean([each.second_value for each in patients])),
            difference=Estimate(mean, interval, float(len(patients))),
        )
    ]


def _with_cases(results: Results, cases: Collection[str]) -> Results:
    """The results with the slices of ``cases`` alone; whole volumes have slices beside them."""
    curves = results.curves
    return replace(
        results,
        scores=results.scores[results.scores["case"].isin(cases)],
        curves=curves[curves["case"].isin(cases)] if len(curves) else curves,
    )
