"""Folders of picture slices: known layouts, the index file, and which image, mask and row belong together."""

import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from covid_monai.csv_files import read_csv
from covid_monai.data.manifest import PARTS, is_case_name, what_is_no_case_name
from covid_monai.data.sources.pictures import ENDINGS
from covid_monai.data.sources.unread_files import warn_of_unread_files
from covid_monai.errors import InputError, InputWarning, did_you_mean


@dataclass(frozen=True)
class Layout:
    """Where the pictures are, how they are turned, what their labels mean.

    ``columns`` names the columns of the index for: ``name`` (the pictures' file name without ending),
    ``patient``, ``volume``, ``slice``, ``part``, ``width`` and ``height`` of the picture as stored, ``x`` and
    ``y`` (column and row) of its place on a grid of ``grid`` x ``grid`` pixels, as stored. ``pixel_columns``
    names columns that hold the number of pixels of a source label. Without ``index`` an ``index.csv`` is used
    where there is one; all columns but ``name`` are optional where ``optional_columns`` says so. The standard
    display has anterior at the top and the patient's right at the left; ``transpose``, then ``flip_rows``
    bring a picture there.
    """

    source: str
    licence: str = ""
    images: str = "images"
    masks: str = "labels"
    index: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    optional_columns: bool = False
    pixel_columns: Mapping[int, str] = field(default_factory=dict)
    transpose: bool = False
    flip_rows: bool = False
    grid: int | None = None
    label_map: Mapping[int, int] | None = None
    case_prefix: str = ""


_PLAIN_COLUMNS = {name: name for name in ("name", "patient", "volume", "slice", "part", "width", "height", "x", "y")}
_MEDSEG_LICENCE = "original CC0; the 8-bit pictures: non-commercial research"

LAYOUTS = {
    "plain": Layout(source="slices", columns=_PLAIN_COLUMNS, optional_columns=True),
    # the slices are of unknown patients, the number is a place in a stack of them: no volume
    "medseg-part1": Layout(
        source="medseg_part1",
        licence=_MEDSEG_LICENCE,
        index="index.csv",
        columns={
            "name": "slice",
            "slice": "slice",
            "part": "official_split",
            "width": "width",
            "height": "height",
        },
        pixel_columns={1: "ground_glass_px", 2: "consolidation_px"},
        transpose=True,
        label_map={1: 1, 2: 2},
        case_prefix="part1_",
    ),
    "medseg-uncropped": Layout(
        source="medseg_uncropped",
        licence=_MEDSEG_LICENCE,
        transpose=True,
        label_map={0x0000FF: 1, 0x00FF00: 2, 0xFF0000: 3},
        case_prefix="uncropped_",
    ),
    "radiopaedia-part2": Layout(
        source="radiopaedia_part2",
        licence="CC BY-NC-SA",
        index="index.csv",
        columns={
            "name": "name",
            "patient": "patient",
            "volume": "volume",
            "slice": "slice",
            "width": "width",
            "height": "height",
            "x": "col_in_630",
            "y": "row_in_630",
        },
        pixel_columns={255: "lesion_px"},
        flip_rows=True,
        grid=630,
        label_map={255: 4},
    ),
}


@dataclass(frozen=True)
class Picture:
    """One image with its mask and its row of the index (our column names; empty where there is no index)."""

    name: str
    image: Path
    mask: Path
    row: Mapping[str, str]


def find_pictures(folder: Path, layout: Layout) -> list[Picture]:
    """Pair images, masks and index rows by name, sorted by name.

    Raises:
        InputError: something is missing, named twice, or without its counterpart.
    """
    images, masks = _by_name(folder / layout.images), _by_name(folder / layout.masks)
    _refuse_unpaired(images, masks, f"{folder / layout.images}", f"{folder / layout.masks}")
    rows = read_index(folder, layout)
    if rows is not None:
        _refuse_unpaired(images, rows, f"{folder / layout.images}", "the index")
    bad = [path for path in images.values() if not is_case_name(_stem(path))]
    if bad:
        raise InputError(f"{bad[0]}: {what_is_no_case_name(_stem(bad[0]))}")
    rows = rows or {}
    return [Picture(_stem(images[key]), images[key], masks[key], rows.get(key, {})) for key in images]


def read_index(folder: Path, layout: Layout) -> dict[str, dict[str, str]] | None:
    """Read the index, by picture name, with our column names; None where none is needed or there.

    Raises:
        InputError: the index is missing, lacks a column, names a picture twice, or holds a value that is no
            number or no part.
    """
    path = _in_any_letter_case(folder, layout.index or "index.csv")
    if not layout.index and not (layout.columns and path.is_file()):
        _warn_of_other_tables(folder)
        return None
    columns = dict(layout.columns) | {f"pixels {label}": name for label, name in layout.pixel_columns.items()}
    needed = [columns["name"]] if layout.optional_columns else list(dict.fromkeys(columns.values()))
    table = read_csv(path, needed=needed, optional=list(dict.fromkeys(columns.values())))
    _warn_of_near_columns(path, table.columns, list(columns.values()))
    rows: dict[str, dict[str, str]] = {}
    for entry in table.rows:
        row = {ours: entry.fields.get(theirs, "") for ours, theirs in columns.items()}
        _check_row(row, f"{path}, line {entry.line}")
        if _key(row["name"]) in rows:
            raise InputError(f"{path}, line {entry.line}: {row['name']!r} is named twice; give each picture one row")
        rows[_key(row["name"])] = row
    return rows


def _in_any_letter_case(folder: Path, name: str) -> Path:
    path = folder / name
    if path.exists() or not folder.is_dir():
        return path
    return next((other for other in folder.iterdir() if other.name.casefold() == name.casefold()), path)


def _warn_of_other_tables(folder: Path) -> None:
    tables = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv"))
    if tables:
        warnings.warn(
            f"{folder} has no index.csv, and {tables[0]} is not used, so patients and volumes are not known; if it "
            f"names the pictures, give `index` {tables[0]}",
            InputWarning,
            stacklevel=2,
        )


def _warn_of_near_columns(path: Path, columns: Sequence[str], known: Sequence[str]) -> None:
    lacking = [name for name in known if name not in columns]
    for column in columns:
        if column not in known and (hint := did_you_mean(column.casefold(), lacking)):
            warnings.warn(
                f"{path}: the column {column!r} is not used{hint}; rename it if it is", InputWarning, stacklevel=2
            )


def _by_name(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: name the folders by `images` and `masks`")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in ENDINGS or path.name.startswith("."):
            continue
        if (other := found.get(_key(_stem(path)))) is not None:
            raise InputError(f"{folder} has {other.name} and {path.name}, which are one name: keep one of them")
        found[_key(_stem(path))] = path
    if not found:
        raise InputError(f"{folder} has no pictures ({', '.join(ENDINGS)})")
    warn_of_unread_files(folder, found.values(), ENDINGS)
    return found


def _refuse_unpaired(names: Mapping[str, object], other_names: Mapping[str, object], here: str, there: str) -> None:
    for first, second, place, elsewhere in ((names, other_names, here, there), (other_names, names, there, here)):
        alone = sorted(set(first) - set(second))
        if alone:
            raise InputError(f"{len(alone)} of {place} are not in {elsewhere} (first: {alone[0]}): names have to match")


def _check_row(row: dict[str, str], where: str) -> None:
    for column, value in row.items():
        number = column in ("slice", "width", "height", "x", "y") or column.startswith("pixels ")
        if number and value and not (value.isascii() and value.isdecimal()):
            raise InputError(f"{where}: {column} is {value!r}, a whole number is needed")
    if row.get("part") not in (None, "", *PARTS):
        raise InputError(f"{where}: part is {row['part']!r}, allowed: {', '.join(PARTS)}")


def _stem(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem)


def _key(name: str) -> str:
    # 7 in an index is 007.png on disk
    return str(int(name)) if name.isascii() and name.isdecimal() else name
