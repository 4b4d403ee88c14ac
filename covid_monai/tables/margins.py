"""What a table says of how its rows are judged: the paper's slices, and how far a reproduced value may be away."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from covid_monai.data.manifest import LABELS
from covid_monai.errors import InputError
from covid_monai.tables.fields import Section
from covid_monai.tables.verdict import LOGARITHMIC


@dataclass(frozen=True)
class Judging:
    """What verdicts need to know of the paper; the formula is in :mod:`covid_monai.tables.verdict`.

    ``slices`` are all of the paper's, of which it ``tested`` some: all of them where it cross-validates. ``labels`` are
    those of its masks that count as lesion (:data:`covid_monai.data.manifest.LABELS`). ``margins`` are by measure, in
    the paper's scale; of specificity a factor of the false alarms. ``reason`` says why these margins.
    """

    slices: int
    tested: int
    labels: tuple[int, ...]
    margins: Mapping[str, float]
    reason: str

    def margin_of(self, measure: str, scale: float) -> float | None:
        """m of a measure that is ``scale`` times ours in the paper, where the two are compared; None without one."""
        margin = self.margins.get(measure)
        if margin is None:
            return None
        return math.log(margin) if measure in LOGARITHMIC else margin / scale

    def sentence(self) -> str:
        """The margins and the numbers of slices in words."""
        margins = ", ".join(
            f"a factor of {margin:g} in the false alarms ({name.replace('_', ' ')})"
            if name in LOGARITHMIC
            else f"{margin:g} ({name.replace('_', ' ')})"
            for name, margin in self.margins.items()
        )
        return f"Margins: {margins}. Why: {self.reason}. N = {self.slices}, n_p = {self.tested}."


def read_judging(top: Section, measures: Iterable[str]) -> Judging:
    """The key ``judging`` of a table's YAML.

    Args:
        top: the whole file.
        measures: the names of the table's measures.

    Raises:
        InputError: a key is missing or wrong; the message says where.
    """
    entry = top.section("judging", tuple(Judging.__dataclass_fields__))
    slices, tested = entry.whole("slices"), entry.whole("tested")
    if tested > slices:
        raise InputError(f"{entry.where}: tested is {tested}, more than the paper's {slices} slices")
    section = entry.section("margins", tuple(measures))
    margins = {name: section.number(name) for name in section}
    for name, margin in margins.items():
        least = 1 if name in LOGARITHMIC else 0
        if not margin > least:
            raise InputError(f"{section.where}: {name} is {margin:g}; it must be over {least}")
    labels = entry.content.get("labels")
    if not isinstance(labels, list) or not labels or any(label not in LABELS or label == 0 for label in labels):
        known = ", ".join(str(label) for label in LABELS if label)
        raise InputError(f"{entry.where}: labels is {labels!r}; it must be a list of {known}")
    return Judging(slices, tested, tuple(labels), margins, " ".join(entry.text("reason").split()))
