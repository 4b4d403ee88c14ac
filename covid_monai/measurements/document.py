"""All that is measured of a CT, as a JSON document and as a row of a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from covid_monai.measurements.definitions import DEFINITIONS, DEFINITIONS_VERSION, DOCUMENT, Number, Unknown
from covid_monai.measurements.hu_statistics import HUStatistics
from covid_monai.measurements.lesions import Lesions
from covid_monai.measurements.severity import HIGHEST_SUM, Severity
from covid_monai.measurements.volumes import Part
from covid_monai.measurements.zones import Planes

FORMAT = "covid-monai measurements"
VERSION = 1

_DECIMALS = 4


@dataclass(frozen=True)
class Measurements:
    """What :func:`covid_monai.measurements.measure` found; values are numbers, or say why they are unknown.

    Attributes:
        settings: what the definitions leave open, such as the floors, and how lesions were divided.
        lungs: ``both``, ``right`` and ``left``; unknown where a lung is absent or cut.
        in_field: both lungs as far as the field of view shows them.
        thirds: by side, then by level (upper, middle, lower).
        planes: the heights that part the zones.
        zones: by side, then by level.
        severity: scores and grades.
        lesions: how many, how large.
        hu: of ``lesion`` and of ``lung``, which is R with its lesions.
        effusion_ml: pleural effusion of the mask, wherever it lies.
        warnings: what is not as sure as one may believe.
    """

    settings: Mapping[str, float | str]
    lungs: Mapping[str, Part]
    in_field: Part
    thirds: Mapping[str, Mapping[str, Part]]
    planes: Planes
    zones: Mapping[str, Mapping[str, Part]]
    severity: Severity
    lesions: Lesions
    hu: Mapping[str, HUStatistics]
    effusion_ml: Number
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What ``measurements.json`` has: unknown values are null, and ``unknown`` says why, by their place."""
        values = {
            "lungs": self.lungs,
            "in_field": self.in_field,
            "thirds": self.thirds,
            "planes_mm": self.planes,
            "zones": self.zones,
            "severity": self.severity,
            "lesions": self.lesions,
            "hu": self.hu,
            "effusion_ml": self.effusion_ml,
        }
        unknown = {".".join(place): value.reason for place, value in _leaves(values) if isinstance(value, Unknown)}
        return {
            "format": FORMAT,
            "version": VERSION,
            "definitions": {"version": DEFINITIONS_VERSION, "document": DOCUMENT, **DEFINITIONS},
            "settings": dict(self.settings),
            **_plain(values),
            "unknown": unknown,
            "warnings": list(self.warnings),
        }

    def to_row(self) -> dict[str, float | str | None]:
        """What a row of ``measurements.csv`` has; see :func:`row_of`."""
        return row_of(self.to_dict())


def row_of(content: Mapping[str, Any]) -> dict[str, float | str | None]:
    """The values of a document, each under the names of its places, joined by underscores.

    ``both_infected_percent``, ``right_upper_third_lesion_ml``, ``left_lower_zone_score`` and the like; unknown values
    are None, and the column ``unknown`` has the reasons.

    Args:
        content: of :meth:`Measurements.to_dict`.
    """
    severity = content["severity"]
    row: dict[str, float | str | None] = {
        "definitions_version": content["definitions"]["version"],
        **content["settings"],
        **{name: severity[name] for name in ("worse_lung_grade", "both_lungs_grade", "worse_lung", "zone_score_sum")},
    }
    for name, part in (*content["lungs"].items(), ("in_field", content["in_field"])):
        row |= _columns(name, part)
    for kind in ("zone", "third"):
        for side, levels in content[f"{kind}s"].items():
            for level, part in levels.items():
                row |= _columns(f"{side}_{level}_{kind}", part)
                if kind == "zone":
                    row[f"{side}_{level}_zone_score"] = severity["zone_scores"][side][level]
    row |= _columns("lesions", content["lesions"])
    for name, statistics in content["hu"].items():
        row |= _columns(f"{name}_hu", statistics)
    row["effusion_ml"] = content["effusion_ml"]
    row["unknown"] = "; ".join(dict.fromkeys(content["unknown"].values()))
    row["warnings"] = "; ".join(content["warnings"])
    return row


def summary_of(content: Mapping[str, Any]) -> str:
    """A document in a line, for a terminal.

    Args:
        content: of :meth:`Measurements.to_dict`.
    """
    lungs, severity, lesions = content["lungs"], content["severity"], content["lesions"]
    if lungs["both"]["infected_percent"] is None:
        shown = content["in_field"]["infected_percent"]
        seen = "" if shown is None else f"; {shown:.2f} % of what the field of view shows"
        return f"infected share unknown: {content['unknown']['lungs.both.infected_percent']}{seen}"
    right, left, both = (lungs[name]["infected_percent"] for name in ("right", "left", "both"))
    line = f"infected: {both:.2f} % of the lungs (right {right:.2f} %, left {left:.2f} %); "
    line += f"{severity['both_lungs_grade']}, worse lung {severity['worse_lung_grade']}"
    line += "" if severity["zone_score_sum"] is None else f", zone score {severity['zone_score_sum']} of {HIGHEST_SUM}"
    if lesions["specks"]:
        line += f"; {lesions['specks']} lesions under {content['settings']['floor_ml']:g} mL left out"
    return line


def _columns(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in values.items()}


def _inner(value: Any) -> Mapping[str, Any] | None:
    """The values within a mapping or a dataclass; None for a value itself."""
    if isinstance(value, Mapping):
        return value
    if is_dataclass(value) and not isinstance(value, Unknown):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None


def _leaves(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = _inner(value)
    if inner is None:
        yield place, value
        return
    for name, each in inner.items():
        yield from _leaves(each, (*place, name))


def _plain(value: Any) -> Any:
    """As JSON has it: unknown is null, and no more decimals than mean something."""
    inner = _inner(value)
    if inner is not None:
        return {name: _plain(each) for name, each in inner.items()}
    if isinstance(value, Unknown):
        return None
    return round(value, _DECIMALS) if isinstance(value, float) else value
