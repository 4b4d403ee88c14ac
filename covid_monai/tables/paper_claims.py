"""What a paper claims of its rows: contrasts between them, as the key ``claims`` of a table's YAML says them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from covid_monai.errors import InputError, did_you_mean
from covid_monai.tables.fields import Section

POINTS, RELATIVE = "points", "relative_percent"
KINDS = (POINTS, RELATIVE)
CLAIM_KEYS = ("sentence", "place", "measure", "kind", "contrast", "published", "at_least", "note")
_ROUNDING = 1e-9


@dataclass(frozen=True)
class PaperClaim:
    """A difference between rows that a paper claims.

    ``weights`` of the rows, by slug, have the sum 0, those over 0 the sum 1. With the values v of a measure, ``points``
    are the sum of weight * v in the paper's scale; ``relative_percent`` is what the product of v ** weight is over 1,
    in per cent, so that several pairs are averaged as ratios. The claim is that this is over ``at_least``, 0 where it
    is said that something is better and not by how much. ``published`` is what the paper prints for it, None where it
    prints nothing; ``note`` what a reader should know, such as where the paper contradicts itself.
    """

    sentence: str
    place: str
    measure: str
    kind: str
    weights: Mapping[str, float]
    published: float | None = None
    at_least: float = 0.0
    note: str | None = None

    @property
    def relative(self) -> bool:
        """Whether it is a ratio, in per cent over 1."""
        return self.kind == RELATIVE

    @property
    def decimals(self) -> int:
        """Those of the published value; 0 where there is none."""
        return 0 if self.published is None else len(f"{self.published:.10g}".partition(".")[2])

    def of(self, values: Mapping[str, float]) -> float:
        """The contrast of ``values`` by the rows' slugs, in the paper's scale; NaN where it is undefined."""
        if not self.relative:
            return sum(weight * values[slug] for slug, weight in self.weights.items())
        if any(not values[slug] > 0 for slug in self.weights):
            return float("nan")
        return percent_of(sum(weight * math.log(values[slug]) for slug, weight in self.weights.items()))

    def of_rows(self, published: Mapping[str, Mapping[str, float]]) -> float | None:
        """The contrast of the values that the paper prints for its rows, by slug and measure; None where it lacks one.

        Where the paper prints the contrast too, the two should agree but for its rounding.
        """
        if any(self.measure not in published[slug] for slug in self.weights):
            return None
        return self.of({slug: published[slug][self.measure] for slug in self.weights})


def percent_of(logarithm: float) -> float:
    """A ratio as the per cent that it is over 1."""
    return 100 * math.expm1(logarithm)


def read_claims(top: Section, measures: Sequence[str], slugs: Sequence[str]) -> tuple[PaperClaim, ...]:
    """The key ``claims`` of a table's YAML; none where it has none.

    Args:
        top: the whole file.
        measures: the names of the table's measures.
        slugs: those of its rows, in their order; a contrast names a row by its slug or by its number from 1.

    Raises:
        InputError: a key is missing or wrong; the message says which claim's.
    """
    if "claims" not in top:
        return ()
    return tuple(
        _claim(content, f"{top.where}, claim {number}", measures, slugs) for number, content in top.sections("claims")
    )


def _claim(content: Any, where: str, measures: Sequence[str], slugs: Sequence[str]) -> PaperClaim:
    entry = Section(content, where, CLAIM_KEYS)
    kind = entry.choice("kind", KINDS)
    at_least = entry.number("at_least") if "at_least" in entry else 0.0
    if kind == RELATIVE and not at_least > -100:
        raise InputError(f"{where}: at_least is {at_least:g}; a ratio is over -100 per cent")
    return PaperClaim(
        sentence=" ".join(entry.text("sentence").split()),
        place=entry.text("place"),
        measure=entry.choice("measure", measures),
        kind=kind,
        weights=_weights(entry, slugs),
        published=entry.number("published") if "published" in entry else None,
        at_least=at_least,
        note=" ".join(entry.text("note").split()) if "note" in entry else None,
    )


def _weights(entry: Section, slugs: Sequence[str]) -> dict[str, float]:
    """``{4: 1, 1: -1}``; or ``[[3, 1], [4, 2]]``, the mean of the pairs' differences, first minus second."""
    content = entry.content.get("contrast")
    where = f"{entry.where}, contrast"
    if isinstance(content, Mapping) and content:
        given = list(content.items())
        if wrong := [weight for _, weight in given if isinstance(weight, bool) or not isinstance(weight, int | float)]:
            raise InputError(f"{where}: the weight {wrong[0]!r} is no number")
    elif isinstance(content, list) and content and all(isinstance(pair, list) and len(pair) == 2 for pair in content):
        given = [(row, sign / len(content)) for pair in content for row, sign in zip(pair, (1, -1), strict=True)]
    else:
        raise InputError(
            f"{where} is {content!r}; it must be weights of rows such as {{4: 1, 1: -1}}, or pairs of rows such as "
            "[[3, 1], [4, 2]], whose differences are averaged"
        )
    weights: dict[str, float] = {}
    for row, weight in given:
        slug = _slug_of_row(row, slugs, where)
        weights[slug] = weights.get(slug, 0.0) + weight
    weights = {slug: weight for slug, weight in weights.items() if abs(weight) > _ROUNDING}
    total, positive = sum(weights.values()), sum(weight for weight in weights.values() if weight > 0)
    if abs(total) > _ROUNDING:
        raise InputError(f"{where}: the weights' sum is {total:g}; it must be 0, as it is a difference between rows")
    if abs(positive - 1) > _ROUNDING:
        raise InputError(f"{where}: the weights over 0 have the sum {positive:g}; it must be 1, a mean of rows")
    return weights


def _slug_of_row(row: Any, slugs: Sequence[str], where: str) -> str:
    if isinstance(row, int) and not isinstance(row, bool) and 1 <= row <= len(slugs):
        return slugs[row - 1]
    if row in slugs:
        return str(row)
    near = did_you_mean(row, list(slugs)) if isinstance(row, str) else ""
    raise InputError(f"{where} has no row {row!r}{near}; its rows: 1 to {len(slugs)}, or {', '.join(slugs)}")
