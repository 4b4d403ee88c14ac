"""The measurements as tables, each with the definitions that its numbers go by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from covid_monai.measurements.definitions import DEFINITIONS, LEVELS, SIDES
from covid_monai.study_page.numbers import ABSENT, millilitres, percent, whole


@dataclass(frozen=True)
class Table:
    """A table of measurements.

    Attributes:
        title: what it is of.
        columns: their headings, that of the rows' names first.
        rows: texts, the name first; none where all of them are unknown.
        definitions: (name, text) of what stands in it.
        unknown: why values are unknown, each reason once.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    definitions: list[tuple[str, str]]
    unknown: list[str]

    @property
    def wide(self) -> bool:
        """Whether it is of parts of the lungs, with a column for each measure."""
        return self.columns[: len(_PART_COLUMNS)] == _PART_COLUMNS


_PART_COLUMNS = ("", "lung", "lesion", "infected", "ground-glass", "consolidation")

_TERMS = {
    "region": "lung",
    "infected_percent": "infected",
    "third": "third",
    "zone": "zone",
    "zone_score": "score",
    "ct_grade": "grade",
    "lesion": "lesion",
    "floor": "floor",
    "hu": "HU",
}


def tables_of(document: Mapping[str, Any]) -> list[Table]:
    """The tables of a document of measurements."""
    return [_lungs(document), _levels(document, "zone"), _levels(document, "third"), _lesions(document), _hu(document)]


def _lungs(document: Mapping[str, Any]) -> Table:
    lungs = document["lungs"]
    rows = [_part(name, lungs[key]) for key, name in (("both", "both lungs"), ("right", "right"), ("left", "left"))]
    rows.append(_part("in the field of view", document["in_field"]))
    severity = document["severity"]
    rows = [(*row, grade) for row, grade in zip(rows, _grades(severity), strict=True)]
    used = ("region", "infected_percent", "ct_grade", "floor")
    return Table("Lungs", (*_PART_COLUMNS, "grade"), rows, _defined(used), _reasons(document, "lungs.", "in_field."))


def _grades(severity: Mapping[str, Any]) -> tuple[str, ...]:
    of_side = [(severity["worse_lung_grade"] or ABSENT) if severity["worse_lung"] == side else "" for side in SIDES]
    return severity["both_lungs_grade"] or ABSENT, *of_side, ""


def _levels(document: Mapping[str, Any], kind: str) -> Table:
    scores = document["severity"]["zone_scores"] if kind == "zone" else None
    rows = []
    for side in SIDES:
        for level in LEVELS:
            row = _part(f"{side} {level}", document[f"{kind}s"][side][level])
            rows.append(row if scores is None else (*row, whole(scores[side][level])))
    if all(cell == ABSENT for row in rows for cell in row[1:]):
        rows = []
    columns = _PART_COLUMNS if scores is None else (*_PART_COLUMNS, "score")
    used = (kind,) if scores is None else (kind, "zone_score")
    return Table(f"{kind.capitalize()}s", columns, rows, _defined(used), _reasons(document, f"{kind}s."))


def _part(name: str, part: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        name,
        millilitres(part["lung_ml"]),
        millilitres(part["lesion_ml"]),
        percent(part["infected_percent"]),
        percent(part["ground_glass_percent"]),
        percent(part["consolidation_percent"]),
    )


def _lesions(document: Mapping[str, Any]) -> Table:
    lesions, floor = document["lesions"], document["settings"]["floor_ml"]
    rows = [
        ("number", whole(lesions["count"])),
        ("largest", millilitres(lesions["largest_ml"])),
        ("mean", millilitres(lesions["mean_ml"])),
        (f"left out, under {floor:g} mL", whole(lesions["specks"])),
        ("outside the lungs", percent(lesions["outside_percent"])),
        ("pleural effusion", millilitres(document["effusion_ml"])),
    ]
    return Table("Lesions", ("", ""), rows, _defined(("lesion",)), _reasons(document, "lesions.", "effusion_ml"))


def _hu(document: Mapping[str, Any]) -> Table:
    columns = ("", "mean", "5 %", "25 %", "median", "75 %", "95 %")
    keys = ("mean", "p5", "p25", "p50", "p75", "p95")
    rows = [(name, *(whole(document["hu"][name][key]) for key in keys)) for name in ("lesion", "lung")]
    return Table("HU", columns, rows, _defined(("hu",)), _reasons(document, "hu."))


def _defined(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(_TERMS[name], DEFINITIONS[name]) for name in names]


def _reasons(document: Mapping[str, Any], *places: str) -> list[str]:
    found = dict.fromkeys(text for place, text in document["unknown"].items() if place.startswith(places))
    # a reason of both lungs is that of the right and that of the left one
    return [text for text in found if "; " not in text or not set(text.split("; ")) <= set(found)]
