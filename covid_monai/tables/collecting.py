"""The finished jobs of an output folder, read together."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from covid_monai.data.manifest import FILE_NAME, Dataset, read_dataset
from covid_monai.errors import InputError
from covid_monai.files import read_json, sha256_of
from covid_monai.run.folder import RunFolder
from covid_monai.scoring.overlap import COUNTS, OVERLAP_MEASURES
from covid_monai.scoring.surface import SURFACE_MEASURES
from covid_monai.scoring.thresholds import RATES
from covid_monai.scoring.write import SCORING_GRID
from covid_monai.tables.folder import data_of, failure_file, files_of, is_complete, read_note, read_record, state_of
from covid_monai.tables.plan import Job, jobs_of_folders
from covid_monai.tables.results import DATA, Missing, Results, key_of, unit_kind, units_of
from covid_monai.tables.spec import read_table, table_names
from covid_monai.tables.table import OVER_THRESHOLDS, Table
from covid_monai.tables.tallies import CURVE

_MEASURES = (*OVERLAP_MEASURES, *SURFACE_MEASURES)
SCORE_NAMES = ("level", "case", "patient", "volume", "class")
READ_SCORES: Any = {  # how pandas reads a scores.csv
    "usecols": [*SCORE_NAMES, *COUNTS, *_MEASURES],
    "dtype": dict.fromkeys(SCORE_NAMES, str),
    "keep_default_na": False,
    "na_values": {name: [""] for name in _MEASURES},
}
_RECORDED = (
    "epochs",
    "best_epoch",
    "kept_epoch",
    "seconds",
    "peak_memory_bytes",
    "device",
    "threads",
    "weights_sha256",
    "split_sha256",
    "commands",
    "finished",
)


def collect(output: Path) -> Results:
    """Read every finished job of an output folder.

    Raises:
        InputError: the folder is no table's, nothing in it is finished, a file of a job cannot be read, or table, data
            or a job have changed.
    """
    note = read_note(output)
    table = _read_table(note)
    asked = jobs_of_folders(table, note["jobs"], note["budget"])
    done = [job for job in asked if is_complete(files_of(job, output).record)]
    if not done:
        raise InputError(f"{output} has no finished job yet; go on with `covid-monai reproduce ... --resume`")
    datasets = {"": _read_data(note)}
    for job in done:
        if job.variant and job.variant not in datasets:
            datasets[job.variant] = read_dataset(data_of(job, Path(note["data"]), output))
    units = {variant: units_of(dataset) for variant, dataset in datasets.items()}
    folders = {job.folder: files_of(job, output).home / "evaluation" / "test" for job in done}
    # a unit is called after a case
    sources = {case.case: case.source for dataset in datasets.values() for case in dataset.cases}
    native = [_scores(job, folders[job.folder], units[job.variant or ""]) for job in done]
    on_grid = table.grid is not None and all((folder / SCORING_GRID).is_dir() for folder in folders.values())
    if on_grid:
        folders = {name: folder / SCORING_GRID for name, folder in folders.items()}
    return Results(
        output=output,
        table=table,
        budget=note["budget"],
        datasets=datasets,
        jobs=pd.DataFrame([_job_record(job, table, output, note["data"], folders[job.folder]) for job in done]),
        scores=with_sources(
            [_scores(job, folders[job.folder], units[job.variant or ""]) for job in done] if on_grid else native,
            sources,
        ),
        curves=with_sources(_all_curves(table, done, folders, units), sources),
        missing=tuple(_missing(job, output) for job in asked if job not in done),
        unit=unit_kind(datasets[""]),
        grid=table.grid if on_grid else None,
        native_scores=with_sources(native, sources) if on_grid else pd.DataFrame(),
        logs={key_of(vars(job)): RunFolder(files_of(job, output).home).read_log() for job in done},
    )


def with_sources(scores: Sequence[pd.DataFrame], sources: Mapping[str, str]) -> pd.DataFrame:
    """All rows below each other, with the ``source`` of their unit: "" where ``sources`` (by the unit) has none."""
    if not scores:
        return pd.DataFrame()
    rows = pd.concat(scores, ignore_index=True)
    return pd.concat([rows, rows["unit"].map(sources).fillna("").rename("source")], axis=1)


def _read_table(note: Mapping[str, Any]) -> Table:
    # a folder that was moved to another machine still knows the package's tables by their names
    moved = not Path(note["table_path"]).is_file() and note["table"] in table_names()
    table = read_table(note["table"] if moved else note["table_path"])
    # a table with another hash serves as long as it has the jobs; their settings are compared in the records
    known = {row.slug for row in table.rows}
    lost = [job for job in note["jobs"] if job.split("/")[2] not in known]
    if table.name != note["table"] or lost:
        raise InputError(f"{table.path} has no row for {(lost or note['jobs'])[0]} any more; restore it")
    return table


def _read_data(note: Mapping[str, Any]) -> Dataset:
    folder = Path(note["data"])
    if not folder.is_dir():
        raise InputError(f"the data set {folder} is not there; put it back to write the table")
    if sha256_of(folder / FILE_NAME) != note["manifest_sha256"]:
        raise InputError(f"{folder} has changed since the jobs were run; restore it to write the table")
    return read_dataset(folder)


def _job_record(job: Job, table: Table, output: Path, data: str, scored: Path) -> dict[str, Any]:
    files = files_of(job, output)
    home, content = files.home, read_record(files.record)
    if content.get("split_sha256") != sha256_of(files.split):
        raise InputError(f"{files.record} is of another split than {files.split}; remove its folder")
    if content.get("table") != table.name or any(key not in content for key in (*_RECORDED, "settings")):
        raise InputError(f"{files.record} is of another table or lacks values; remove its folder to run it again")
    if content["settings"] != dict(job.settings):
        raise InputError(
            f"{files.record} is of other settings than {table.path} has now; restore the table, or run the new one in "
            "another folder"
        )
    return {
        **{key: getattr(job, key) for key in ("protocol", "slug", "row", "fold", "seed", "bundle")},
        "folder": home.relative_to(output).as_posix(),
        **{key: content[key] for key in _RECORDED},
        "commands": [command.replace(shlex.quote(data), DATA) for command in content["commands"]],
        # records of 0.1 lack it
        "seconds_per_slice": content.get("seconds_per_slice"),
        "settings": content["settings"],
        "variant": job.variant or "",
        "evaluation": home / "evaluation" / "test",
        "scored": scored,
        "thresholds": read_json(scored / "scores.json").get("thresholds"),
    }


def _scores(job: Job, folder: Path, units: Mapping[str, str]) -> pd.DataFrame:
    path = folder / "scores.csv"
    try:
        rows = pd.read_csv(path, **READ_SCORES)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); remove the job's folder to run it again") from error
    slices = rows[rows["case"] != ""]
    if unknown := set(slices["case"]) - set(units):
        raise InputError(f"{path} has the case {min(unknown)}, which the data set lacks; give the data of the table")
    # a volume's slices are of one unit
    of_volume = dict(zip(slices["volume"], slices["case"].map(units), strict=True))
    rows["unit"] = rows["case"].map(units).fillna(rows["volume"].map(of_volume))
    return rows.assign(protocol=job.protocol, slug=job.slug, fold=job.fold, seed=job.seed)


def _all_curves(
    table: Table, jobs: list[Job], folders: Mapping[str, Path], units: Mapping[str, Mapping[str, str]]
) -> list[pd.DataFrame]:
    if all(measure.averaging != OVER_THRESHOLDS for measure in table.measures.values()):
        return []
    return [_curves(job, folders[job.folder], units[job.variant or ""]) for job in jobs]


def _curves(job: Job, folder: Path, units: Mapping[str, str]) -> pd.DataFrame:
    path = folder / "slice_thresholds.csv"
    try:
        rows = read_curves(path, ["case"])[["case", *CURVE, *RATES]]
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} ({error}); remove the job's folder to run it again") from error
    of_job = {"protocol": job.protocol, "slug": job.slug, "fold": job.fold, "seed": job.seed}
    keys = pd.DataFrame({"unit": rows["case"].map(units), **of_job}, index=rows.index)
    return pd.concat([keys, rows], axis=1)


def read_curves(file: Any, texts: Sequence[str]) -> pd.DataFrame:
    """Curves of slices: ``texts``, :data:`CURVE`, and the rates over thresholds, NaN in files of release 0.1.

    Raises:
        ValueError: the file is none of them.
    """
    unknown = {name: [""] for name in RATES}
    rows = pd.read_csv(file, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=unknown)
    if lost := [name for name in (*texts, *CURVE) if name not in rows]:
        raise ValueError(f"no column {lost[0]}")
    return rows.reindex(columns=[*rows.columns, *(name for name in RATES if name not in rows)])


def _missing(job: Job, output: Path) -> Missing:
    state, path = state_of(job, output), failure_file(files_of(job, output).home)
    # another process may be trying it again just now
    reason = str(read_json(path)["error"]) if state == "failed" and path.exists() else ""
    # settings say nothing of why a job is not there
    return Missing(replace(job, settings={}), state, reason)
