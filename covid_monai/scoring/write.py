"""Scores and comparisons as files: CSV for programs, JSON with all of it, Markdown for readers."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json, write_text
from covid_monai.scoring.comparison import Comparison
from covid_monai.scoring.markdown import comparison_markdown, markdown
from covid_monai.scoring.measures import MEASURES
from covid_monai.scoring.summary import Summary

SCORING_GRID = "scoring_grid"
"""The folder, in that of the scores on the data's own grid, of those on the grid that was asked for."""

SPEED_FILE = "speed.json"
"""Seconds per slice, beside the scores of a network that was run for them."""

_TEXT_COLUMNS = ("level", "case", "patient", "volume", "source", "class", "no_surface", "empty")


def write_summary(summary: Summary, folder: str | os.PathLike[str]) -> None:
    """Write the summary's files to ``folder``, each in one step.

    The two on thresholds, left by an earlier summary, are removed where this one has no curve.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    write_text(folder / "scores.csv", summary.rows.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "scores.md", markdown(summary.content))
    for name, curves in (("thresholds.csv", summary.curve), ("slice_thresholds.csv", summary.slice_curves)):
        if curves is not None:
            write_text(folder / name, curves.to_csv(index=False, lineterminator="\n"))
        else:
            (folder / name).unlink(missing_ok=True)
    # last: scores that are there are complete
    write_json(folder / "scores.json", summary.content)


def read_summary(folder: str | os.PathLike[str]) -> Summary:
    """The summary that ``write_summary`` wrote to ``folder``.

    Raises:
        InputError: scores.csv or scores.json is missing, damaged or of another version.
    """
    folder = Path(folder)
    content = read_json(folder / "scores.json")
    known = isinstance(content, dict) and content.get("format") == "covid-monai scores"
    if not known or content.get("version") != 1:
        raise InputError(f"{folder / 'scores.json'} holds no scores of version 1; evaluate or score again")
    slices = folder / "slice_thresholds.csv"
    return Summary(
        rows=_read_csv(folder / "scores.csv", _TEXT_COLUMNS),
        content=content,
        curve=_read_csv(folder / "thresholds.csv", ()) if content["thresholds"] else None,
        # the earliest scores lack it
        slice_curves=_read_csv(slices, ("case",)) if content["thresholds"] and slices.exists() else None,
    )


def _read_csv(path: Path, texts: Sequence[str]) -> pd.DataFrame:
    """The table with ``texts`` as they stand there, so that a patient 007 stays one, and "" an empty text."""
    try:
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(texts, str),
            keep_default_na=False,
            na_values={measure: [""] for measure in MEASURES},
            float_precision="round_trip",
        )
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}") from error


def pooled_dice(folder: str | os.PathLike[str]) -> float:
    """Pooled Dice (0..1) of all lesion classes as one, from the scores in ``folder``; NaN where it is undefined.

    Raises:
        InputError: there are no readable scores.
    """
    return read_summary(folder).value("dice")


def write_comparison(comparison: Comparison, summaries: Mapping[str, Summary], folder: str | os.PathLike[str]) -> None:
    """Write the comparison's files to ``folder``, each in one step.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = Path(folder)
    content = comparison.content()
    content["inputs"] = {name: summary.content["inputs"] for name, summary in summaries.items()}
    rows = pd.json_normalize(content["differences"])
    for measure in ("pooled", "per_case"):
        bounds = rows.pop(f"{measure}.interval")
        for index, end in enumerate(("low", "high")):
            rows[f"{measure}.{end}"] = [interval[index] if interval else None for interval in bounds]
    rows.columns = [name.replace(".", "_") for name in rows.columns]
    write_text(folder / "comparison.csv", rows.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "comparison.md", comparison_markdown(comparison, summaries))
    write_json(folder / "comparison.json", content)


def read_comparison(folder: str | os.PathLike[str]) -> Comparison:
    """The comparison that ``write_comparison`` wrote to ``folder``.

    Raises:
        InputError: comparison.json is missing, damaged or of another version.
    """
    path = Path(folder) / "comparison.json"
    try:
        return Comparison.from_content(read_json(path))
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged; score the predictions again") from error
