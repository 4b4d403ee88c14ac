"""Copies of training slices, turned and scaled, as published augmentations make them before training."""

from collections.abc import Mapping, Sequence
from typing import Any

from covid_monai.errors import InputError


def augmented_copies(
    cases: Sequence[Mapping[str, Any]], quarter_turns: Sequence[int], scalings: Sequence[float]
) -> list[dict[str, Any]]:
    """Every case as it is, and once for each turn and each scaling.

    Chen et al. 2020 turn every slice by 90, 180 and 270 degrees and scale it by 0.5 and 1.5: 600 slices of 100.

    Args:
        cases: a datalist, as :func:`covid_monai.data.datalist` makes it; only ever that of a training part, or the
            copies leak into what is scored.
        quarter_turns: turns by 90 degrees, 1 to 3.
        scalings: factors over 0 about the slice's centre; the canvas stays.

    Returns:
        The cases with ``quarter_turns`` and ``scaling``, which :class:`covid_monai.transforms.AugmentedCopyd`
        reads; a copy's ``case`` says what it is, such as ``p1_s4 turned 90`` or ``p1_s4 scaled 0.5``.

    Raises:
        InputError: a turn or scaling is impossible.
    """
    if any(turns not in (1, 2, 3) for turns in quarter_turns):
        raise InputError(f"quarter turns are {list(quarter_turns)}; each can be 1, 2 or 3 (times 90 degrees)")
    if any(not scaling > 0 for scaling in scalings):
        raise InputError(f"scalings are {list(scalings)}; each must be over 0, such as 0.5 or 1.5")
    copies = []
    for case in cases:
        name = case["case"]
        copies.append({**case, "quarter_turns": 0, "scaling": 1.0})
        copies += [
            {**case, "case": f"{name} turned {90 * turns}", "quarter_turns": turns, "scaling": 1.0}
            for turns in quarter_turns
        ]
        copies += [
            {**case, "case": f"{name} scaled {scaling:g}", "quarter_turns": 0, "scaling": float(scaling)}
            for scaling in scalings
        ]
    return copies
