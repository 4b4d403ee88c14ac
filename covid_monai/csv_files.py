"""Tables that users write: CSV files from any editor or spreadsheet, or what is wrong with them."""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from covid_monai.errors import InputError, did_you_mean

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}

_BLANKS_AT_END = re.compile(r"[ \u00a0]+(?=[\r\n]*\Z)")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class CsvRow:
    """A row: the line of the file where it ends, and its fields by column."""

    line: int
    fields: dict[str, str]


@dataclass(frozen=True)
class CsvTable:
    """The columns of a table, as the file names them, and its rows."""

    columns: tuple[str, ...]
    rows: tuple[CsvRow, ...]


def read_csv(path: str | PathLike[str], *, needed: Sequence[str], optional: Sequence[str] = ()) -> CsvTable:
    """Read a table whose first line names its columns.

    Commas, semicolons and tabs separate fields, whichever the header has. Blanks around fields are no part of them,
    accents are composed (NFC), empty rows are left out, and so are lines before the header that begin with ``#``.
    Columns are found in any letter case.

    Args:
        path: UTF-8 with or without byte order mark, or UTF-16 with one, as spreadsheets write "Unicode text".
        needed: columns that have to be there.
        optional: columns that may be there; they come under these names too, however the file spells them.

    Returns:
        The rows with every column of the file, ``needed`` and ``optional`` as they are spelled here.

    Raises:
        InputError: the file cannot be read, is no text, lacks a column or names it twice, a quote is not closed, or a
            row has more or fewer fields than the header.
    """
    # after a closing quote even a blank would be an error
    lines = [_BLANKS_AT_END.sub("", line) for line in _text_of(path).splitlines(keepends=True)]
    delimiter, first = _header_of(lines, needed, path)
    reader = csv.reader(lines[first:], delimiter=delimiter, skipinitialspace=True, strict=True)
    rows: list[CsvRow] = []
    columns: list[str] = []
    try:
        for fields in reader:
            cleaned = [_cleaned(field) for field in fields]
            if not columns:
                columns = _columns_of(cleaned, [*needed, *optional], path)
            elif any(cleaned):
                rows.append(_row_of(cleaned, columns, first + reader.line_num, path, delimiter))
    except csv.Error as error:
        raise InputError(
            f"{path}, line {first + reader.line_num}: {error}; put a field that holds quotes into quotes, leave no "
            'blank after it, and write the inner quotes twice, as in "a ""b"""'
        ) from error
    return CsvTable(tuple(columns), tuple(rows))


def _text_of(path: str | PathLike[str]) -> str:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a CSV file") from error
    if content.startswith((_ZIP, _OLD_EXCEL)):
        raise InputError(f"{path} is a spreadsheet or an archive, not a text file: save the table as CSV (UTF-8)")
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text (byte {error.start}): save it as CSV UTF-8, as editors and spreadsheets offer it"
        ) from error
    if "\0" in text:
        raise InputError(f"{path} holds NUL characters, so it is no text in UTF-8: save the table as CSV (UTF-8)")
    # a table is lines of text; a form feed or a Unicode line separator ends none, though splitlines would think so
    return "".join(" " if letter in "\v\f\x1c\x1d\x1e\x85\u2028\u2029" else letter for letter in text)


def _header_of(lines: Sequence[str], needed: Sequence[str], path: str | PathLike[str]) -> tuple[str, int]:
    """The separator, and the index of the line that names the columns."""
    wanted = {name.casefold() for name in needed}
    seen: list[str] = []
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        # Excel's own first line
        if line.strip().strip('"').casefold() in ("sep=,", "sep=;", "sep="):
            continue
        split = {delimiter: _split(line, delimiter) for delimiter in DELIMITERS}
        for delimiter, names in split.items():
            if wanted <= {name.casefold() for name in names}:
                return delimiter, index
        seen = max(split.values(), key=len)
        if not line.lstrip().startswith("#"):
            break
    missing = [name for name in needed if name.casefold() not in {found.casefold() for found in seen}]
    found = ", ".join(filter(None, seen)) or "no line"
    hint = did_you_mean(missing[0], seen) if missing else ""
    raise InputError(
        f"{path} has no column {(missing or needed)[0]!r}{hint}; its first line has {found}, and has to name the "
        f"columns {', '.join(needed)} with commas, semicolons or tabs between them"
    )


def _split(line: str, delimiter: str) -> list[str]:
    try:
        fields = next(csv.reader(io.StringIO(line), delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []
    names = [_cleaned(field) for field in fields]
    return [names[0].removeprefix("#").strip(), *names[1:]] if names else []


def _cleaned(field: str) -> str:
    # zero-width characters come along from web pages, and no one sees them
    return unicodedata.normalize("NFC", field.replace("\ufeff", "").replace("\u200b", "")).strip()


def _columns_of(names: list[str], known: Sequence[str], path: str | PathLike[str]) -> list[str]:
    names = [names[0].removeprefix("#").strip(), *names[1:]]
    while not names[-1]:
        names.pop()
    spelled = {name.casefold(): name for name in known}
    columns = [spelled.get(name.casefold(), name) for name in names]
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise InputError(f"{path} has {columns.count(twice[0])} columns named {twice[0]!r}: name each column once")
    return columns


def _row_of(fields: list[str], columns: list[str], line: int, path: str | PathLike[str], delimiter: str) -> CsvRow:
    while len(fields) > len(columns) and not fields[-1]:
        fields = fields[:-1]
    if len(fields) != len(columns):
        raise InputError(
            f"{path}, line {line} has {len(fields)} fields, the header has {len(columns)} ({', '.join(columns)}): give "
            f"each row as many, and put a field that holds a {DELIMITERS[delimiter]} into quotes"
        )
    return CsvRow(line, dict(zip(columns, fields, strict=True)))
