"""Several predictions of the same cases, compared pair by pair."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.scoring.bootstrap import ClusterBootstrap, effective_number
from covid_monai.scoring.intervals import Range, Ratios, described, interval
from covid_monai.scoring.overlap import overlap_measures, overlap_ratios
from covid_monai.scoring.paired_tests import holm, signed_rank
from covid_monai.scoring.summary import Summary

COMPARISON_RULE = (
    "A case is a mask file, a slice or a volume; its Dice is that of all its voxels, 1 where reference and prediction "
    "are both empty and 0 where one of them is, so every case has one and none is left out. A missing prediction "
    "that was counted as empty is an empty mask here too. Differences are first minus second, on the same cases; "
    "their intervals resample whole units (patients where all are known, else cases), the same ones for both "
    "sides. Wilcoxon's signed-rank test (two-sided) compares the units' Dice, a patient's being the mean of its "
    "cases: differences of 0 are ranked and their ranks dropped (Pratt), tied ones share the mean of their ranks. It "
    "is exact up to 300 units whose difference is not 0, ties and zeros counted in, else a normal approximation; under "
    "6 units nothing is tested. Holm's correction is over all tests of this table."
)

_COUNTS = ["tp", "fp", "fn", "tn"]


@dataclass(frozen=True)
class Estimate:
    """A value, its 95 % interval (None where there is none), and the effective number of units behind it (Kish's).

    The latter is None in comparisons of earlier releases.
    """

    value: float
    interval: tuple[float, float] | None
    effective: float | None = None


@dataclass(frozen=True)
class Rating:
    """One prediction folder's Dice of one class."""

    lesion_class: str
    name: str
    pooled: Estimate
    per_case: Estimate


@dataclass(frozen=True)
class Difference:
    """Two folders' difference in the Dice of one class, first minus second.

    ``higher``, ``equal`` and ``lower`` count the units in which the first folder's Dice is so.
    """

    lesion_class: str
    first: str
    second: str
    pooled: Estimate
    per_case: Estimate
    higher: int
    equal: int
    lower: int
    statistic: float | None
    p: float | None
    p_holm: float | None
    method: str


@dataclass(frozen=True)
class Comparison:
    """All ratings and all pairs; the unit is ``"patient"`` or ``"case"``, ``bootstrap`` how intervals were made."""

    cases: int
    unit: str
    units: int
    ratings: tuple[Rating, ...]
    differences: tuple[Difference, ...]
    bootstrap: dict[str, Any]

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> "Comparison":
        """From the content of ``comparison.json``.

        Raises:
            InputError: it is of another format or version.
        """
        if content.get("format") != "covid-monai comparison" or content.get("version") != 1:
            raise InputError("comparison.json holds no comparison of version 1; score the predictions again")
        return cls(
            cases=content["cases"],
            unit=content["unit"],
            units=content["units"],
            ratings=tuple(Rating(**_from_json(record)) for record in content["predictions"]),
            differences=tuple(Difference(**_from_json(record)) for record in content["differences"]),
            bootstrap=content["bootstrap"],
        )

    def content(self) -> dict[str, Any]:
        """The content of ``comparison.json``."""
        return {
            "format": "covid-monai comparison",
            "version": 1,
            "rule": COMPARISON_RULE,
            "cases": self.cases,
            "unit": self.unit,
            "units": self.units,
            "bootstrap": self.bootstrap,
            "predictions": [_as_json(rating) for rating in self.ratings],
            "differences": [_as_json(difference) for difference in self.differences],
        }


def compare(summaries: Mapping[str, Summary], seed: int = 0) -> Comparison:
    """Compare the Dice of several predictions of the same references.

    Args:
        summaries: the scores of each prediction folder, by its name.
        seed: seed of the bootstrap.

    Raises:
        InputError: fewer than two summaries, or they are of other cases or classes.
    """
    if len(summaries) < 2:
        raise InputError("one prediction folder has nothing to be compared with; give two or more")
    tables = {name: _case_counts(summary) for name, summary in summaries.items()}
    first = next(iter(tables.values()))
    for name, table in tables.items():
        if not table.index.equals(first.index):
            raise InputError(f"{name} was scored on other cases or classes than {next(iter(tables))}; score them alike")
    cases = first.index.get_level_values("case").unique()
    patients = first["patient"].groupby(level="case", sort=False).first()
    unit = "patient" if patients.all() else "case"
    sources = first["source"].groupby(level="case", sort=False).first()
    bootstrap = ClusterBootstrap(patients if unit == "patient" else cases, strata=sources, seed=seed)
    classes = next(iter(summaries.values())).content["classes"]
    ratings: list[Rating] = []
    differences: list[Difference] = []
    for lesion_class in classes:
        counts = {
            name: table.xs(lesion_class, level="class")[_COUNTS].to_numpy(np.float64) for name, table in tables.items()
        }
        samples = {name: _Sample.of(of_cases, bootstrap) for name, of_cases in counts.items()}
        ratings += [sample.rating(lesion_class, name, bootstrap) for name, sample in samples.items()]
        differences += [_difference(lesion_class, *pair, samples, bootstrap) for pair in combinations(samples, 2)]
    corrected = holm([difference.p for difference in differences])
    return Comparison(
        cases=len(cases),
        unit=unit,
        units=bootstrap.count,
        ratings=tuple(ratings),
        differences=tuple(replace(each, p_holm=p) for each, p in zip(differences, corrected, strict=True)),
        bootstrap=described(seed),
    )


@dataclass(frozen=True)
class _Measured:
    """A value and how it comes from the units."""

    value: float
    statistic: Ratios

    def __sub__(self, other: "_Measured") -> "_Measured":
        return _Measured(self.value - other.value, self.statistic - other.statistic)

    def estimate(self, bootstrap: ClusterBootstrap, measure_range: Range) -> Estimate:
        return Estimate(
            self.value,
            interval(self.statistic, bootstrap, measure_range),
            round(effective_number(self.statistic.contributions), 2),
        )


@dataclass(frozen=True)
class _Sample:
    """One folder's Dice of one class: of each unit, pooled and per case."""

    units: NDArray[np.float64]
    pooled: _Measured
    per_case: _Measured

    @classmethod
    def of(cls, counts: NDArray[np.float64], bootstrap: ClusterBootstrap) -> "_Sample":
        """From the cases' counts (cases, 4); the clusters are their units."""
        dice = overlap_measures(counts)[:, 0]
        sums = bootstrap.totals(np.column_stack([dice, np.ones_like(dice)]))
        numerators, denominators = overlap_ratios(bootstrap.totals(counts))
        return cls(
            units=sums[:, 0] / sums[:, 1],
            pooled=_Measured(
                float(overlap_measures(counts.sum(axis=0))[0]), Ratios(numerators[:, :1], denominators[:, :1])
            ),
            per_case=_Measured(float(dice.mean()), Ratios(sums[:, :1], sums[:, 1:])),
        )

    def rating(self, lesion_class: str, name: str, bootstrap: ClusterBootstrap) -> Rating:
        return Rating(
            lesion_class,
            name,
            self.pooled.estimate(bootstrap, Range()),
            self.per_case.estimate(bootstrap, Range()),
        )


def _difference(
    lesion_class: str, first: str, second: str, samples: Mapping[str, _Sample], bootstrap: ClusterBootstrap
) -> Difference:
    left, right = samples[first], samples[second]
    differences = np.round(left.units - right.units, 12)
    test = signed_rank(differences)
    return Difference(
        lesion_class=lesion_class,
        first=first,
        second=second,
        pooled=(left.pooled - right.pooled).estimate(bootstrap, Range().of_difference),
        per_case=(left.per_case - right.per_case).estimate(bootstrap, Range().of_difference),
        higher=int((differences > 0).sum()),
        equal=int((differences == 0).sum()),
        lower=int((differences < 0).sum()),
        statistic=test.statistic,
        p=test.p,
        p_holm=None,
        method=test.method,
    )


def _case_counts(summary: Summary) -> pd.DataFrame:
    """Counts and patient of each (case, class), from the rows of its slices."""
    slices = summary.rows[summary.rows["level"] == "slice"]
    if "source" not in slices:
        # scores of earlier releases
        slices = slices.assign(source="")
    counted = slices.groupby(["case", "class"])
    return counted[_COUNTS].sum().join(counted[["patient", "source"]].first())


def _as_json(record: Rating | Difference) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in vars(record).items():
        content["class" if name == "lesion_class" else name] = (
            _of_estimate(value) if isinstance(value, Estimate) else value
        )
    return content


def _of_estimate(estimate: Estimate) -> dict[str, Any]:
    bounds = list(estimate.interval) if estimate.interval else None
    return {"value": estimate.value, "interval": bounds, "effective": estimate.effective}


def _from_json(record: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in record.items():
        fields["lesion_class" if name == "class" else name] = (
            Estimate(value["value"], tuple(value["interval"]) if value["interval"] else None, value.get("effective"))
            if isinstance(value, dict)
            else value
        )
    return fields
