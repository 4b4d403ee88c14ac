"""How values and names are written, in a text as on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from covid_monai.scoring.measures import MEASURES

ABSENT = "–"  # noqa: RUF001
_NAMES_LISTED = 5


@dataclass(frozen=True)
class Cell:
    """A value, its interval, and how many values of all it used where some were left out; "" for none."""

    value: str
    interval: str
    used: str


def measure_cell(measure: dict[str, Any] | None, name: str) -> Cell:
    """A measure of ``scores.json`` as text; ``name`` decides its digits."""
    if measure is None or measure["value"] is None:
        return Cell(ABSENT, "", "")
    digits = MEASURES[name].digits
    bounds = ", ".join(f"{bound:.{digits}f}" for bound in measure["interval"] or ())
    absent = sum(measure.get("left_out", {}).values())
    return Cell(
        f"{measure['value']:.{digits}f}",
        f"[{bounds}]" if bounds else "",
        f"{measure['used']} of {measure['used'] + absent}" if absent else "",
    )


def in_words(level: str) -> str:
    """A level's name in words."""
    return level.replace("_", " ")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def listed(names: Sequence[str]) -> str:
    """The first of many names."""
    return ", ".join(names[:_NAMES_LISTED]) + (", ..." if len(names) > _NAMES_LISTED else "")
