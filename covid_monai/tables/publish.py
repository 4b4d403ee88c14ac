"""What of an output folder may be shown to others."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json, write_text
from covid_monai.tables.folder import NOTE, is_complete, read_note, read_record, record_of

TABLE_FILES = ("table.md", "table.csv", "table.json", "values.png", "optimism.png")
RUN_FILES = ("config.yaml", "environment.json", "model.json", "log.jsonl", "curves.png")
EVALUATION_FILES = ("scores.csv", "scores.json", "thresholds.csv", "slice_thresholds.csv")
DATA, OUT, BUNDLES = "DATA", "OUT", "BUNDLES"


def publish(output: Path, folder: Path) -> int:
    """Copy table, splits, and every finished job's settings, log, curves and scores into ``folder``.

    Left out are weights, masks and report.html, which carry the terms of the data or show patients. The places of
    data set, output and bundles on this machine become the words DATA, OUT and BUNDLES. Copied back as an output
    folder, it can be gone on with by ``--resume``. What ``folder`` has of an earlier time is replaced.

    Returns:
        The number of finished jobs.

    Raises:
        InputError: ``output`` is no table's folder, ``folder`` is in it, holds another table or cannot be written.
    """
    folder = folder.resolve()
    if folder.is_relative_to(output.resolve()):
        raise InputError(f"{folder} is in the output folder {output}; choose one beside it")
    note = read_note(output)
    _make_room(folder, note)
    places = _places(output, Path(note["data"]))
    for name in TABLE_FILES:
        _copy(output / name, folder / name, places)
    for split in sorted((output / "splits").glob("*.json")):
        _copy(split, folder / "splits" / split.name.replace("strict", "grouped"), places)
    jobs = [job for job in note["jobs"] if is_complete(record_of(job, output))]
    for job in jobs:
        for name in RUN_FILES:
            _copy(record_of(job, output).parent / name, folder / job / name, places)
        write_json(folder / job / "job.json", _without_places(read_record(record_of(job, output)), places))
        for name in EVALUATION_FILES:
            where = Path("evaluation") / "test" / name
            _copy(record_of(job, output).parent / where, folder / job / where, places)
    # a table of the package is found by its name, one of somebody's own has to be put there again
    write_json(folder / NOTE, {**note, "data": DATA, "table_path": Path(note["table_path"]).name})
    return len(jobs)


def _make_room(folder: Path, note: Mapping[str, Any]) -> None:
    """Remove what an earlier time left of the same table; what is of another one is not touched."""
    if not (folder / NOTE).is_file():
        return
    content = read_json(folder / NOTE)
    before = content if isinstance(content, dict) else {}
    if (before.get("table"), before.get("budget")) != (note["table"], note["budget"]):
        raise InputError(
            f"{folder} holds {before.get('table')} (budget {before.get('budget')}), not {note['table']} (budget "
            f"{note['budget']}); choose another folder"
        )
    for name in ("cells", "jobs", "splits"):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)


def _places(output: Path, data: Path) -> dict[str, str]:
    """Paths of this machine and the words for them, the longest first, as one can be within another."""
    from covid_monai.catalog.bundles import bundle_folder, bundle_names

    told = {DATA: {data, data.resolve()}, OUT: {output.absolute(), output.resolve()}}
    told[BUNDLES] = {bundle_folder(name).parent for name in bundle_names()}
    places = {str(path): word for word, paths in told.items() for path in paths}
    return dict(sorted(places.items(), key=lambda place: -len(place[0])))


def _copy(source: Path, target: Path, places: Mapping[str, str]) -> None:
    """Copy a file that is there; texts without the places of this machine."""
    if not source.is_file():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".png":
            shutil.copyfile(source, target)
        elif source.suffix == ".json":
            write_json(target, _without_places(read_json(source), places))
        elif source.suffix == ".yaml":
            settings = _without_places(yaml.safe_load(source.read_text(encoding="utf-8")), places)
            write_text(target, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=10**6))
        else:
            write_text(target, _without_places(source.read_text(encoding="utf-8"), places))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"cannot copy {source} to {target}: {error}; choose a folder that can be written") from error


# by value, since JSON and YAML write letters beyond ASCII in ways of their own
def _without_places(content: Any, places: Mapping[str, str]) -> Any:
    if isinstance(content, dict):
        return {key: _without_places(value, places) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_places(value, places) for value in content]
    if isinstance(content, str):
        for place, word in places.items():
            content = content.replace(place, word)
    return content
