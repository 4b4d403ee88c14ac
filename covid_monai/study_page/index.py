"""The page of several studies: a row each, to be sorted, with the slice that has most lesion."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import covid_monai
from covid_monai.files import write_text
from covid_monai.study_page import INDEX, PAGE, THUMBNAIL
from covid_monai.study_page.embedding import data_uri, filled, text_of
from covid_monai.study_page.numbers import ABSENT, millilitres, percent, whole


@dataclass(frozen=True)
class Entry:
    """A study of a folder.

    Attributes:
        folder: of the study.
        record: its ``run.json``.
        document: its measurements; None where it failed.
    """

    folder: Path
    record: Mapping[str, Any]
    document: Mapping[str, Any] | None


COLUMNS = ("infected", "right", "left", "lesion", "ground-glass", "consolidation", "grade", "score", "warnings")


def write_index(output: Path, entries: Iterable[Entry]) -> Path:
    """Write the index of studies to ``output``; thumbnails stand in it, pages are linked.

    Args:
        output: the folder that has the studies' folders.
        entries: the studies, in the order that is shown first.

    Raises:
        InputError: the folder cannot be written.
    """
    rows = [_row(entry) for entry in entries]
    page = filled(
        "index.html",
        css=text_of("page.css"),
        script=text_of("index.js"),
        columns=COLUMNS,
        rows=rows,
        done=sum(row["error"] is None for row in rows),
        software=f"covid-monai {covid_monai.__version__}",
    )
    write_text(output / INDEX, page)
    return output / INDEX


def _row(entry: Entry) -> dict[str, Any]:
    picture = entry.folder / THUMBNAIL
    return {
        "study": entry.record["study"],
        "page": f"{quote(entry.folder.name)}/{PAGE}" if (entry.folder / PAGE).is_file() else None,
        "thumbnail": data_uri("webp", picture.read_bytes()) if picture.is_file() else None,
        "error": entry.record["error"] if entry.document is None else None,
        "cells": [] if entry.document is None else _cells(entry.document, entry.record),
    }


def _cells(document: Mapping[str, Any], record: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(text, what it is sorted by) of each column; what is unknown is sorted below all else."""
    lungs, severity = document["lungs"], document["severity"]
    both = lungs["both"] if lungs["both"]["infected_percent"] is not None else document["in_field"]
    cut = "" if both is lungs["both"] else "in the field "
    shares = [both["infected_percent"], lungs["right"]["infected_percent"], lungs["left"]["infected_percent"]]
    kinds = [both["ground_glass_percent"], both["consolidation_percent"]]
    grade = severity["worse_lung_grade"]
    warned = len({*document["warnings"], *record["assumed"]})
    texts = [
        f"{cut}{percent(shares[0])}",
        *map(percent, shares[1:]),
        millilitres(both["lesion_ml"]),
        *map(percent, kinds),
        grade or ABSENT,
        whole(severity["zone_score_sum"]),
        str(warned),
    ]
    level = None if grade is None else float(grade.removeprefix("CT-"))
    values = [*shares, both["lesion_ml"], *kinds, level, severity["zone_score_sum"], warned]
    return [(text, -1.0 if value is None else value) for text, value in zip(texts, values, strict=True)]
