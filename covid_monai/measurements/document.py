"""All that is measured of a CT, as a JSON document and as a row of a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from covid_monai.measurements.definitions import DEFINITIONS, DEFINITIONS_VERSION, DOCUMENT, Number, Unknown
from covid_monai.measurements.hu_statistics import HUStatistics
from covid_monai.measurements.lesions import Lesions
from covid_monai.measurements.severity import Severity
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
        """What a row of ``measurements.csv`` has: the values of :meth:`to_dict` by their place, with underscores.

        ``both_infected_percent``, ``right_upper_third_lesion_ml``, ``left_lower_zone_score`` and the like; unknown
        values are None, and the column ``unknown`` has the reasons.
        """
        row: dict[str, Any] = {
            "definitions_version": DEFINITIONS_VERSION,
            **self.settings,
            "worse_lung_grade": self.severity.worse_lung_grade,
            "both_lungs_grade": self.severity.both_lungs_grade,
            "worse_lung": self.severity.worse_lung,
            "zone_score_sum": self.severity.zone_score_sum,
        }
        for name, part in self.lungs.items():
            row |= _columns(name, part)
        row |= _columns("in_field", self.in_field)
        for kind, parts in (("zone", self.zones), ("third", self.thirds)):
            for side, levels in parts.items():
                for level, part in levels.items():
                    row |= _columns(f"{side}_{level}_{kind}", part)
                    if kind == "zone":
                        row[f"{side}_{level}_zone_score"] = self.severity.zone_scores[side][level]
        row |= _columns("lesion", self.lesions)
        for name, statistics in self.hu.items():
            row |= _columns(f"{name}_hu", statistics)
        row |= {"effusion_ml": self.effusion_ml}
        reasons = dict.fromkeys(value.reason for value in row.values() if isinstance(value, Unknown))
        row |= {"unknown": "; ".join(reasons), "warnings": "; ".join(self.warnings)}
        return {name: _plain(value) for name, value in row.items()}


def _columns(prefix: str, values: Any) -> dict[str, Any]:
    """The fields of a dataclass, each under the prefix and its own name."""
    return {f"{prefix}_{field.name}": getattr(values, field.name) for field in fields(values)}


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
