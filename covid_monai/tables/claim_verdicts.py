"""Whether the differences between rows that a paper claims are found here, on the same cases and over several seeds.

A contrast is a weighted sum of the rows' measures, or of their logarithms where the paper claims a ratio. The interval
over units of logarithms is that of the sum of weight / value * measure, the derivative of the logarithm (delta method).
:mod:`covid_monai.tables.contrast_intervals` adds the seeds.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from covid_monai.scoring.comparison import Estimate
from covid_monai.scoring.paired_tests import holm
from covid_monai.tables.contrast_intervals import ContrastInterval, seeds_error_of
from covid_monai.tables.judging import seeds_of_every_fold, seeds_on_same_cases, why_no_verdict
from covid_monai.tables.paper_claims import PaperClaim, percent_of
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import tally_of
from covid_monai.tables.table import Measure, Row
from covid_monai.tables.tallies import interval_of_contrast
from covid_monai.tables.tally import Tally
from covid_monai.tables.verdict import CANNOT_TELL, SeedSpread, Verdict, pooled_seed_spread

SIGNIFICANT = 0.05

CLAIMS_RULE = (
    "What the paper claims of its rows, on the cases that all rows of a claim were tested on: the seeds averaged "
    "within folds, then the folds. Points are in the paper's scale; per cent are a ratio over 1, of several pairs"
    " the geometric mean, computed on the logarithm. The first interval draws the same units again for all rows; "
    "the second one adds the seeds: SE_t² = s_t² times the sum of weight² / k, with s_t the SD of the seeds on "
    "the same cases, pooled over the table's rows, and k the seeds of each row. p (two-sided) is under 0.05 where"
    " the second interval leaves out what is claimed at the least, which is 0 where the paper only says better. "
    "Holm's correction is over all claims of this table that are tested, and over nothing else. supported: the "
    "contrast is over what is claimed at the least, with p (Holm) of at most 0.05; contradicted: under it, "
    "likewise; else cannot tell, as always with one seed or with a row that is published only, with which nothing"
    " is paired. no verdict: settings, classes or budget are not the paper's own. not comparable: what was "
    "measured is not what the paper measured."
)


@dataclass(frozen=True)
class JudgedClaim:
    """A claim of the paper and what the jobs under one protocol say of it.

    ``value`` is our contrast as the claim has it (:attr:`covid_monai.tables.paper_claims.PaperClaim.kind`), with the
    interval over units; None where there is none. ``with_seeds`` is the interval of units and seeds, None where it
    cannot be told. ``seeds`` are those that every row has at the least, ``cases`` those that all rows were tested on.
    ``of_rows`` is what the paper's own rows give.
    """

    number: int
    claim: PaperClaim
    protocol: str
    of_rows: float | None
    value: Estimate | None = None
    with_seeds: tuple[float, float] | None = None
    seeds: int = 0
    cases: int = 0
    p: float | None = None
    p_holm: float | None = None
    verdict: Verdict = field(default_factory=lambda: Verdict(""))


def judge_claims(
    results: Results,
    not_comparable: Mapping[str, str],
    no_verdict: str = "",
    not_converged: Collection[tuple[str, str]] = (),
) -> list[JudgedClaim]:
    """Every claim of the table under every protocol that has jobs.

    Args:
        results: of an output folder.
        not_comparable: why a measure (by its name) cannot be held against the paper's, where it cannot.
        no_verdict: which of the paper's classes the data lack, so that nothing can be judged; empty where none.
        not_converged: (protocol, slug) of rows that enter no claim.
    """
    judged, spreads = [], _Spreads(results)
    for protocol in results.protocols:
        for number, claim in enumerate(results.table.claims, start=1):
            contrast = _ClaimContrast(results, protocol, claim, spreads, not_converged)
            found = contrast.judged(number)
            if claim.measure in not_comparable:
                word = Verdict("not comparable", not_comparable[claim.measure])
                found = replace(found, p=None, verdict=word)
            elif reason := why_no_verdict(results, protocol, contrast.rows.values(), no_verdict):
                also = f"; {found.verdict.reason}" if found.value is None and found.verdict.reason else ""
                found = replace(found, p=None, verdict=Verdict("no verdict", reason + also))
            judged.append(found)
    corrected = holm([each.p for each in judged])
    return [_with_verdict(each, p) for each, p in zip(judged, corrected, strict=True)]


def _with_verdict(judged: JudgedClaim, p_holm: float | None) -> JudgedClaim:
    if p_holm is None or judged.value is None:
        return judged
    word = "supported" if judged.value.value > judged.claim.at_least else "contradicted"
    return replace(judged, p_holm=p_holm, verdict=Verdict(word if p_holm <= SIGNIFICANT else CANNOT_TELL))


class _Spreads:
    """s_t of the table's rows by protocol, measure and scale, each computed once."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._known: dict[tuple[str, str, bool], SeedSpread] = {}

    def of(self, protocol: str, measure: Measure, *, logarithmic: bool) -> SeedSpread:
        key = (protocol, measure.name, logarithmic)
        if key not in self._known:
            rows = [row for row in self._results.table.rows if len(self._results.jobs_of(protocol, row))]
            tallies = (tally_of(self._results, protocol, row, measure) for row in rows)
            on_scale = _logarithm if logarithmic else float
            self._known[key] = pooled_seed_spread([seeds_on_same_cases(each, on_scale) for each in tallies])
        return self._known[key]


@dataclass(frozen=True)
class _ClaimContrast:
    """A claim's contrast under a protocol, on the scale where it is a weighted sum."""

    results: Results
    protocol: str
    claim: PaperClaim
    spreads: _Spreads
    not_converged: Collection[tuple[str, str]]

    @cached_property
    def rows(self) -> dict[str, Row]:
        return {row.slug: row for row in self.results.table.rows if row.slug in self.claim.weights}

    @cached_property
    def measure(self) -> Measure:
        return self.results.table.measures[self.claim.measure]

    def judged(self, number: int) -> JudgedClaim:
        """All but the correction; where there is no p the verdict says why."""
        judged = JudgedClaim(
            number, self.claim, self.protocol, self.claim.of_rows({slug: row.paper for slug, row in self.rows.items()})
        )
        run = [row for row in self.rows.values() if row.bundle]
        if waiting := [row.label for row in run if not len(self.results.jobs_of(self.protocol, row))]:
            return replace(judged, verdict=Verdict(CANNOT_TELL, f"no finished job of {waiting[0]}"))
        if early := [row.label for row in run if (self.protocol, row.slug) in self.not_converged]:
            return replace(judged, verdict=Verdict(CANNOT_TELL, f"not converged: {', '.join(early)}"))
        shared, cases = _on_shared_cases(self.results, self.protocol, run)
        found = {row.slug: tally_of(shared, self.protocol, row, self.measure) for row in run if cases}
        tallies = {slug: tallied for slug, tallied in found.items() if tallied is not None}
        values = {slug: tallied.value() for slug, tallied in tallies.items()}
        values |= {
            slug: row.paper[self.measure.name] / self.measure.scale for slug, row in self.rows.items() if not row.bundle
        }
        value = self._sum(values) if len(values) == len(self.rows) else float("nan")
        if not math.isfinite(value):
            return replace(judged, cases=cases, verdict=Verdict(CANNOT_TELL, "a value is undefined"))
        return self._with_intervals(replace(judged, cases=cases), value, tallies, values)

    def _with_intervals(
        self, judged: JudgedClaim, value: float, tallies: Mapping[str, Tally], values: Mapping[str, float]
    ) -> JudgedClaim:
        weights = {slug: self.claim.weights[slug] for slug in tallies}
        factors = {slug: weight / values[slug] if self.claim.relative else weight for slug, weight in weights.items()}
        around = sum(factors[slug] * values[slug] for slug in factors)
        interval = interval_of_contrast(list(tallies.values()), list(factors.values()))
        seeds = {slug: seeds_of_every_fold(tallied) for slug, tallied in tallies.items()}
        low, high = (value + end - around for end in interval) if interval else (value, value)
        over_units = (self._as_claimed(low), self._as_claimed(high)) if interval else None
        judged = replace(
            judged, value=Estimate(self._as_claimed(value), over_units), seeds=min(seeds.values(), default=0)
        )
        spread = self.spreads.of(self.protocol, self.measure, logarithmic=self.claim.relative)
        if reason := self._why_no_p(judged, spread):
            return replace(judged, verdict=Verdict(CANNOT_TELL, reason))
        units = min(tallied.contributing_units() for tallied in tallies.values())
        found = ContrastInterval(value, low, high, units, seeds_error_of(weights, seeds, spread), spread.df)
        both, p = found.with_seeds(), found.p_against(self._least)
        verdict = Verdict(CANNOT_TELL, "no spread") if p is None else Verdict("")
        return replace(judged, with_seeds=(self._as_claimed(both[0]), self._as_claimed(both[1])), p=p, verdict=verdict)

    def _why_no_p(self, judged: JudgedClaim, spread: SeedSpread) -> str:
        if published := [row.label for row in self.rows.values() if not row.bundle]:
            return f"{published[0]} is published only"
        if judged.value is None or judged.value.interval is None:
            return "no interval over units"
        return "one seed" if judged.seeds < 2 or spread.df < 1 else ""

    def _sum(self, values: Mapping[str, float]) -> float:
        on_scale = _logarithm if self.claim.relative else float
        return sum(weight * on_scale(values[slug]) for slug, weight in self.claim.weights.items())

    def _as_claimed(self, value: float) -> float:
        return percent_of(value) if self.claim.relative else self.measure.scale * value

    @property
    def _least(self) -> float:
        at_least = self.claim.at_least
        return math.log1p(at_least / 100) if self.claim.relative else at_least / self.measure.scale


def _logarithm(value: float) -> float:
    return math.log(value) if value > 0 else float("nan")


def _on_shared_cases(results: Results, protocol: str, rows: Iterable[Row]) -> tuple[Results, int]:
    """The results with the cases alone that all ``rows`` were tested on, and how many these are.

    The rows of a volume stay where all of its tested slices do.
    """
    slugs = {row.slug for row in rows}
    own = results.scores[(results.scores["protocol"] == protocol) & results.scores["slug"].isin(slugs)]
    slices = own[own["level"] == "slice"]
    tested = slices.groupby("case")["slug"].nunique()
    shared = set(tested.index[tested == len(slugs)])
    torn = set(slices.loc[~slices["case"].isin(shared), "volume"])
    kept = own["case"].isin(shared) | ((own["case"] == "") & ~own["volume"].isin(torn))
    curves = results.curves
    if len(curves):
        curves = curves[curves["case"].isin(shared)]
    return replace(results, scores=own[kept], curves=curves), len(shared)
