"""``dataset.json``: what a prepared folder holds.

A prepared folder is ``dataset.json``, ``images/<case>.nii.gz`` and ``labels/<case>.nii.gz``. A case is one
axial slice, an array (X, Y, 1) in LPS order: image in HU, mask a uint8 label map. The key ``training`` makes
the file a MONAI datalist, which ``monai.data.load_decathlon_datalist`` reads.
"""

import re
from collections import Counter
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json
from covid_monai.transforms.intensity import KINDS, SOURCE_WINDOWS, WINDOW

FORMAT = "covid-monai dataset"
VERSION = 1
FILE_NAME = "dataset.json"

LABELS = {0: "background", 1: "ground-glass", 2: "consolidation", 3: "pleural effusion", 4: "lesion"}
"""The labels of every mask; ``lesion`` is an infection whose kind the source does not tell."""

PARTS = ("train", "test")

# a case names files (masks, overlays), so it has to be a plain file name
_CASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Canvas:
    """The source's full grid, in pixels (x, y), and where the slice lay in it before it was cropped."""

    shape: tuple[int, int]
    offset: tuple[int, int]


@dataclass(frozen=True)
class Case:
    """One axial slice with its mask; the paths are relative to the data set's folder.

    ``group`` joins near-duplicates where the patient is not known (:mod:`covid_monai.data.near_duplicates`).
    """

    image: str
    label: str
    case: str
    source: str
    patient: str | None
    volume: str | None
    slice: int | None
    part: str | None
    intensity: str
    spacing_known: bool
    canvas: Canvas | None
    pixels: dict[int, int]
    sha256: dict[str, str]
    group: str | None = None


@dataclass(frozen=True)
class Dataset:
    """A prepared folder: its cases, the names of its labels, and the source labels they were made from.

    ``warnings`` are what the importer was not sure of.
    """

    folder: Path
    name: str
    licence: str
    labels: dict[int, str]
    label_map: dict[int, int]
    cases: tuple[Case, ...]
    warnings: tuple[str, ...] = ()


def read_dataset(folder: str | PathLike[str]) -> Dataset:
    """Read and check ``folder/dataset.json``. Images and masks are not opened.

    Raises:
        InputError: the file is missing or broken; the message names the file, the case and the key.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        raise InputError(f"{folder} has no {FILE_NAME}: give a folder that `covid-monai data prepare` made")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f'{path} is not a covid-monai data set: its "format" is not "{FORMAT}"')
    if content.get("version") != VERSION:
        raise InputError(f"{path} has version {content.get('version')!r}, not {VERSION}: prepare the data again")
    entries = _value(content, "training", list, str(path))
    cases = tuple(_case_of(entry, f"{path}, training[{index}]") for index, entry in enumerate(entries))
    _refuse_duplicates(cases, path)
    labels = _integer_keys(_value(content, "labels", dict, str(path)), str, f"{path}, labels")
    label_map = _integer_keys(_value(content, "label_map", dict, str(path)), int, f"{path}, label_map")
    name, licence = (_value(content, key, str, str(path)) for key in ("name", "licence"))
    # data sets of release 0.1 have none
    warnings = tuple(map(str, _optional(content, "warnings", list, str(path)) or ()))
    return Dataset(Path(folder), name, licence, labels, label_map, cases, warnings)


def write_dataset(dataset: Dataset) -> None:
    """Write ``dataset.json`` into ``dataset.folder`` in one step; images and masks must be there already."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": dataset.name,
        "licence": dataset.licence,
        "labels": dataset.labels,
        "label_map": dataset.label_map,
        "warnings": list(dataset.warnings),
        "training": [asdict(case) for case in dataset.cases],
    }
    _refuse_duplicates(dataset.cases, dataset.folder / FILE_NAME)
    write_json(dataset.folder / FILE_NAME, content)


def files_of(dataset: Dataset) -> list[Path]:
    """``dataset.json`` and all images and masks that it names."""
    names = [FILE_NAME, *(name for case in dataset.cases for name in (case.image, case.label))]
    return [dataset.folder / name for name in names]


def window_of(case: Case) -> tuple[float, float] | None:
    """The window in HU by which 8-bit values were mapped; None where the values are HU, or were mapped by anchors."""
    return SOURCE_WINDOWS.get(case.source, WINDOW) if case.intensity == "window" else None


def is_case_name(name: str) -> bool:
    """Whether ``name`` can stand for a case: letters, digits, point, hyphen and underscore, no path."""
    return _CASE_NAME.fullmatch(name) is not None


def what_is_no_case_name(name: str) -> str:
    """Why a file's name cannot stand for a case, and what to do."""
    strange = "".join(dict.fromkeys(letter for letter in name if not re.match("[A-Za-z0-9._-]", letter)))
    held = f"holds {strange!r}" if strange else "begins with no letter or digit"
    return f"its name {held}: cases have letters a to z, digits, '.', '_' and '-'; rename image and mask alike"


def _case_of(entry: Any, where: str) -> Case:
    if not isinstance(entry, dict):
        raise InputError(f"{where} is {entry!r}, expected an object with image, label and case")
    name = _value(entry, "case", str, where)
    if not is_case_name(name):
        raise InputError(f"{where}: case {name!r} is no plain name; letters, digits, '.', '_' and '-' are allowed")
    where = f"{where} ({name})"
    hashes = _value(entry, "sha256", dict, where)
    return Case(
        image=_inner_path(entry, "image", where),
        label=_inner_path(entry, "label", where),
        case=name,
        source=_value(entry, "source", str, where),
        patient=_optional(entry, "patient", str, where),
        volume=_optional(entry, "volume", str, where),
        slice=_optional(entry, "slice", int, where),
        part=_choice(_optional(entry, "part", str, where), (None, *PARTS), "part", where),
        intensity=_choice(_value(entry, "intensity", str, where), KINDS, "intensity", where),
        spacing_known=_value(entry, "spacing_known", bool, where),
        canvas=_canvas_of(_optional(entry, "canvas", dict, where), where),
        pixels=_integer_keys(_value(entry, "pixels", dict, where), int, f"{where}, pixels"),
        sha256={key: _value(hashes, key, str, f"{where}, sha256") for key in ("image", "label")},
        group=_optional(entry, "group", str, where),
    )


def _canvas_of(entry: dict[str, Any] | None, where: str) -> Canvas | None:
    if entry is None:
        return None
    pairs = [_value(entry, key, list, f"{where}, canvas") for key in ("shape", "offset")]
    if any(len(pair) != 2 or not all(_is_a(number, int) for number in pair) for pair in pairs):
        raise InputError(f"{where}: canvas needs shape and offset as two integers each, got {entry}")
    return Canvas((pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1]))


def _inner_path(entry: dict[str, Any], key: str, where: str) -> str:
    text: str = _value(entry, key, str, where)
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text:
        raise InputError(f"{where}: {key} {text!r} leaves the data set's folder; only paths inside it are allowed")
    return text


def _refuse_duplicates(cases: tuple[Case, ...], path: Path) -> None:
    twice = [name for name, count in Counter(case.case for case in cases).items() if count > 1]
    if twice:
        raise InputError(f"{path} names case {twice[0]} more than once; every case needs its own name")


def _integer_keys(entry: dict[str, Any], kind: type, where: str) -> dict[int, Any]:
    # a key has to be ASCII digits: int() would also take "1_0", " 1" and digits of other scripts
    if not all(re.fullmatch(r"-?[0-9]+", key) and _is_a(value, kind) for key, value in entry.items()):
        raise InputError(f"{where} is {entry}, expected integers as keys and {kind.__name__} as values")
    return {int(key): value for key, value in entry.items()}


def _choice(value: Any, allowed: tuple[Any, ...], key: str, where: str) -> Any:
    if value not in allowed:
        names = ", ".join("null" if name is None else name for name in allowed)
        raise InputError(f"{where}: {key} is {value!r}, allowed: {names}")
    return value


def _value(entry: dict[str, Any], key: str, kind: type, where: str) -> Any:
    if key not in entry:
        raise InputError(f"{where}: the key {key!r} is missing")
    value = entry[key]
    if not _is_a(value, kind):
        raise InputError(f"{where}: {key} is {value!r}, expected {kind.__name__}")
    return value


def _optional(entry: dict[str, Any], key: str, kind: type, where: str) -> Any:
    return None if entry.get(key) is None else _value(entry, key, kind, where)


def _is_a(value: Any, kind: type) -> bool:
    # bool is a subclass of int, yet `true` is no slice index
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))
