"""What was found, in one sentence and four numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from covid_monai.measurements.severity import HIGHEST_SUM
from covid_monai.study_page.numbers import ABSENT, millilitres, percent, reason

_MOSTLY = 2 / 3


@dataclass(frozen=True)
class Figure:
    """A number with its name, and a line that says more or why it is unknown."""

    name: str
    value: str
    note: str


def sentence_of(document: Mapping[str, Any]) -> str:
    """A document of measurements in a sentence."""
    lungs, field = document["lungs"], document["in_field"]
    both = lungs["both"]
    if both["infected_percent"] is None:
        seen = field["infected_percent"]
        if seen is None:
            return "Nothing can be said of the lungs."
        found = "No lesion is seen in" if not document["lesions"]["count"] else f"Lesions fill {percent(seen)} of"
        return f"{found} what the field of view shows of the lungs; the share of whole lungs is unknown."
    if not document["lesions"]["count"]:
        return "No lesion was found in the lungs."
    sides = {side: lungs[side]["infected_percent"] for side in ("right", "left")}
    sentence = f"Lesions fill {percent(both['infected_percent'])} of the lungs"
    if None not in sides.values():
        sentence += f", {percent(sides['right'])} of the right and {percent(sides['left'])} of the left one"
    return f"{sentence}{_kinds(both)}."


def because_of(document: Mapping[str, Any]) -> str | None:
    """Why the sentence has no share of whole lungs; None where it has."""
    return reason(document, "lungs.both.infected_percent")


def _kinds(part: Mapping[str, Any]) -> str:
    """Which kind of lesion prevails, where kinds are known."""
    ground_glass, lesion = part["ground_glass_percent"], part["infected_percent"]
    if ground_glass is None or part["consolidation_percent"] is None or not lesion:
        return ""
    share = ground_glass / lesion
    if share >= _MOSTLY:
        return "; mostly ground-glass"
    return "; mostly consolidation" if share <= 1 - _MOSTLY else "; ground-glass and consolidation"


def figures_of(document: Mapping[str, Any]) -> list[Figure]:
    """The infected share, the volume, the grade and the zone score."""
    return [_share(document), _volume(document), _grade(document), _score(document)]


def _share(document: Mapping[str, Any]) -> Figure:
    lungs = document["lungs"]
    if (share := lungs["both"]["infected_percent"]) is not None:
        sides = (
            f"right {percent(lungs['right']['infected_percent'])}, left {percent(lungs['left']['infected_percent'])}"
        )
        return Figure("Infected share of the lungs", percent(share), sides)
    if (seen := document["in_field"]["infected_percent"]) is not None:
        return Figure("Infected share", percent(seen), "of what the field of view shows of the lungs")
    return Figure("Infected share of the lungs", ABSENT, reason(document, "lungs.both.infected_percent") or "")


def _volume(document: Mapping[str, Any]) -> Figure:
    place = "lungs.both" if document["lungs"]["both"]["lesion_ml"] is not None else "in_field"
    part = document["in_field"] if place == "in_field" else document["lungs"]["both"]
    if part["lesion_ml"] is None:
        return Figure("Lesion volume", ABSENT, reason(document, f"{place}.lesion_ml") or "")
    note = "in the field of view" if place == "in_field" else f"of {millilitres(part['lung_ml'])} of lung"
    if None not in (part["ground_glass_ml"], part["consolidation_ml"]):
        note = f"ground-glass {millilitres(part['ground_glass_ml'])}, "
        note += f"consolidation {millilitres(part['consolidation_ml'])}"
    return Figure("Lesion volume", millilitres(part["lesion_ml"]), note)


def _grade(document: Mapping[str, Any]) -> Figure:
    severity = document["severity"]
    if severity["worse_lung_grade"] is None:
        return Figure("Grade of the worse lung", ABSENT, reason(document, "severity.worse_lung_grade") or "")
    note = f"{severity['worse_lung']} lung; both lungs {severity['both_lungs_grade'] or ABSENT}"
    return Figure("Grade of the worse lung", severity["worse_lung_grade"], note)


def _score(document: Mapping[str, Any]) -> Figure:
    total = document["severity"]["zone_score_sum"]
    if total is None:
        return Figure("Zone score", ABSENT, reason(document, "severity.zone_score_sum") or "")
    return Figure("Zone score", f"{total} of {HIGHEST_SUM}", "six zones, 0 to 4 each")
