"""Which lungs are wholly there: what is cut off or absent has no volume, share or grade."""

from collections.abc import Collection

import numpy as np

from covid_monai.errors import InputError
from covid_monai.measurements.definitions import SIDES, Mask
from covid_monai.measurements.region import LungRegions

EDGES = ("top", "bottom", "right", "left", "front", "back")
"""Of the field of view, in the patient's directions."""


class Completeness:
    """What of the lungs is not there, and why a value of them cannot be told then.

    The right and the left edge of the field cut the lung of that side, and the other one too where it reaches that
    edge of the array; each other edge cuts both.

    Args:
        lungs: their labels, and what cuts them.
        right_to_left: the axis of ``lungs.labels`` that runs between the sides, and whether it grows to the left.

    Raises:
        InputError: an edge or a side has another name.
    """

    def __init__(self, lungs: LungRegions, right_to_left: tuple[int, bool]) -> None:
        if unknown := (set(lungs.cut) - set(EDGES)) | (set(lungs.absent) - set(SIDES)):
            raise InputError(f"lungs are cut at or absent from {sorted(unknown)}; edges are {', '.join(EDGES)}")
        self._edges = {
            side: [edge for edge in EDGES if edge in lungs.cut and self._cuts(edge, side, lungs, right_to_left)]
            for side in SIDES
        }
        self._absent = {side for side in SIDES if side in lungs.absent or not np.any(lungs.labels == _label(side))}

    @staticmethod
    def _cuts(edge: str, side: str, lungs: LungRegions, right_to_left: tuple[int, bool]) -> bool:
        if edge not in SIDES or edge == side:
            return True
        axis, grows = right_to_left
        at_end = (edge == "left") == grows
        border = np.take(lungs.labels, -1 if at_end else 0, axis=axis)
        return bool(np.any(border == _label(side)))

    def missing(self, side: str, *, edges: Collection[str] = EDGES) -> str | None:
        """Why a lung is not wholly there; None where it is.

        Args:
            side: right or left.
            edges: those that matter for what is measured.
        """
        if side in self._absent:
            return f"the {side} lung is absent, or was not found"
        if cutting := [edge for edge in self._edges[side] if edge in edges]:
            return f"the {side} lung is cut by the field of view ({', '.join(cutting)})"
        return None

    def any_missing(self, *, edges: Collection[str] = EDGES) -> str | None:
        """Why the lungs are not both wholly there; None where they are."""
        found = [reason for side in SIDES if (reason := self.missing(side, edges=edges))]
        return "; ".join(found) or None

    def cut_at(self, edge: str) -> bool:
        """Whether an edge of the field cuts a lung that is there."""
        return any(edge in self._edges[side] for side in SIDES if side not in self._absent)


def cavity(lungs: LungRegions, side: str) -> Mask:
    """The closed cavity of a lung (i, j, k), with all that it holds."""
    return np.asarray(lungs.labels == _label(side))


def _label(side: str) -> int:
    return SIDES.index(side) + 1
