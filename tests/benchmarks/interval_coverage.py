"""How often 95 % intervals hold the true value, simulated for few and unequal units: ``docs/intervals.md``.

    python -m tests.benchmarks.interval_coverage 2000

The argument is the number of simulated data sets of each design; each has two raters, as two networks are, whose
sensitivity and precision vary from unit to unit, from slice to slice, and with the size of the lesion.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from covid_monai.scoring.bootstrap import ClusterBootstrap, effective_number
from covid_monai.scoring.format import table
from covid_monai.scoring.intervals import Range, Ratios, Resampled, resampled, symmetric_t

Array = NDArray[np.float64]
Bounds = tuple[float, float]

# slices with lesion and lesion pixels of the patients of part 2; the sixth has 53 % of them
PART_2 = np.array(
    [[93, 463407], [28, 224607], [11, 18467], [29, 64022], [13, 133620], [40, 1236401], [23, 181240]], dtype=np.float64
)
LARGEST, SHARE = 5, 0.533
# logarithm of the lesion pixels of a slice of part 1: mean and SD
PART_1 = (9.5, 0.97)
# logits of sensitivity and precision: mean, SD between units, SD between slices, correlation of the two raters,
# change for each unit of the logarithm of the slice's lesion pixels
MEANS, BETWEEN, WITHIN, ALIKE, SLOPE = (1.3, 1.2), 0.6, 0.6, 0.7, 0.15
SECOND_IS_LOWER = 0.25


@dataclass(frozen=True)
class Design:
    """How many units there are, and of what kind: one ``held`` at 53 %, sizes ``drawn``, ``part 1``, or ``both``."""

    kind: str
    units: int

    @property
    def words(self) -> str:
        """For a table."""
        return {
            "held": f"{self.units}, one with 53 %",
            "drawn": f"{self.units}, drawn from part 2's",
            "part 1": f"{self.units} of part 1",
            "both": f"{self.units}: 90 of part 1, 7 of part 2",
        }[self.kind]

    @property
    def sources(self) -> list[str]:
        """Of each unit."""
        return ["part 1"] * 90 + ["part 2"] * 7 if self.kind == "both" else [""] * self.units

    def sizes(self, generator: np.random.Generator) -> Array:
        """Slices and lesion pixels of each unit, (units, 2)."""
        if self.kind == "drawn":
            sizes = PART_2[generator.integers(0, len(PART_2), self.units)]
            return sizes * np.exp(np.column_stack([np.zeros(self.units), generator.normal(0, 0.3, self.units)]))
        if self.kind == "part 1":
            return _slices_of_part_1(self.units, generator)
        if self.kind == "both":
            return np.concatenate([_slices_of_part_1(90, generator), PART_2])
        others = np.delete(PART_2, LARGEST, axis=0)
        if self.units < 7:
            others = others[[0, 1, 3, 5]]
        if 7 < self.units < 30:
            more = others[np.arange(self.units - 7) % len(others)]
            others = np.concatenate([others, more])
        elif self.units >= 30:
            others = _slices_of_part_1(self.units - 1, generator)
        largest = [PART_2[LARGEST, 0], others[:, 1].sum() * SHARE / (1 - SHARE)]
        return np.vstack([others, largest])


DESIGNS = (
    *(Design("held", units) for units in (5, 7, 15, 90)),
    *(Design("drawn", units) for units in (5, 7, 15, 90)),
    Design("part 1", 90),
    Design("both", 97),
)


def _slices_of_part_1(units: int, generator: np.random.Generator) -> Array:
    slices = np.ones(units)
    slices[:4] = 2, 2, 2, 6
    return np.column_stack([slices, slices * np.exp(generator.normal(*PART_1, units))])


def _expit(values: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-values)))


def rated(sizes: Array, generator: np.random.Generator) -> dict[str, list[Ratios]]:
    """Pooled Dice, mean Dice and pooled sensitivity of the two raters."""
    count = len(sizes)
    unit = np.repeat(np.arange(count), sizes[:, 0].astype(int))
    area = generator.gamma(2.5, 0.4, len(unit)) + 0.02
    area *= (sizes[:, 1] / np.bincount(unit, area, count))[unit]
    common = [(generator.normal(size=count), generator.normal(size=len(unit))) for _ in MEANS]
    found: dict[str, list[Ratios]] = {"pooled Dice": [], "mean Dice": [], "sensitivity": []}
    for lower in (0, SECOND_IS_LOWER):
        quality = []
        for mean, effects in zip(MEANS, common, strict=True):
            of_unit, of_slice = (
                np.sqrt(ALIKE) * effect + np.sqrt(1 - ALIKE) * generator.normal(size=len(effect)) for effect in effects
            )
            size = SLOPE * (np.log(area) - PART_1[0])
            quality.append(_expit(mean - lower + BETWEEN * of_unit[unit] + WITHIN * of_slice + size))
        tp = quality[0] * area
        fn, fp = area - tp, tp * (1 / quality[1] - 1)
        pairs = {
            "pooled Dice": (2 * tp, 2 * tp + fp + fn),
            "mean Dice": (2 * tp / (2 * tp + fp + fn), np.ones(len(unit))),
            "sensitivity": (tp, area),
        }
        for name, pair in pairs.items():
            sums = [np.bincount(unit, values, count)[:, None] for values in pair]
            found[name].append(Ratios(sums[0], sums[1]))
    return found


def estimates(sizes: Array, generator: np.random.Generator) -> dict[str, tuple[Ratios, Range]]:
    """What intervals are simulated for: three measures of the first rater, two paired differences."""
    found = rated(sizes, generator)
    values = {name: (first, Range()) for name, (first, _) in found.items()}
    pairs = {name: found[name] for name in ("pooled Dice", "mean Dice")}
    differences = {f"difference in {name}": (a - b, Range().of_difference) for name, (a, b) in pairs.items()}
    return {**values, **differences}


@cache
def truth(design: Design) -> dict[str, float]:
    """The true values: those of all units of many data sets together."""
    generator = np.random.default_rng(99)
    sums: dict[str, Array] = {}
    for _ in range(4000 if design.units < 50 else 800):
        for name, (statistic, _) in estimates(design.sizes(generator), generator).items():
            totals = np.array([statistic.numerators.sum(axis=0), statistic.denominators.sum(axis=0)])
            sums[name] = sums.get(name, 0) + totals
    first, second = (1.0,), (1.0, -1.0)
    return {
        name: float(np.dot(totals[0] / totals[1], first if totals.shape[1] == 1 else second))
        for name, totals in sums.items()
    }


@dataclass(frozen=True)
class Sample:
    """An estimate of a simulated data set, and its resamples."""

    design: Design
    statistic: Ratios
    measure_range: Range
    drawn: Resampled

    def ends(self, reaches: tuple[float, float]) -> Bounds:
        """So many standard errors below and above the estimate, on the line of its range."""
        value = np.array(self.drawn.value)
        place, spread = self.measure_range.line(value), self.drawn.error * self.measure_range.slope(value)
        low, high = (self.measure_range.value(float(place + reach * spread)) for reach in reaches)
        return low, high


def percentile(of: Sample) -> Bounds:
    """As up to release 0.1, but that sources are strata where the resamples have them."""
    low, high = np.percentile(of.drawn.values, [2.5, 97.5])
    return float(low), float(high)


def bca(of: Sample) -> Bounds:
    """Efron's BCa, its acceleration from the influences."""
    (influences,) = of.statistic.drawn(np.ones((1, of.design.units)))[1]
    acceleration = (influences**3).sum() / (6 * (influences**2).sum() ** 1.5)
    bias = stats.norm.ppf(np.clip((of.drawn.values < of.drawn.value).mean(), 1e-4, 1 - 1e-4))
    ends = bias + stats.norm.ppf([0.025, 0.975])
    low, high = np.percentile(of.drawn.values, 100 * stats.norm.cdf(bias + ends / (1 - acceleration * ends)))
    return float(low), float(high)


def equal_tails(of: Sample) -> Bounds:
    """The bootstrap-t with a quantile for each side, on the same scale and with the same errors."""
    measure_range, drawn = of.measure_range, of.drawn
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = measure_range.line(drawn.values) - measure_range.line(np.array(drawn.value))
        ratios = apart / (drawn.errors * measure_range.slope(drawn.values))
    below, above = np.quantile(ratios[np.isfinite(ratios)], [0.975, 0.025])
    return of.ends((-below, -above))


def student(of: Sample) -> Bounds:
    """No bootstrap: the jackknife's error, on the same scale, with Student's t of units minus sources."""
    reach = float(stats.t.ppf(0.975, of.design.units - len(set(of.design.sources))))
    return of.ends((-reach, reach))


def chosen(of: Sample) -> Bounds:
    """That of the package."""
    return symmetric_t(of.drawn, of.measure_range)


Method = Callable[[Sample], Bounds]
ONE_STRATUM, CHOSEN = "percentile, one stratum", "symmetric bootstrap-t"
METHODS: dict[str, Method] = {
    ONE_STRATUM: percentile,
    "percentile": percentile,
    "BCa": bca,
    "Student's t": student,
    "bootstrap-t, equal tails": equal_tails,
    CHOSEN: chosen,
}


@cache
def _bootstrap(sources: tuple[str, ...]) -> ClusterBootstrap:
    return ClusterBootstrap(range(len(sources)), strata=sources)


@dataclass(frozen=True)
class Coverage:
    """How often intervals held the true value, how wide they are in the middle, and the mean effective number."""

    held: float
    width: float
    effective: float


def simulate(design: Design, sets: int, methods: dict[str, Method]) -> dict[tuple[str, str], Coverage]:
    """By estimate and method, over simulated data sets; the same ones for the same design."""
    bootstrap, one, true = _bootstrap(tuple(design.sources)), _bootstrap(("",) * design.units), truth(design)
    found: dict[tuple[str, str], list[tuple[bool, float, float]]] = {}
    for sample in _samples(design, sets):
        for name, (statistic, measure_range) in sample.items():
            effective = effective_number(statistic.contributions)
            drawn = resampled(statistic, bootstrap)
            of_one = resampled(statistic, one) if one is not bootstrap and ONE_STRATUM in methods else drawn
            for method, make in methods.items():
                resamples = of_one if method == ONE_STRATUM else drawn
                low, high = make(Sample(design, statistic, measure_range, resamples))
                found.setdefault((name, method), []).append((low <= true[name] <= high, high - low, effective))
    columns = {key: np.array(values, dtype=np.float64) for key, values in found.items()}
    return {
        key: Coverage(float(of[:, 0].mean()), float(np.median(of[:, 1])), float(of[:, 2].mean()))
        for key, of in columns.items()
    }


def _samples(design: Design, sets: int) -> Iterator[dict[str, tuple[Ratios, Range]]]:
    generator = np.random.default_rng(5)
    for _ in range(sets):
        yield estimates(design.sizes(generator), generator)


def main(sets: int) -> None:
    """Print the tables of the page."""
    simulated = {design: simulate(design, sets, METHODS) for design in DESIGNS}
    names = list(dict.fromkeys(name for name, _ in simulated[DESIGNS[0]]))
    rows = []
    for design, found in simulated.items():
        effective = [f"{found[name, CHOSEN].effective:.1f}" for name in ("pooled Dice", "mean Dice")]
        cells = [f"{found[name, CHOSEN].held:.3f} ({found[name, CHOSEN].width:.2f})" for name in names]
        rows.append([design.words, *effective, *cells])
    print(table(["units", "effective, pooled", "effective, mean", *names], rows), end="\n\n")
    rows = []
    for method in METHODS:
        held = [found[name, method].held for found in simulated.values() for name in names]
        cells = [f"{simulated[design]['pooled Dice', method].held:.3f}" for design in DESIGNS]
        rows.append([method, f"{min(held):.3f}", f"{np.mean(held):.3f}", f"{max(held):.3f}", *cells])
    print(table(["method", "lowest", "mean", "highest", *(design.words for design in DESIGNS)], rows))


if __name__ == "__main__":
    main(int(sys.argv[1]))
