"""What a leak is worth: slices with a relative in training against the others, and against sets of unrelated slices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import comb

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from covid_monai.tables.leakage import SplitAudit
from covid_monai.tables.optimism import tested_cases, with_equal_seeds
from covid_monai.tables.results import Results
from covid_monai.tables.statistics import tally_of
from covid_monai.tables.table import COMPARED_PROTOCOLS, DoubtfulGroup, Measure, Row
from covid_monai.tables.tally import Tally

Names = tuple[str, ...]
DRAWS = 1999
SEED = 0
FEWEST_RELABELLINGS = 20
"""With fewer different ones no p could be under 0.05, and none is given."""

EXPOSURE_RULE = (
    "What a leak may be worth: the first protocol minus the second, on the slices that both tested in jobs with equal "
    "folds and seeds. Exposed slices have a slice of their patient, volume or group, a near-duplicate or an identical "
    "slice in the first protocol's training, and none in the second's. What else lies between the two, such as the "
    "number of training slices, moves exposed and other slices alike; so the excess, exposed minus rest, is what the "
    "leak may be worth. Beside it stand sets of unrelated slices, drawn from the rest (mean ± SD of the difference): "
    "as many slices, and as many groups, where a unit of the rest stands for each group with the group's weight. p "
    f"(two-sided) is the share of {DRAWS} random relabellings, of single slices or of whole units, whose excess is at "
    "least as far from 0, the observed one counted in. Slices of one group resemble each other: by single slices p is "
    "too small, and p by groups is the one to read. No p is corrected for the number of rows and measures. It is about "
    "these trainings: that another training gives other values is in no p."
)


@dataclass(frozen=True)
class RandomSets:
    """``mean`` and ``sd`` of the difference on random unrelated sets, and ``p``; None where there are too few."""

    mean: float | None
    sd: float | None
    p: float | None


@dataclass(frozen=True)
class Exposure:
    """The difference between two protocols on exposed slices and on the rest, in the paper's scale.

    ``groups`` are those of ``slices`` exposed slices; ``rest_slices`` the others. ``without`` names the groups that
    are left out, ``reason`` says why where they are doubtful.
    """

    row: Row
    measure: Measure
    first: str
    second: str
    without: tuple[str, ...]
    reason: str
    slices: int
    groups: int
    rest_slices: int
    exposed: float
    rest: float
    by_slices: RandomSets
    by_groups: RandomSets

    @property
    def excess(self) -> float:
        """Exposed minus rest."""
        return self.exposed - self.rest


def estimate_exposures(results: Results, audits: Sequence[SplitAudit]) -> list[Exposure]:
    """Of every row and measure by slices: with all groups, without doubtful ones, and without each in turn.

    Args:
        results: of an output folder, or published.
        audits: of its splits; the exposed slices are those of the first protocol of a pair.
    """
    exposed_in = {audit.name: audit.exposed_groups for audit in audits}
    found: list[Exposure] = []
    for first, second in COMPARED_PROTOCOLS:
        for row in results.table.rows:
            equal = with_equal_seeds(results, row, first, second)
            split = f"{first}-{row.variant}" if f"{first}-{row.variant}" in exposed_in else first
            if equal.jobs and (groups := exposed_in.get(split)):
                for measure in results.table.measures.values():
                    found += _of_measure(equal.results, row, measure, (first, second), groups)
    return found


def _of_measure(
    results: Results, row: Row, measure: Measure, protocols: tuple[str, str], groups: Sequence[Names]
) -> Iterator[Exposure]:
    # a volume is no slice that a near-duplicate of it could expose
    if measure.averaging.startswith("volume"):
        return
    first, second = protocols
    shared = tested_cases(results, first, row) & tested_cases(results, second, row)
    own = [kept for names in groups if (kept := tuple(name for name in names if name in shared))]
    rest = _rest(results.scores_of(first, row), shared.difference(*own))
    pair = _Pair.of(results, row, measure, protocols, shared) if own and rest else None
    if pair is None:
        return
    for without, reason in _left_out(own, results.table.doubtful_groups):
        kept_groups = [names for names in own if names not in without]
        units, count = [*kept_groups, *rest], sum(map(len, kept_groups))
        slices = [(name,) for names in units for name in names]
        on_exposed, on_rest = pair.observed(units, len(kept_groups)) if kept_groups else (np.nan, np.nan)
        # such as a sensitivity where no slice has a lesion
        if not np.isfinite(on_exposed - on_rest):
            continue
        yield Exposure(
            row=row,
            measure=measure,
            first=first,
            second=second,
            without=tuple(", ".join(names) for names in without),
            reason=reason,
            slices=count,
            groups=len(kept_groups),
            rest_slices=len(slices) - count,
            exposed=on_exposed,
            rest=on_rest,
            by_slices=pair.random_sets(slices, count),
            by_groups=pair.random_sets(units, len(kept_groups)),
        )


def _rest(scores: pd.DataFrame, names: set[str]) -> list[Names]:
    """The names by their units."""
    unit_of = dict(zip(scores["case"], scores["unit"], strict=True))
    units: dict[str, list[str]] = {}
    for name in sorted(names):
        units.setdefault(unit_of[name], []).append(name)
    return [tuple(members) for members in units.values()]


def _left_out(own: Sequence[Names], known: Sequence[DoubtfulGroup]) -> list[tuple[list[Names], str]]:
    """Which groups are left out, and why: none, those that are doubtful, and each in turn."""
    doubtful = [(names, group.reason) for group in known for names in own if set(names) <= set(group.cases)]
    together = [names for names, _ in doubtful]
    reasons = "; ".join(dict.fromkeys(reason for _, reason in doubtful))
    of_doubtful = [(together, reasons)] if doubtful else []
    return [([], ""), *of_doubtful, *(([names], "") for names in own if [names] != together)]


@dataclass(frozen=True)
class _Pair:
    """The tallies of two protocols, whose units are the cases' names."""

    first: Tally
    second: Tally
    scale: float

    @classmethod
    def of(
        cls, results: Results, row: Row, measure: Measure, protocols: tuple[str, str], shared: set[str]
    ) -> "_Pair | None":
        def by_case(lines: pd.DataFrame) -> pd.DataFrame:
            own = lines[lines["case"].isin(shared)] if len(lines) else lines
            return own.assign(unit=own["case"]) if len(own) else own

        single = replace(results, scores=by_case(results.scores), curves=by_case(results.curves))
        first, second = (tally_of(single, protocol, row, measure) for protocol in protocols)
        return None if first is None or second is None else cls(first, second, measure.scale)

    def observed(self, units: Sequence[Names], exposed: int) -> tuple[float, float]:
        """The difference on the slices of the first ``exposed`` units, and on those of the others."""
        weights = np.array([[float(len(names)) for names in units]] * 2)
        weights[0, exposed:] = weights[1, :exposed] = 0
        on_exposed, on_rest = self._difference(weights, units)
        return float(on_exposed), float(on_rest)

    def random_sets(self, units: Sequence[Names], exposed: int) -> RandomSets:
        """Relabel the units, of which the first ``exposed`` are the set: each place keeps its weight."""
        sizes = np.array([float(len(names)) for names in units])
        places = _relabellings(len(units))
        in_set = np.where(np.arange(len(units)) < exposed, sizes, 0)
        # the unit in a place gets the weight of that place
        excess = self._excess(_placed(in_set, places), _placed(sizes - in_set, places), units)
        own = self._excess(in_set[None], (sizes - in_set)[None], units)[0]
        as_far = int(np.count_nonzero(np.abs(excess) >= np.abs(own) - 1e-12 * self.scale))
        p: float | None = (1 + as_far) / (1 + int(np.count_nonzero(np.isfinite(excess))))
        if comb(len(units), exposed) < FEWEST_RELABELLINGS:
            p = None
        rest = units[exposed:]
        if len(rest) < exposed:
            return RandomSets(None, None, p)
        drawn = self._difference(self._unrelated(sizes[:exposed], rest), rest)
        drawn = drawn[np.isfinite(drawn)]
        if len(drawn) < 2:
            return RandomSets(None, None, p)
        return RandomSets(float(drawn.mean()), float(drawn.std(ddof=1)), p)

    @staticmethod
    def _unrelated(sizes: NDArray[np.float64], rest: Sequence[Names]) -> NDArray[np.float64]:
        """Weights (draws, units) of sets that are drawn from ``rest``: a unit for each of the set's groups."""
        in_set = np.zeros(len(rest))
        in_set[: len(sizes)] = sizes
        return _placed(in_set, _relabellings(len(rest)))

    def _excess(
        self, in_set: NDArray[np.float64], in_rest: NDArray[np.float64], units: Sequence[Names]
    ) -> NDArray[np.float64]:
        return self._difference(in_set, units) - self._difference(in_rest, units)

    def _difference(self, weights: NDArray[np.float64], units: Sequence[Names]) -> NDArray[np.float64]:
        """The difference (draws,) of units with ``weights`` (draws, units), a unit being the mean of its slices."""
        unit_of = {name: (place, len(names)) for place, names in enumerate(units) for name in names}
        values = []
        for tallied in (self.first, self.second):
            of_cases = np.zeros((len(weights), len(tallied.units)))
            for column, name in enumerate(tallied.units):
                if name in unit_of:
                    place, size = unit_of[name]
                    of_cases[:, column] = weights[:, place] / size
            values.append(tallied.of_parts(of_cases))
        difference: NDArray[np.float64] = self.scale * (values[0] - values[1])
        return difference


@lru_cache(maxsize=8)
def _relabellings(count: int) -> NDArray[np.intp]:
    """(draws, count): which unit stands in each place, the same for all rows and measures."""
    generator = np.random.default_rng(SEED)
    return generator.permuted(np.tile(np.arange(count), (DRAWS, 1)), axis=1)


def _placed(weights: NDArray[np.float64], places: NDArray[np.intp]) -> NDArray[np.float64]:
    placed = np.empty(places.shape)
    np.put_along_axis(placed, places, np.broadcast_to(weights, places.shape), axis=1)
    return placed
