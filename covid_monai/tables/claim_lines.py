"""The paper's claims as lines of text and as columns, for table.md, the page, table.json and claims.csv."""

from collections.abc import Sequence
from typing import Any

from covid_monai.scoring.format import ABSENT
from covid_monai.tables.claim_verdicts import JudgedClaim
from covid_monai.tables.render import Lines, digits_of, p_text, plain, verdict_text, with_interval
from covid_monai.tables.results import Results

CLAIM_COLUMNS = (
    "claim",
    "sentence",
    "place",
    "note",
    "measure",
    "kind",
    "contrast",
    "at_least",
    "published",
    "published_rows",
    "protocol",
    "cases",
    "seeds",
    "value",
    "value_low",
    "value_high",
    "with_seeds_low",
    "with_seeds_high",
    "p",
    "p_holm",
    "verdict",
    "reason",
)
"""Columns of claims.csv and keys of ``claims`` in table.json."""


def claim_lines(results: Results, claims: Sequence[JudgedClaim]) -> Lines:
    """A line a claim and protocol, the claims in the order of the table's YAML."""
    header = ["claim", "place in the paper", "protocol", "published", "by its rows", "ours, 95 % over patients"]
    header += ["95 % with the seeds", "seeds", "cases", "p", "p (Holm)", "verdict"]
    ordered = sorted(claims, key=lambda judged: judged.number)
    return Lines("What the paper claims", "", header, [_line(results, judged) for judged in ordered])


def claim_notes(claims: Sequence[JudgedClaim]) -> list[str]:
    """What a reader of the claims should know, each claim's once."""
    notes = {judged.number: judged.claim.note for judged in claims if judged.claim.note}
    return [f"Claim {number}: {note}." for number, note in sorted(notes.items())]


def claim_record(results: Results, judged: JudgedClaim) -> dict[str, Any]:
    """A claim's :data:`CLAIM_COLUMNS`; points in the paper's scale, rows by their labels."""
    claim, value = judged.claim, judged.value
    low, high = value.interval if value is not None and value.interval else (None, None)
    both_low, both_high = judged.with_seeds or (None, None)
    content = {
        **{"claim": judged.number, "sentence": claim.sentence, "place": claim.place, "note": claim.note or ""},
        **{"measure": claim.measure, "kind": claim.kind, "contrast": contrast_text(results, judged)},
        **{"at_least": claim.at_least, "published": claim.published, "published_rows": judged.of_rows},
        **{"protocol": judged.protocol, "cases": judged.cases, "seeds": judged.seeds},
        **{"value": None if value is None else value.value, "value_low": low, "value_high": high},
        **{"with_seeds_low": both_low, "with_seeds_high": both_high, "p": judged.p, "p_holm": judged.p_holm},
        **{"verdict": judged.verdict.word, "reason": judged.verdict.reason},
    }
    return {key: content[key] for key in CLAIM_COLUMNS}


def contrast_text(results: Results, judged: JudgedClaim) -> str:
    """The rows of a claim, such as ``mean of Ours + DL, Ours + FTL against mean of Baseline + DL, Baseline + FTL``."""
    weights = judged.claim.weights
    sides = []
    for sign in (1, -1):
        own = {row.label: sign * weights.get(row.slug, 0.0) for row in results.table.rows}
        own = {label: weight for label, weight in own.items() if weight > 0}
        equal = len({round(weight, 9) for weight in own.values()}) == 1
        named = list(own) if equal else [f"{weight:.3g} {label}" for label, weight in own.items()]
        sides.append(f"mean of {'; '.join(named)}" if len(named) > 1 else named[0])
    return " against ".join(sides)


def _line(results: Results, judged: JudgedClaim) -> list[str]:
    claim, measure = judged.claim, results.table.measures[judged.claim.measure]
    digits = max(claim.decimals, 1 if claim.relative else digits_of(measure, results.table))
    unit = " %" if claim.relative else ""
    both = f"[{', '.join(plain(end, digits, '+') for end in judged.with_seeds)}]" if judged.with_seeds else ABSENT
    return [
        f"{judged.number}. {claim.sentence} ({contrast_text(results, judged)})",
        claim.place,
        judged.protocol,
        _published(claim.published, digits, unit),
        _published(judged.of_rows, digits, unit),
        with_interval(judged.value, digits, sign="+") + (unit if judged.value else ""),
        both,
        str(judged.seeds),
        str(judged.cases),
        p_text(judged.p),
        p_text(judged.p_holm),
        verdict_text(judged.verdict),
    ]


def _published(value: float | None, digits: int, unit: str) -> str:
    return ABSENT if value is None else plain(value, digits, "+") + unit
