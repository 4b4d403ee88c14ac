"""Whether a value was reproduced, by one written rule."""

from dataclasses import dataclass

from covid_monai.scoring.intervals import FEWEST_CLUSTERS

NO_INTERVAL = "no interval"
POINTS = 0.03
"""How far our mean may be from the paper's value, at scale 1: 3 points."""

VERDICT_RULE = (
    "reproduced: the paper's value lies in our 95 % interval and within 3 points (0.03 at scale 1) of our mean. "
    "higher, lower: it does not, and our mean is above or below it. not comparable: what was measured is not what "
    "the paper measured, for the reason given; no verdict then. Where no interval can be given (fewer than "
    f"{FEWEST_CLUSTERS} units, or a measure that is not known case by case) the 3 points alone decide, and the "
    "verdict says so. With a smaller budget its name follows: then the word tells how the value falls, not whether "
    "the paper's training was repeated."
)


@dataclass(frozen=True)
class Verdict:
    """``word`` is one of reproduced, higher, lower, not comparable, or "" where the paper gives no value."""

    word: str
    reason: str = ""


def verdict(
    paper: float | None,
    mean: float | None,
    interval: tuple[float, float] | None,
    scale: float,
    not_comparable: str | None = None,
) -> Verdict:
    """Judge our ``mean`` and its ``interval`` against the paper's value, all in the paper's scale.

    Args:
        paper: the paper's value; None where it has none.
        mean: ours over the cells; None where it is undefined.
        interval: ours; None where there is none.
        scale: what a measure of 1 is in the paper, such as 100.
        not_comparable: why the two cannot be compared; None where they can.
    """
    if paper is None or mean is None:
        return Verdict("")
    if not_comparable is not None:
        return Verdict("not comparable", not_comparable)
    near = abs(mean - paper) <= POINTS * scale * (1 + 1e-9)
    inside = interval is None or interval[0] <= paper <= interval[1]
    word = "reproduced" if near and inside else "higher" if mean > paper else "lower"
    return Verdict(word, NO_INTERVAL if interval is None else "")
