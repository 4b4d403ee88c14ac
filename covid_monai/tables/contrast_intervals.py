"""How uncertain a contrast of trained networks is: by the units that were tested, and by the seeds of the trainings.

Neither has to do with the other. The units give an interval from c - a to c + b around the contrast c, for which the
same units are drawn for all networks. The seeds give ``SE_t^2 = s_t^2 * sum(weight^2 / k)``, with s_t of
:mod:`covid_monai.tables.verdict` and the k seeds of each network. With t of the degrees of freedom of s_t the interval
of both goes from ``c - sqrt(a^2 + (t SE_t)^2)`` to ``c + sqrt(b^2 + (t SE_t)^2)``: the recovery of variances from
intervals (Zou and Donner, Statistics in Medicine 27 (2008) 1693).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import t as student

from covid_monai.tables.verdict import SeedSpread

_TAIL = 0.975


@dataclass(frozen=True)
class ContrastInterval:
    """A contrast, its 95 % interval over ``units`` from ``low`` to ``high``, and SE_t with its degrees of freedom."""

    value: float
    low: float
    high: float
    units: int
    seeds_error: float
    df: int

    def with_seeds(self) -> tuple[float, float]:
        """The 95 % interval of units and seeds."""
        reach = float(student.ppf(_TAIL, self.df)) * self.seeds_error
        return self.value - math.hypot(self.value - self.low, reach), self.value + math.hypot(
            self.high - self.value, reach
        )

    def p_against(self, claimed: float) -> float | None:
        """Two-sided, that the contrast is ``claimed``: under 0.05 where :meth:`with_seeds` leaves it out.

        None without any spread. The degrees of freedom of the t are Satterthwaite's, those of the units one less than
        there are.
        """
        low, high = self.with_seeds()
        above = self.value > claimed
        reach, of_units = (
            (self.value - low, self.value - self.low) if above else (high - self.value, self.high - self.value)
        )
        if not reach > 0:
            return None
        df = self._degrees_of_freedom(of_units)
        return float(2 * student.sf(student.ppf(_TAIL, df) * abs(self.value - claimed) / reach, df))

    def _degrees_of_freedom(self, of_units: float) -> float:
        of_unit_df = max(self.units - 1, 1)
        variance_of_units = (of_units / float(student.ppf(_TAIL, of_unit_df))) ** 2
        variance_of_seeds = self.seeds_error**2
        return (variance_of_units + variance_of_seeds) ** 2 / (
            variance_of_units**2 / of_unit_df + variance_of_seeds**2 / self.df
        )


def seeds_error_of(weights: Mapping[str, float], seeds: Mapping[str, int], spread: SeedSpread) -> float:
    """SE_t of the module's formula, from each network's weight and number of seeds."""
    return spread.sd * math.sqrt(sum(weights[name] ** 2 / seeds[name] for name in seeds))
