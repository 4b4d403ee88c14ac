"""``scores.json`` as what a page shows: tables of cells and sentences about them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError
from covid_monai.files import read_json
from covid_monai.scoring.format import Cell, in_words, measure_cell
from covid_monai.scoring.markdown import units_note
from covid_monai.scoring.measures import MEASURES

_UNITS = {"patient": "patients", "volume": "volumes", "case": "slices (patients and volumes not all known)"}


@dataclass(frozen=True)
class ScoreTable:
    """The measures of one class: ``rows`` are (level, number of rows or classes, a cell per heading)."""

    name: str
    headings: list[str]
    rows: list[tuple[str, str, list[Cell]]]


def read_scores(evaluation: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of an evaluation's ``scores.json``.

    Raises:
        InputError: it is missing or of another format.
    """
    path = Path(evaluation) / "scores.json"
    content = read_json(path)
    known = isinstance(content, dict) and content.get("format") == "covid-monai scores"
    if not known or content.get("version") != 1:
        raise InputError(f"{path} holds no scores of version 1; run `covid-monai evaluate` again")
    return dict(content)


def score_tables(content: dict[str, Any]) -> list[ScoreTable]:
    """A table a class: all lesions as one first, then the classes; measures that nothing has are left out."""
    levels = content["levels"]
    names = list(levels["slice"]["classes"])
    union = content["classes"][-1]
    return [_table(levels, name) for name in [union, *(name for name in names if name != union)]]


def averaging(content: dict[str, Any]) -> list[tuple[str, str, str]]:
    """How each level averages, and which units its intervals resample: (level, rule, units)."""
    return [
        (
            in_words(name),
            level["averaging"],
            f"{level['clusters']} {_UNITS[level['unit']]}{units_note(level, content['bootstrap'])}",
        )
        for name, level in content["levels"].items()
    ]


def empty_masks(content: dict[str, Any]) -> list[tuple[str, str, dict[str, int]]]:
    """How many rows have an empty prediction or reference: (level, class, counts by kind)."""
    return [
        (in_words(name), lesion_class, scored["empty"])
        for name, level in content["levels"].items()
        if name in ("slice", "volume")
        for lesion_class, scored in level["classes"].items()
        if "empty" in scored
    ]


def left_out(content: dict[str, Any]) -> list[str]:
    """What was left out of which means, and why: a line for each level, class and reason."""
    sentences = []
    for name, level in content["levels"].items():
        for lesion_class, scored in level["classes"].items():
            measures: dict[str, list[str]] = {}
            for measure, entry in scored["measures"].items() if "rows" in scored else ():
                if entry["left_out"]:
                    reasons = ", ".join(f"{number} {reason}" for reason, number in entry["left_out"].items())
                    measures.setdefault(reasons, []).append(MEASURES[measure].heading)
            sentences += [
                f"{in_words(name)}, {lesion_class}, {' and '.join(names)}: {reasons}"
                for reasons, names in measures.items()
            ]
    return sentences


def thresholds(content: dict[str, Any]) -> list[tuple[str, Cell, str, Cell]]:
    """Dice over thresholds: (probabilities, mean over them, best, at 0.5); none without probabilities."""
    if not content["thresholds"]:
        return []
    arms = [(name, content["thresholds"][name]) for name in ("stretched", "unstretched")]
    return [
        (
            name,
            measure_cell(arm["mean_over_thresholds"], "dice"),
            f"{arm['best']['dice']:.3f} at {arm['best']['threshold']:.3f}",
            measure_cell(arm["at_half"], "dice"),
        )
        for name, arm in arms
    ]


def thresholds_note(content: dict[str, Any]) -> str:
    """Why the stretched Dice of slices without lesion is low; empty where every slice has lesion."""
    counts = content["levels"]["slice"]["classes"][content["classes"][-1]].get("empty", {})
    empty = counts.get("both_empty", 0) + counts.get("reference_empty", 0)
    if not content["thresholds"] or not empty:
        return ""
    return (
        f"{empty} of {content['slices']} slices have no lesion in the reference. Unless its probabilities are equal, "
        "the stretch gives such a slice probabilities up to 1, so that something is found in it and its Dice is 0: the "
        "stretched values are lower for this reason, and comparable only between data sets without such slices."
    )


def outcome_sentence(content: dict[str, Any]) -> str:
    """What came out, in one sentence: Dice of all lesions as one, averaged over slices and pooled."""
    union = content["classes"][-1]
    values = []
    for level, words in (("slice", "averaged over slices"), ("pooled", "pooled over all pixels")):
        measures = content["levels"].get(level, {}).get("classes", {}).get(union, {}).get("measures", {})
        cell = measure_cell(measures.get("dice"), "dice")
        if cell.value:
            values.append(f"{cell.value}{f' {cell.interval}' if cell.interval else ''} {words}")
    return f"Dice of {union} is {' and '.join(values) or 'undefined'}, on {content['slices']} slices."


def _table(levels: dict[str, Any], lesion_class: str) -> ScoreTable:
    scored = {name: level["classes"][lesion_class] for name, level in levels.items()}
    shown = [
        measure
        for measure in MEASURES
        if any(entry["measures"].get(measure, {}).get("value") is not None for entry in scored.values())
    ]
    rows = []
    for name, entry in scored.items():
        number = str(entry["rows"]) if "rows" in entry else ", ".join(entry["classes"]) or "none present"
        cells = [measure_cell(entry["measures"].get(measure), measure) for measure in shown]
        rows.append((in_words(name), number, cells))
    first = "n" if "rows" in scored["slice"] else "of"
    return ScoreTable(lesion_class, ["level", first, *(MEASURES[measure].heading for measure in shown)], rows)
