"""What of an output folder may be shown to others."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json, write_text
from covid_monai.tables.outcome import is_complete
from covid_monai.tables.reproduction import NOTE

TABLE_FILES = ("table.md", "table.csv", "table.json", "values.png", "optimism.png")
RUN_FILES = ("cell.json", "config.yaml", "environment.json", "model.json", "log.jsonl", "curves.png")
EVALUATION_FILES = ("scores.csv", "scores.json", "thresholds.csv", "slice_thresholds.csv")
DATA, OUT, BUNDLES = "DATA", "OUT", "BUNDLES"


def publish(output: Path, folder: Path) -> int:
    """Copy table, splits, and every finished cell's settings, log, curves and scores into ``folder``.

    Left out are weights, masks and report.html, which carry the terms of the data or show patients. The places of
    data set, output and bundles on this machine become the words DATA, OUT and BUNDLES. Copied back as an output
    folder, it can be gone on with by ``--resume``. What ``folder`` has of an earlier time is replaced.

    Returns:
        The number of finished cells.

    Raises:
        InputError: ``output`` is no table's folder, ``folder`` is in it or cannot be written.
    """
    output, folder = output.resolve(), folder.resolve()
    if folder.is_relative_to(output):
        raise InputError(f"{folder} is in the output folder {output}; choose one beside it")
    note = read_json(output / NOTE)
    places = _places(output, Path(note["data"]))
    for name in TABLE_FILES:
        _copy(output / name, folder / name, places)
    for split in sorted((output / "splits").glob("*.json")):
        _copy(split, folder / "splits" / split.name, places)
    cells = [cell for cell in note["cells"] if is_complete(output / cell)]
    for cell in cells:
        for name in RUN_FILES:
            _copy(output / cell / name, folder / cell / name, places)
        for name in EVALUATION_FILES:
            where = Path("evaluation") / "test" / name
            _copy(output / cell / where, folder / cell / where, places)
    # a table of the package is found by its name, one of somebody's own has to be put there again
    write_json(folder / NOTE, {**note, "data": DATA, "table_path": Path(note["table_path"]).name})
    return len(cells)


def _places(output: Path, data: Path) -> Mapping[str, str]:
    """Paths of this machine and the words for them, the longest first, as one can be within another."""
    from covid_monai.workflow.bundles import bundle_folder, bundle_names

    places = {str(data): DATA, str(output): OUT}
    places |= {str(bundle_folder(name).parent): BUNDLES for name in bundle_names()}
    return dict(sorted(places.items(), key=lambda place: -len(place[0])))


def _copy(source: Path, target: Path, places: Mapping[str, str]) -> None:
    """Copy a file that is there; texts without the places of this machine."""
    if not source.is_file():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".png":
            shutil.copyfile(source, target)
            return
        text = source.read_text(encoding="utf-8")
        for place, word in places.items():
            text = text.replace(place, word)
        write_text(target, text)
    except OSError as error:
        raise InputError(f"cannot copy {source} to {target}: {error}; choose a folder that can be written") from error
