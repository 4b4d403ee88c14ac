"""``covid-monai data studies``: what CT a folder holds, and which series ``predict`` takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from covid_monai.studies import Found, FoundSeries, FoundStudy

_PATH = click.Path(path_type=Path)
# --json has all
_SHOWN = 10


@click.command()
@click.argument("path", type=_PATH)
@click.option("--json", "json_file", type=_PATH, help="Write all that was found to this file, with paths and UIDs.")
def studies(path: Path, json_file: Path | None) -> None:
    """List the CT studies in PATH and their series: which one `predict` takes, and why.

    PATH is a folder with all below it, a zip archive, a DICOMDIR, a file of DICOM, NIfTI, NRRD or MetaImage, or a CSV
    with the columns study and path. The name of a series, its UID or file, chooses it. Files that cannot be read are
    named. Exit status 1 when there is no CT that can be read.
    """
    from covid_monai.errors import InputError
    from covid_monai.files import protecting, write_json
    from covid_monai.studies.study import counted

    found = list(_all_found(path))
    if json_file is not None:
        with protecting(path, *(each.path for _, each in found)):
            places = [_as_json(name, each) for name, each in found]
            write_json(json_file, {"format": "covid-monai studies", "version": 1, "places": places})
    for name, each in found:
        for line in _lines(name, each):
            click.echo(line)
    all_studies = [study for _, each in found for study in each.studies]
    readable = sum(study.taken is not None for study in all_studies)
    problems = sum(len(each.problems) for _, each in found)
    click.echo(
        f"{counted(len(all_studies), 'study', 'studies')}, {readable} with a CT that can be read; "
        f"{counted(problems, 'file', 'files')} left out, {sum(each.others for _, each in found)} of other kinds"
    )
    if not readable:
        raise InputError(f"{path} holds no CT that can be read")


def _all_found(path: Path) -> "Iterator[tuple[str | None, Found]]":
    """What lies at a path, or at each path of a table; one that is missing stops no other."""
    from covid_monai.errors import InputError
    from covid_monai.studies import Found, find_studies
    from covid_monai.studies.table import is_study_table, read_study_table

    if not is_study_table(path):
        yield None, find_studies(path)
        return
    for row in read_study_table(path):
        try:
            yield row.study, find_studies(row.path)
        except InputError as error:
            yield row.study, Found(row.path, (), ((row.path, str(error)),))


def _lines(name: str | None, found: "Found") -> Iterator[str]:
    if name is not None:
        yield f"{name}: {found.path}"
    for study in found.studies:
        yield f"study {study.name}"
        if str(study.place) != study.name:
            yield f"  in {study.place}"
        for series in study.series:
            yield from _series_lines(series, taken=series is study.taken)
        yield f"  {'taken because it' if study.taken is not None else 'none is taken:'} {_why(study)}"
    for path, reason in found.problems[:_SHOWN]:
        yield f"left out: {path} {reason}"
    if len(found.problems) > _SHOWN:
        yield f"left out: {len(found.problems) - _SHOWN} more; --json FILE has all"


def _why(study: "FoundStudy") -> str:
    if study.taken is None or study.why.startswith(("shows", "has", "is")):
        return study.why
    return f"is {study.why}"


def _series_lines(series: "FoundSeries", *, taken: bool) -> Iterator[str]:
    number = f"series {series.number}" if series.number is not None else "series"
    yield f"  {'->' if taken else '  '} {number}: {', '.join(_facts(series))}"
    yield f"       {series.name}"
    for oddity in series.oddities:
        yield f"       note: {oddity}"


def _facts(series: "FoundSeries") -> list[str]:
    from covid_monai.studies.study import counted

    if series.refused is not None:
        count = f"{counted(len(series.slices), 'image', 'images')}, " if series.slices else ""
        return [f"{count}refused: {series.refused.removeprefix(series.name).strip()}"]
    assert series.shape is not None
    assert series.spacing is not None
    columns, rows, slices = series.shape
    facts = [f"{counted(slices, 'slice', 'slices')} of {columns} x {rows}"]
    facts.append(" x ".join(f"{mm:.4g}" for mm in series.spacing) + " mm")
    facts.append(f"{series.length:.0f} mm of the patient")
    facts += [f"kernel {series.kernel}"] if series.kernel else []
    return [*facts, *([repr(series.description)] if series.description else [])]


def _as_json(name: str | None, found: "Found") -> dict[str, Any]:
    return {
        "study": name,
        "path": str(found.path),
        "studies": [
            {
                "name": study.name,
                "place": str(study.place),
                "taken": study.taken.name if study.taken is not None else None,
                "why": study.why,
                "series": [_series_as_json(series) for series in study.series],
            }
            for study in found.studies
        ],
        "left_out": [{"path": str(path), "reason": reason} for path, reason in found.problems],
        "others": found.others,
    }


def _series_as_json(series: "FoundSeries") -> dict[str, Any]:
    import numpy as np

    return {
        "name": series.name,
        "format": series.format,
        "number": series.number,
        "description": series.description or None,
        "kernel": series.kernel or None,
        "images": len(series.slices),
        "shape": series.shape,
        "spacing_mm": series.spacing,
        "length_mm": round(series.length, 3),
        "extents_mm": np.round(series.stack.extents, 4).tolist() if series.stack is not None else None,
        "tilt_degrees": round(series.stack.tilt, 2) if series.stack is not None else None,
        "placeholder_spacing": series.stack.placeholder if series.stack is not None else None,
        "refused": series.refused,
        "oddities": list(series.oddities),
    }
