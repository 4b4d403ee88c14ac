"""Whether a published value was reproduced: a test of equivalence over the paper's own slices.

Symbols, all of one measure under the paper's own settings, classes and budget:

- ``d``: ours minus the published value, at scale 1; of specificity ``ln[(1 - ours) / (1 - published)]``, since a point
  of specificity means much more at 99.5 % than at 95 %.
- ``N``: the paper's slices; ``n_p``: those that it tested (all where it cross-validates); ``n_o``: those tested here.
- ``s``: the SD of the measure over slices. A pooled measure has no value per slice: its ``s`` comes from drawing test
  parts without replacement from the out-of-fold cases, see :func:`sd_of_drawn_parts`.
- ``s_t``: the SD of the ``k`` seeds on the same cases, pooled over the rows of the table.

Both test parts are drawn without replacement from the same ``N`` slices, and one published training stands against the
mean of ``k`` of ours::

    SE^2 = s^2 [(1/n_p - 1/N) + (1/n_o - 1/N)] + s_t^2 (1 + 1/k)

The interval is ``d`` ± t(0.975, df of s_t) SE, widened by the rounding of the published value. With a margin ``m`` it
says *reproduced* where it lies within (-m, m), *higher* or *lower* where it lies wholly outside, else *cannot tell*.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

CANNOT_TELL = "cannot tell"
LOGARITHMIC = ("specificity", "specificity_mean_over_thresholds")
"""Measures that are judged by the logarithm of the false alarms, 1 - specificity."""

VERDICT_RULE = (
    "The difference d is ours minus the published value; of specificity it is ln[(1 - ours) / (1 - published)]. "
    "Its 95 % interval is d ± t SE, with SE² = s² [(1/n_p - 1/N) + (1/n_o - 1/N)] + s_t² (1 + 1/k): N slices of "
    "the paper, n_p of them tested there and n_o here, s the SD over slices (of pooled measures from test parts "
    "drawn without replacement), s_t the SD of the k seeds on the same cases, pooled over the table's rows, whose"
    " degrees of freedom t has; it is widened by the rounding of the published value. reproduced: the interval "
    "lies within the margin. higher, lower: it lies wholly outside. cannot tell: neither, or there is no second "
    "seed, no spread at all, or 1 - specificity is 0 after rounding. no verdict: the settings, classes or budget "
    "are not the paper's own; then the difference stands alone. not comparable: what was measured is not what the"
    " paper measured, for the reason given. The verdict is about the paper's own slices; the interval over "
    "patients that stands beside is for other patients."
)


@dataclass(frozen=True)
class Verdict:
    """``word`` is reproduced, higher, lower, cannot tell, no verdict, not comparable, or "" without a paper's."""

    word: str
    reason: str = ""


@dataclass(frozen=True)
class SeedSpread:
    """``s_t``: ``sd`` of the seeds on the same cases with ``df`` degrees of freedom; 0 without a second seed."""

    sd: float
    df: int


@dataclass(frozen=True)
class SlicesTested:
    """``slices`` are N, ``published`` n_p and ``ours`` n_o of the module's formula."""

    slices: int
    published: int
    ours: int

    @property
    def factor(self) -> float:
        """What s² is multiplied with; a part of all slices adds nothing."""
        return sum(max(1 / tested - 1 / self.slices, 0.0) for tested in (self.published, self.ours))


@dataclass(frozen=True)
class Difference:
    """``value`` is d, from ``low`` to ``high``; these are None where no interval can be given, for ``reason``."""

    value: float
    low: float | None = None
    high: float | None = None
    reason: str = ""


def pooled_seed_spread(of_rows: Sequence[Sequence[float]]) -> SeedSpread:
    """``s_t`` from each row's values of its seeds on the same cases; rows with one seed add nothing."""
    groups = [np.asarray(values, dtype=np.float64) for values in of_rows if len(values) > 1]
    groups = [values for values in groups if np.isfinite(values).all()]
    df = sum(len(values) - 1 for values in groups)
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in groups)
    return SeedSpread(math.sqrt(squares / df) if df else float("nan"), df)


def standard_error(sd: float, parts: SlicesTested, seeds: SeedSpread, k: int) -> float:
    """SE of the module's formula; ``sd`` is s and ``k`` the number of our seeds."""
    return math.sqrt(sd**2 * parts.factor + seeds.sd**2 * (1 + 1 / k))


def sampling_half_width(sd: float, parts: SlicesTested) -> float:
    """Half the 95 % interval of a difference that only the drawing of the two test parts makes, without any seed."""
    return 1.959964 * sd * math.sqrt(parts.factor)


def on_scale(measure: str, value: float) -> float:
    """Where the measure (0..1) is compared: ``ln(1 - value)`` of specificity, else the value; -inf where it is 1."""
    if measure not in LOGARITHMIC:
        return value
    return math.log(1 - value) if value < 1 else -math.inf


def difference_of(
    measure: str,
    ours: float,
    published: float,
    half_unit: float,
    sd: float,
    parts: SlicesTested,
    seeds: SeedSpread,
    k: int,
) -> Difference:
    """d and its interval, at scale 1.

    Args:
        measure: its name.
        ours: our value, 0..1.
        published: the paper's value, 0..1.
        half_unit: half a unit of the paper's last printed digit.
        sd: s on the scale of :func:`on_scale`.
        parts: N, n_p and n_o.
        seeds: s_t on that scale.
        k: seeds of ours that ``ours`` is the mean of.
    """
    logarithmic = measure in LOGARITHMIC
    # without room for the rounding there is no logarithm to be widened
    if logarithmic and (ours >= 1 or 1 - published - half_unit <= 1e-12):
        value = float("nan") if ours >= 1 or published >= 1 else on_scale(measure, ours) - on_scale(measure, published)
        return Difference(value, reason="1 - specificity is 0 after rounding")
    d = on_scale(measure, ours) - on_scale(measure, published)
    if seeds.df < 1:
        return Difference(d, reason="no second seed")
    error = standard_error(sd, parts, seeds, k)
    if not error > 0:
        return Difference(d, reason="no spread" if error == 0 else "the SD over slices is not known")
    # d is the lowest for the highest specificity loss that rounds to the published value, and the other way round
    ends = [on_scale(measure, published + sign * half_unit) for sign in (-1, 1)]
    reach = float(student.ppf(0.975, seeds.df)) * error
    ours_on_scale = on_scale(measure, ours)
    return Difference(d, ours_on_scale - max(ends) - reach, ours_on_scale - min(ends) + reach)


def judge(measure: str, difference: Difference, margin: float) -> Verdict:
    """The verdict of an interval; ``margin`` is m at scale 1, of specificity the logarithm of a factor.

    Of specificity a lower d is fewer false alarms, so that ours is *higher* where d lies below the margin.
    """
    low, high = difference.low, difference.high
    if low is None or high is None:
        return Verdict(CANNOT_TELL, difference.reason)
    if -margin < low and high < margin:
        return Verdict("reproduced")
    above, below = low >= margin, high <= -margin
    if measure in LOGARITHMIC:
        above, below = below, above
    if above or below:
        return Verdict("higher" if above else "lower")
    return Verdict(CANNOT_TELL)


def sd_of_drawn_parts(
    measured: Callable[[NDArray[np.float64]], NDArray[np.float64]], cases: int, tested: int, draws: int = 1000
) -> float:
    """``s`` of a measure that has no value per slice, from test parts drawn without replacement.

    A mean of n of M cases drawn without replacement has the variance s² (1/n - 1/M). The variance of the measure over
    drawn parts divided by that bracket is therefore the s² of the module's formula, also for a ratio of sums.

    Args:
        measured: the measures (draws,), where they are compared, of parts given as 0 and 1 in (draws, cases).
        cases: M, the out-of-fold cases.
        tested: n_p; a part has that many, but at most half of the cases.
        draws: how many parts are drawn; the same seed every time.
    """
    size = min(tested, cases // 2)
    if size < 2:
        return float("nan")
    generator = np.random.default_rng(0)
    chosen = generator.random((draws, cases)).argsort(axis=1)[:, :size]
    parts = np.zeros((draws, cases))
    np.put_along_axis(parts, chosen, 1.0, axis=1)
    values = measured(parts)
    values = values[np.isfinite(values)]
    if len(values) < draws // 2:
        return float("nan")
    return float(values.std(ddof=1)) / math.sqrt(1 / size - 1 / cases)
