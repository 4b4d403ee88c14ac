"""Numbers as they are read: as many digits as mean something."""

from collections.abc import Mapping
from typing import Any

ABSENT = "\N{EN DASH}"
"""Stands where a value is unknown."""


def percent(value: float | None) -> str:
    """A share, such as ``12.3 %``."""
    return ABSENT if value is None else f"{_digits(value)} %"


def millilitres(value: float | None) -> str:
    """A volume, such as ``48.1 mL``."""
    return ABSENT if value is None else f"{_digits(value)} mL"


def whole(value: float | None) -> str:
    """A number without decimals."""
    return ABSENT if value is None else f"{value:,.0f}".replace(",", " ").replace("-", "\N{MINUS SIGN}")


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    if 0 < value < 0.1:
        return "under 0.1"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}".replace(",", " ")


def reason(document: Mapping[str, Any], place: str) -> str | None:
    """Why a value of a document of measurements is unknown; None where it is known.

    Args:
        document: of :meth:`covid_monai.measurements.Measurements.to_dict`.
        place: such as ``lungs.both.infected_percent``.
    """
    found: str | None = document["unknown"].get(place)
    return found
