"""Jobs of one table that were run in several output folders, such as on several machines, published together."""

import csv
import gzip
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from covid_monai.errors import InputError
from covid_monai.files import naming_disk_errors, read_json, write_json, write_text
from covid_monai.report.forest import draw_forest
from covid_monai.tables.figures import draw_curve_sheet
from covid_monai.tables.folder import read_note
from covid_monai.tables.forests import table_forests
from covid_monai.tables.plan import jobs_of_folders
from covid_monai.tables.publish import (
    CURVES,
    JOBS,
    LOGS,
    NATIVE_SCORES,
    PUBLISHED_FILES,
    SCORES,
    SPLITS,
    THRESHOLDS,
    as_csv,
    check_room,
    publish,
    write_gzip,
)
from covid_monai.tables.published import read_published, table_of
from covid_monai.tables.results import JOB_KEYS
from covid_monai.tables.same_jobs import jobs_hash
from covid_monai.tables.write import write_table

Key = tuple[str, ...]
"""Protocol, slug, fold and seed of a job, as text."""


def publish_beside(output: Path, folder: Path) -> int:
    """Publish an output folder beside what an earlier time published into ``folder``, whose other jobs stay.

    The table is computed anew from the scores of all of them. A job that both have is that of ``output``.

    Returns:
        The number of jobs in ``folder``.

    Raises:
        InputError: see :func:`covid_monai.tables.publish.publish`; or the jobs that ``folder`` has are of other
            settings or another split than those of ``output``.
    """
    note = read_note(output)
    if not check_room(folder, note["table"], note["budget"]) or not (folder / JOBS).is_file():
        return publish(output, folder)
    with naming_disk_errors(folder), tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as place:
        joined = Path(place) / folder.name
        count = publish(output, joined) + _join(folder, joined)
        for name in PUBLISHED_FILES:
            if (joined / name).is_file():
                os.replace(joined / name, folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    return count


def _join(earlier: Path, folder: Path) -> int:
    """Add to a published folder what an earlier one has of other jobs; their number."""
    own = {_key_of(line) for line in _lines(folder / JOBS)}
    kept = [line for line in _lines(earlier / JOBS) if _key_of(line) not in own]
    if not kept:
        return 0
    _check_settings(earlier, folder, [line["folder"] for line in kept])
    _join_splits(earlier, folder)
    keys = {_key_of(line) for line in kept}
    jobs = _in_order(folder, [*_lines(folder / JOBS), *kept])
    columns = list(dict.fromkeys(column for line in jobs for column in line))
    write_text(folder / JOBS, as_csv([{column: line.get(column, "") for column in columns} for line in jobs]))
    for name in (SCORES, NATIVE_SCORES, THRESHOLDS):
        _join_rows(earlier / name, folder / name, keys)
    logs = "".join(
        line
        for line in _text(earlier / LOGS).splitlines(keepends=True)
        if _key_of({key: str(value) for key, value in json.loads(line).items()}) in keys
    )
    write_gzip(folder / LOGS, _text(folder / LOGS) + logs)
    _join_table(earlier, folder)
    return len(kept)


def _check_settings(earlier: Path, folder: Path, kept: Sequence[str]) -> None:
    """Refuse jobs that the table of today would run otherwise, or that were scored on another grid."""
    contents = [read_json(place / "table.json") for place in (earlier, folder)]
    hashes = {jobs_hash(table_of(content["table"]), kept, content["budget"]) for content in contents}
    if len(hashes) > 1:
        raise InputError(
            f"{earlier} has jobs of other settings than the table's of today, such as {kept[0]}; choose another "
            "folder, or remove it"
        )
    if (earlier / NATIVE_SCORES).is_file() != (folder / NATIVE_SCORES).is_file():
        raise InputError(
            f"the jobs of {earlier} were scored on another grid than these; choose another folder, or remove it"
        )


def _join_splits(earlier: Path, folder: Path) -> None:
    before, content = read_json(earlier / SPLITS), read_json(folder / SPLITS)
    protocols = list(table_of(read_json(folder / "table.json")["table"]).all_protocols)
    datasets = {_variant_of(name, protocols): split["dataset"] for name, split in content["splits"].items()}
    for name, split in before["splits"].items():
        variant = _variant_of(name, protocols)
        if datasets.setdefault(variant, split["dataset"]) != split["dataset"]:
            raise InputError(f"{earlier} has jobs of another data set; choose another folder, or remove it")
        if content["splits"].setdefault(name, split) != split:
            raise InputError(f"{earlier} has jobs of another split ({name}); choose another folder, or remove it")
    write_json(folder / SPLITS, content)


def _variant_of(split: str, protocols: Sequence[str]) -> str:
    """The variant in a split's name, which is that of its protocol with the variant's after it; "" for none."""
    protocol = max((each for each in protocols if split == each or split.startswith(f"{each}-")), key=len)
    return split.removeprefix(protocol).removeprefix("-")


def _join_rows(earlier: Path, path: Path, keys: set[Key]) -> None:
    if not earlier.is_file():
        return
    texts = [_frame(path), _frame(earlier)] if path.is_file() else [_frame(earlier)]
    of_kept = [key in keys for key in texts[-1][list(JOB_KEYS)].itertuples(index=False, name=None)]
    texts[-1] = texts[-1][of_kept]
    write_gzip(path, pd.concat(texts, ignore_index=True).fillna("").to_csv(index=False, lineterminator="\n"))


def _join_table(earlier: Path, folder: Path) -> None:
    """Compute the table and its pictures of all jobs that stand in the folder now."""
    before, content = read_json(earlier / "table.json"), read_json(folder / "table.json")
    names = {audit["name"] for audit in content["audit"]}
    content["audit"] += [audit for audit in before["audit"] if audit["name"] not in names]
    done = {line["folder"] for line in _lines(folder / JOBS)}
    missing = {entry["job"]: entry for entry in (*before["missing"], *content["missing"]) if entry["job"] not in done}
    content["missing"] = list(missing.values())
    write_json(folder / "table.json", content)
    findings = read_published(folder)
    write_table(findings, folder)
    for forest in table_forests(findings):
        draw_forest(forest.panels, folder / f"{forest.name}.png", f"{findings.title}. {forest.caption}")
    draw_curve_sheet(_logs(folder), folder / CURVES)


def _logs(folder: Path) -> dict[str, list[tuple[str, list[dict[str, Any]]]]]:
    """The published logs by a row's label, in the order of jobs.csv."""
    records: dict[Key, list[dict[str, Any]]] = {}
    for line in _text(folder / LOGS).splitlines():
        record = json.loads(line)
        records.setdefault(_key_of({key: str(record[key]) for key in JOB_KEYS}), []).append(
            {key: value for key, value in record.items() if key not in JOB_KEYS}
        )
    logs: dict[str, list[tuple[str, list[dict[str, Any]]]]] = {}
    for job in _lines(folder / JOBS):
        if own := records.get(_key_of(job)):
            logs.setdefault(job["row"], []).append((job["protocol"], own))
    return logs


def _in_order(folder: Path, lines: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Lines of jobs.csv as they stand there when one output folder has all of them."""
    content = read_json(folder / "table.json")
    by_folder = {line["folder"]: line for line in lines}
    jobs = jobs_of_folders(table_of(content["table"]), list(by_folder), content["budget"])
    return [by_folder[job.folder] for job in jobs]


def _key_of(line: Mapping[str, str]) -> Key:
    return tuple(line[key] for key in JOB_KEYS)


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _frame(path: Path) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(_text(path)), dtype=str, keep_default_na=False)


def _text(path: Path) -> str:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read()
