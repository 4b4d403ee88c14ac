"""Scores and grades from infected shares: surrogates of what a radiologist estimates by eye."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from covid_monai.measurements.definitions import SIDES, Number, Unknown
from covid_monai.measurements.volumes import Part

QUARTERS = (25.0, 50.0, 75.0)
"""Percent of a zone or lung at which scores and grades change."""

HIGHEST_SUM = 24


@dataclass(frozen=True)
class Severity:
    """How much of the lungs is infected, in the grades of the literature.

    Attributes:
        zone_scores: 0 to 4, by side and level.
        zone_score_sum: 0 to 24; unknown where one of the six is.
        worse_lung: the side with the larger infected share; right where they are equal.
        worse_lung_grade: CT-0 to CT-4, of that lung.
        both_lungs_grade: CT-0 to CT-4, of both lungs together.
    """

    zone_scores: dict[str, dict[str, Number]]
    zone_score_sum: Number
    worse_lung: str | Unknown
    worse_lung_grade: str | Unknown
    both_lungs_grade: str | Unknown


def zone_score(percent: float, *, floor_percent: float) -> int:
    """The score of a zone: 0 under the floor, 1 under 25 %, 2 under 50 %, 3 under 75 %, 4 from 75 % on."""
    return 0 if percent < floor_percent or percent == 0 else 1 + bisect_right(QUARTERS, percent)


def ct_grade(percent: float, *, floor_percent: float) -> str:
    """The grade of a lung: CT-0 under the floor, CT-1 to 25 %, CT-2 to 50 %, CT-3 to 75 %, CT-4 above."""
    grade = 0 if percent < floor_percent or percent == 0 else 1 + bisect_left(QUARTERS, percent)
    return f"CT-{grade}"


def severity_of(
    lungs: Mapping[str, Part], zones: Mapping[str, Mapping[str, Part]], *, floor_percent: float
) -> Severity:
    """The scores and grades of a CT.

    Args:
        lungs: ``both``, ``right`` and ``left``.
        zones: by side, then by level.
        floor_percent: infected shares under it count as 0.
    """
    scores: dict[str, dict[str, Number]] = {side: {} for side in SIDES}
    for side in SIDES:
        for level, zone in zones[side].items():
            share = zone.infected_percent
            scores[side][level] = (
                share if isinstance(share, Unknown) else zone_score(share, floor_percent=floor_percent)
            )
    worse = _worse(lungs)
    return Severity(
        zone_scores=scores,
        zone_score_sum=_sum([score for each in scores.values() for score in each.values()]),
        worse_lung=worse,
        worse_lung_grade=worse if isinstance(worse, Unknown) else _grade(lungs[worse], floor_percent),
        both_lungs_grade=_grade(lungs["both"], floor_percent),
    )


def _worse(lungs: Mapping[str, Part]) -> str | Unknown:
    shares: dict[str, float] = {}
    for side in SIDES:
        share = lungs[side].infected_percent
        if isinstance(share, Unknown):
            return share
        shares[side] = share
    return max(SIDES, key=lambda side: shares[side])


def _grade(lung: Part, floor_percent: float) -> str | Unknown:
    share = lung.infected_percent
    return share if isinstance(share, Unknown) else ct_grade(share, floor_percent=floor_percent)


def _sum(scores: list[Number]) -> Number:
    total = 0.0
    for score in scores:
        if isinstance(score, Unknown):
            return score
        total += score
    return int(total)
