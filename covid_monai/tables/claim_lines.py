"""The paper's claims as lines of text and as columns, for table.md, the page, table.json and claims.csv."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from covid_monai.scoring.format import ABSENT
from covid_monai.tables.claim_verdicts import JudgedClaim
from covid_monai.tables.render import Lines, digits_of, p_text, plain, verdict_text, with_interval
from covid_monai.tables.results import Results
from covid_monai.tables.verdict import CANNOT_TELL

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
    return Lines(
        "What the paper claims", claims_sentence(claims), header, [_line(results, judged) for judged in ordered]
    )


def compact_claim_lines(results: Results, claims: Sequence[JudgedClaim]) -> Lines:
    """A line a claim: what the paper prints or its rows give, ours under each protocol, and the paper's verdict."""
    found = {(judged.number, judged.protocol): judged for judged in claims}
    rows = []
    for number in dict.fromkeys(judged.number for judged in claims):
        own = [found[number, protocol] for protocol in results.protocols]
        digits, unit = _digits_and_unit(results, own[0])
        printed = own[0].claim.published
        published = _by_rows(own[0], digits, unit) if printed is None else f"{plain(printed, digits, '+')}{unit}"
        line = [f"{number}. {own[0].claim.sentence}", published]
        verdicts = [verdict_text(judged.verdict) for judged in own if judged.protocol == "paper"]
        rows.append([*line, *(_ours(judged, digits, unit) for judged in own), *verdicts])
    header = ["claim", "published", *(f"{protocol}: ours" for protocol in results.protocols)]
    return Lines("What the paper claims", "", [*header, *(["verdict"] if "paper" in results.protocols else [])], rows)


def claims_sentence(claims: Sequence[JudgedClaim]) -> str:
    """How many claims came out how under the paper's protocol; why none is judged where none is; empty without any."""
    own = [judged for judged in claims if judged.protocol == "paper"]
    if not own:
        return ""
    words = Counter(judged.verdict.word for judged in own)
    if any(words[word] for word in ("supported", "contradicted", CANNOT_TELL)):
        return f"Claims of the paper ({len(own)}): {', '.join(f'{count} {word}' for word, count in words.items())}."
    reasons = sorted({judged.verdict.reason for judged in own})
    return f"Claims of the paper ({len(own)}): no verdict ({'; '.join(reasons)})."


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
    claim, (digits, unit) = judged.claim, _digits_and_unit(results, judged)
    both = f"[{', '.join(plain(end, digits, '+') for end in judged.with_seeds)}]" if judged.with_seeds else ABSENT
    return [
        f"{judged.number}. {claim.sentence} ({contrast_text(results, judged)})",
        claim.place,
        judged.protocol,
        ABSENT if claim.published is None else f"{plain(claim.published, digits, '+')}{unit}",
        _by_rows(judged, digits, unit),
        _ours(judged, digits, unit),
        both,
        str(judged.seeds),
        str(judged.cases),
        p_text(judged.p),
        p_text(judged.p_holm),
        verdict_text(judged.verdict),
    ]


def _digits_and_unit(results: Results, judged: JudgedClaim) -> tuple[int, str]:
    claim = judged.claim
    digits = 1 if claim.relative else digits_of(results.table.measures[claim.measure], results.table)
    return max(claim.decimals, digits), " %" if claim.relative else ""


def _ours(judged: JudgedClaim, digits: int, unit: str) -> str:
    return with_interval(judged.value, digits, sign="+") + (unit if judged.value else "")


def _by_rows(judged: JudgedClaim, digits: int, unit: str) -> str:
    """What the paper's own rows give; a mean of several pairs has a digit more than they."""
    if judged.of_rows is None:
        return ABSENT
    return plain(judged.of_rows, digits + (len(judged.claim.weights) > 2), "+") + unit
