"""The sizes of networks as a Markdown table, and its place in a page."""

import json
from collections.abc import Iterable
from pathlib import Path

from covid_monai.errors import InputError
from covid_monai.files import write_text
from covid_monai.workflow.bundles import SUFFIX
from covid_monai.workflow.sizes import COMMON_SIZE, Size

BEGIN = "<!-- begin: covid-monai bundle sizes -->"
END = "<!-- end: covid-monai bundle sizes -->"
"""The lines of a page between which the table stands."""


def size_table(sizes: Iterable[Size]) -> str:
    """A Markdown table with a row a network, of parameters (millions) and operations of one slice (GFLOP)."""
    height, width = COMMON_SIZE
    rows = [
        ["bundle", "network", "parameters (millions)", "paper's size", "GFLOP", f"GFLOP at {height} x {width}"],
        *map(_row, sizes),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    # numbers stand at the right
    rule = ["-" * size if index < 2 else "-" * (size - 1) + ":" for index, size in enumerate(widths)]
    return "\n".join(_line(row, widths) for row in [rows[0], rule, *rows[1:]])


def put_table(page: Path, table: str) -> None:
    """Replace what stands between ``BEGIN`` and ``END`` in a Markdown page.

    Raises:
        InputError: the page cannot be read, or does not have each mark once, in this order.
    """
    before, after = _around(page)
    write_text(page, f"{before}{BEGIN}\n{table}\n{END}{after}")


def table_in(page: Path) -> str:
    """The table that stands between the marks of a page.

    Raises:
        InputError: as :func:`put_table`.
    """
    before, after = _around(page)
    text = page.read_text(encoding="utf-8")
    return text[len(before) + len(BEGIN) : len(text) - len(after) - len(END)].strip()


def _around(page: Path) -> tuple[str, str]:
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {page}: {error}") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise InputError(f"{page} must have the lines {BEGIN} and {END} once each, in this order")
    return before, after


def _row(size: Size) -> list[str]:
    height, width = size.image_size
    made = ", ".join(f"{key}: {json.dumps(value)}" for key, value in size.settings.items())
    return [
        size.bundle.removesuffix(SUFFIX),
        f"{size.label}: `{made}`" if size.label else "the bundle's own",
        f"{size.parameters / 1e6:.2f}",
        f"{height} x {width}",
        f"{size.operations / 1e9:.1f}",
        f"{size.common_operations / 1e9:.1f}",
    ]


def _line(cells: list[str], widths: list[int]) -> str:
    sides = "<<>>>>"
    padded = [f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True)]
    return f"| {' | '.join(padded)} |"
