"""A table's results in at most fourteen files, and from these files back to what the table says."""

import csv
import gzip
import io
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from covid_monai.data.splits import protocol_named
from covid_monai.errors import InputError
from covid_monai.files import read_json, replacing, write_json, write_text
from covid_monai.tables.collecting import collect
from covid_monai.tables.figures import draw_curve_sheet, job_logs
from covid_monai.tables.folder import NOTE, read_note, record_of
from covid_monai.tables.results import DATA, JOB_KEYS, Results, key_of

FIGURES = ("values.png", "optimism.png", "patients.png")
TABLE_FILES = ("table.md", "table.csv", "table.json", "claims.csv")
JOBS, SCORES, THRESHOLDS, LOGS = "jobs.csv", "scores.csv.gz", "thresholds.csv.gz", "logs.jsonl.gz"
NATIVE_SCORES = "native_scores.csv.gz"
SPLITS, CURVES = "splits.json", "curves.png"
PUBLISHED_FILES = (*TABLE_FILES, *FIGURES, JOBS, SCORES, NATIVE_SCORES, THRESHOLDS, LOGS, SPLITS, CURVES)
SPLITS_FORMAT, SPLITS_VERSION = "covid-monai published splits", 1
OUT, BUNDLES = "OUT", "BUNDLES"

Places = Mapping[str, str]
"""Paths of this machine and the words that stand for them."""


def publish(output: Path, folder: Path) -> int:
    """Write what a finished table may show to others into ``folder``: at most fourteen files for any number of jobs.

    These are the table (``table.md``, ``table.csv``, ``table.json``; ``claims.csv`` where it has claims), its forest
    plots, and of all jobs together ``jobs.csv`` (settings, seeds, hashes, versions, time, memory), ``scores.csv.gz``
    (on the paper's grid where the table names one, and on the data's own in ``native_scores.csv.gz``),
    ``thresholds.csv.gz``,
    ``logs.jsonl.gz``, ``splits.json`` and ``curves.png``. Weights, masks and report.html are left out: they carry the
    terms of the data or show patients. The places of data set, output and bundles on this machine become the words
    DATA, OUT and BUNDLES. What ``folder`` has of an earlier time is replaced;
    :func:`covid_monai.tables.joining.publish_beside` keeps its jobs.
    :func:`covid_monai.tables.published.read_published` reads such a folder.

    Returns:
        The number of finished jobs.

    Raises:
        InputError: ``output`` holds no written table, ``folder`` is in it, holds something else or cannot be written.
    """
    folder = folder.resolve()
    if folder.is_relative_to(output.resolve()):
        raise InputError(f"{folder} is in the output folder {output}; choose one beside it")
    note = read_note(output)
    if not (output / "table.json").is_file():
        raise InputError(f"{output} has no table yet; `covid-monai reproduce ... --resume` writes it")
    results = collect(output)
    places = _places(output, Path(note["data"]))
    if check_room(folder, note["table"], note["budget"]):
        _make_room(folder)
    try:
        for name in (*TABLE_FILES, *FIGURES):
            _copy(output / name, folder / name, places)
        write_published_jobs(results, folder, places)
    except OSError as error:
        raise InputError(f"cannot publish to {folder}: {error}; choose a folder that can be written") from error
    return len(results.jobs)


def write_published_jobs(results: Results, folder: Path, places: Places) -> None:
    """Write the files of all jobs of an output folder: all that are published beside the table and its forest plots.

    Raises:
        InputError: a file of a job cannot be read, or ``folder`` cannot be written.
    """
    jobs = [{str(key): value for key, value in job.items()} for job in results.jobs.to_dict("records")]
    write_text(folder / JOBS, as_csv([_job_line(job, results.output, places) for job in jobs]))
    write_gzip(folder / SCORES, _scores(results.scores, jobs, "scored").to_csv(index=False, lineterminator="\n"))
    if results.grid is not None:
        native = _scores(results.native_scores, jobs, "evaluation")
        write_gzip(folder / NATIVE_SCORES, native.to_csv(index=False, lineterminator="\n"))
    curves = _threshold_curves(results, jobs)
    if len(curves):
        write_gzip(folder / THRESHOLDS, curves.to_csv(index=False, lineterminator="\n"))
    logs = job_logs(results)
    write_gzip(folder / LOGS, "".join(_log_lines(results, jobs)))
    draw_curve_sheet(logs, folder / CURVES)
    splits = {_split_name(path.stem): read_json(path) for path in sorted((results.output / "splits").glob("*.json"))}
    content = {"format": SPLITS_FORMAT, "version": SPLITS_VERSION, "splits": splits}
    write_json(folder / SPLITS, _without_places(content, places))


def _split_name(stem: str) -> str:
    """The protocol, and variant, of a split file by today's names; release 0.1 wrote ``strict.json``."""
    protocol, dash, variant = stem.partition("-")
    return f"{protocol_named(protocol)}{dash}{variant}"


def _job_line(job: Mapping[str, Any], output: Path, places: Places) -> dict[str, Any]:
    """A job's line of jobs.csv; lists and mappings as JSON."""
    home = record_of(job["folder"], output).parent
    environment = _json_of(home / "environment.json")
    versions = environment.pop("packages", {})
    stretched = (job["thresholds"] or {}).get("stretched")
    configuration = _literal_settings(home / "config.yaml")
    if "bundle_root" in configuration:
        # jobs may come from another installation than the one that publishes them
        places = {str(Path(configuration["bundle_root"]).parent): BUNDLES, **places}
    line = {key: value for key, value in job.items() if key not in ("evaluation", "scored", "thresholds")} | {
        "validation_dice": _json_of(home / "model.json").get("validation_dice"),
        "dice_mean_over_thresholds": stretched and stretched["mean_over_thresholds"]["value"],
        "dice_at_best_threshold": stretched and stretched["best"]["dice"],
        "best_threshold": stretched and stretched["best"]["threshold"],
        "covid_monai": versions.pop("covid-monai", None),
        "packages": versions,
        "environment": environment,
        "configuration": configuration,
    }
    return {key: _as_field(_without_places(value, places)) for key, value in line.items()}


def _as_field(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return json.dumps(value, allow_nan=False)
    return None if isinstance(value, float) and math.isnan(value) else value


def as_csv(lines: Sequence[Mapping[str, Any]]) -> str:
    """Lines as CSV; the columns are those of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _json_of(path: Path) -> dict[str, Any]:
    content = read_json(path) if path.is_file() else {}
    return dict(content) if isinstance(content, dict) else {}


def _literal_settings(path: Path) -> dict[str, Any]:
    """The settings of a run that are numbers, text or lists of them: no expressions, no components."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {path} ({error}); remove the job's folder to run it again") from error
    return {key: value for key, value in content.items() if _is_literal(value)}


def _is_literal(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_literal(item) for item in value)
    if isinstance(value, str):
        return not value.startswith(("$", "@"))
    return value is None or isinstance(value, bool | int | float)


def _scores(scores: pd.DataFrame, jobs: Sequence[Mapping[str, Any]], folder: str) -> pd.DataFrame:
    """Every job's scores.csv, its figures as they are written there, with the job, the unit and its source."""
    lines = pd.concat([_of_job(job, _texts(job[folder] / "scores.csv")) for job in jobs], ignore_index=True)
    lines.insert(len(JOB_KEYS), "unit", scores["unit"].to_numpy())
    # scores of earlier releases have none
    return lines.assign(source=scores["source"].to_numpy())


def _threshold_curves(results: Results, jobs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Dice at each threshold: of every job's mean over its slices (no case), and of the slices where they are known."""
    parts, scores = [], results.scores
    for job in jobs:
        mean, slices = (job["scored"] / f"{name}.csv" for name in ("thresholds", "slice_thresholds"))
        if mean.is_file():
            curves = _texts(mean).T
            curves.columns = curves.columns.map(str)
            lines = curves.loc[["dice_stretched", "dice_unstretched"]].reset_index(names="probabilities")
            lines["probabilities"] = lines["probabilities"].str.removeprefix("dice_")
            parts.append(_of_job(job, pd.concat([pd.DataFrame({"case": "", "unit": ""}, lines.index), lines], axis=1)))
        if slices.is_file():
            lines = _texts(slices)
            lines.insert(1, "probabilities", "stretched")
            own = scores[(scores[list(JOB_KEYS)] == pd.Series({key: job[key] for key in JOB_KEYS})).all(axis=1)]
            lines.insert(1, "unit", lines["case"].map(dict(zip(own["case"], own["unit"], strict=True))))
            parts.append(_of_job(job, lines))
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, ignore_index=True)


def _log_lines(results: Results, jobs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        json.dumps({**{key: job[key] for key in JOB_KEYS}, **record}) + "\n"
        for job in jobs
        for record in results.logs[key_of(job)]
    ]


def _texts(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); remove the job's folder to run it again") from error


def _of_job(job: Mapping[str, Any], lines: pd.DataFrame) -> pd.DataFrame:
    keys = pd.DataFrame({key: job[key] for key in JOB_KEYS}, index=lines.index)
    return pd.concat([keys, lines], axis=1)


def write_gzip(path: Path, text: str) -> None:
    """Write a text packed, in one step."""
    # without name and time: the same text is the same bytes
    with (
        replacing(path) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=0) as packed,
    ):
        packed.write(text.encode("utf-8"))


def check_room(folder: Path, table: str, budget: str) -> bool:
    """Whether a folder holds what an earlier time published of the same table and budget.

    Raises:
        InputError: it holds something else.
    """
    before = None
    if (folder / "table.json").is_file():
        stored = _json_of(folder / "table.json")
        before = (stored.get("table", {}).get("name"), stored.get("budget"))
    if (folder / NOTE).is_file():
        # release 0.1 published such a note, with DATA in the place of the data set
        note = _json_of(folder / NOTE)
        if note.get("data", DATA) != DATA:
            raise InputError(f"{folder} is an output folder with jobs of its own; choose another folder")
        before = (note.get("table"), note.get("budget"))
    if before is None:
        return False
    if before != (table, budget):
        raise InputError(
            f"{folder} holds {before[0]} (budget {before[1]}), not {table} (budget {budget}); choose another folder"
        )
    return True


def _make_room(folder: Path) -> None:
    for path in [folder / NOTE, *(folder / name for name in PUBLISHED_FILES)]:
        path.unlink(missing_ok=True)
    for name in ("cells", "jobs", "splits"):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)


def _places(output: Path, data: Path) -> dict[str, str]:
    """The longest path first, as one can be within another."""
    from covid_monai.catalog.bundles import bundle_folder, bundle_names

    paths_of = {DATA: {data, data.resolve()}, OUT: {output.absolute(), output.resolve()}}
    paths_of[BUNDLES] = {bundle_folder(name).parent for name in bundle_names()}
    places = {str(path): word for word, paths in paths_of.items() for path in paths}
    return dict(sorted(places.items(), key=lambda place: -len(place[0])))


def _copy(source: Path, target: Path, places: Places) -> None:
    """Copy a file that is there; texts without the places of this machine."""
    if not source.is_file():
        return
    if source.suffix == ".png":
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    elif source.suffix == ".json":
        write_json(target, _without_places(read_json(source), places))
    else:
        write_text(target, _without_places(source.read_text(encoding="utf-8"), places))


# by value, since JSON writes letters beyond ASCII in ways of its own
def _without_places(content: Any, places: Places) -> Any:
    if isinstance(content, dict):
        return {key: _without_places(value, places) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_places(value, places) for value in content]
    if isinstance(content, str):
        for place, word in places.items():
            content = content.replace(place, word)
    return content
