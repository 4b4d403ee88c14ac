"""The figures of a benchmark: a table to read, and the same as JSON."""

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covid_monai.catalog.bundles import SUFFIX
from covid_monai.errors import InputError
from covid_monai.files import read_json, write_json

FORMAT, VERSION = "covid-monai benchmark", 1

COLUMNS = (
    "what",
    "size",
    "work",
    "computed by",
    "precision",
    "batch",
    "slices/s",
    "least to most",
    "GFLOP a slice",
    "GFLOP/s",
    "of convolution",
    "of matrix product",
    "peak memory",
)
STAGE_COLUMNS = ("stage of the study", "seconds", "least to most")

_FAILED = "failed"
_GIGA, _MIB = 1e9, 2**20


@dataclass(frozen=True)
class Benchmark:
    """What :func:`covid_monai.benchmark.measure.measure_machine` has found.

    Attributes:
        document: what its JSON holds: ``limits``, ``networks`` and ``study``, with the machine, versions and date. Of
            a row that could not be measured all figures are None, and ``error`` says why.
    """

    document: Mapping[str, Any]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the document as JSON.

        Raises:
            InputError: the file exists, or cannot be written.
        """
        refuse_existing(Path(path))
        write_json(path, self.document)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Benchmark":
        """What :meth:`save` has written.

        Raises:
            InputError: the file cannot be read, or is none of this format and version.
        """
        content = read_json(path)
        if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
            raise InputError(f"{path} is no {FORMAT} of version {VERSION}; `covid-monai benchmark -o FILE` writes one")
        return cls(content)

    def table(self) -> str:
        """The machine in a line, a Markdown table with a row for each limit and network, and one of the stages."""
        document = self.document
        measured = [*document["limits"], *document["networks"]]
        cells = [_network_cells(row) if "bundle" in row else _limit_cells(row) for row in measured]
        lines = [[row.get(column, "") for column in COLUMNS] for row in cells]
        parts = [_machine_line(document), _markdown(COLUMNS, lines, COLUMNS.index("batch"))]
        reasons = [
            (row["error"], named) for row, named in zip(measured, cells, strict=True) if row["error"] is not None
        ]
        if reasons:
            parts.append(
                "\n".join(f"{_FAILED}: {', '.join(list(named.values())[:-1])}: {why}" for why, named in reasons)
            )
        if document["study"] is not None:
            parts.append(_study_text(document["study"]))
        return "\n\n".join(parts)


def refuse_existing(path: Path) -> None:
    """Refuse a file that would be replaced.

    Raises:
        InputError: it exists.
    """
    if path.exists():
        raise InputError(f"{path} exists already; choose a file that does not")


def _machine_line(document: Mapping[str, Any]) -> str:
    environment = document["environment"]
    return (
        f"{document['device_name']} ({document['device']}), {environment['threads']} threads on "
        f"{document['processors']} processors, torch {environment['packages']['torch']}, {document['date']}; "
        f"medians of up to {document['repeats']} rounds after a warm-up"
    )


def _limit_cells(row: Mapping[str, Any]) -> dict[str, str]:
    cells = {"what": str(row["name"]), "computed by": "torch", "precision": row["precision"]}
    if row["error"] is not None:
        return {**cells, "slices/s": _FAILED}
    return {
        **cells,
        "size": " x ".join(map(str, row["shape"])),
        "least to most": f"{_spread(row['seconds'], row['flops'] / _GIGA)} GFLOP/s",
        "GFLOP/s": _number(row["flops_per_second"] / _GIGA),
    }


def _network_cells(row: Mapping[str, Any]) -> dict[str, str]:
    cells = {
        "what": str(row["bundle"]).removesuffix(SUFFIX),
        "size": f"{row['size']} x {row['size']}",
        "work": row["work"],
        "computed by": row["backend"],
        "precision": row["precision"],
    }
    if row["error"] is not None:
        return {**cells, "slices/s": _FAILED}
    return {
        **cells,
        "batch": str(row["batch"]),
        "slices/s": _number(row["slices_per_second"]),
        "least to most": _spread(row["seconds"], row["slices"]),
        "GFLOP a slice": _number(row["flops_per_slice"] / _GIGA),
        "GFLOP/s": _number(row["flops_per_second"] / _GIGA),
        "of convolution": _share(row["share_of_convolution"]),
        "of matrix product": _share(row["share_of_matrix_product"]),
        "peak memory": _memory(row["peak_memory_bytes"]),
    }


def _study_text(study: Mapping[str, Any]) -> str:
    if study["error"] is not None:
        return f"{_FAILED}: {study['name']}: {study['error']}"
    rows = [
        [stage, _number(statistics.median(seconds)), f"{_number(min(seconds))} to {_number(max(seconds))}"]
        for stage, seconds in study["stages"].items()
    ]
    size, backend = " x ".join(map(str, study["shape"])), study["backend"]
    line = (
        f"{study['name']} ({study['format']}, {size}), the network by {backend['name']} in "
        f"{backend['precision']}; peak memory {_memory(study['peak_memory_bytes'])}"
    )
    if study["peak_cuda_memory_bytes"] is not None:
        line += f", of the GPU {_memory(study['peak_cuda_memory_bytes'])}"
    return f"{line}\n\n{_markdown(STAGE_COLUMNS, rows, 1)}"


def _spread(seconds: Mapping[str, float], amount: float) -> str:
    """Of an amount a second, from the slowest round to the fastest."""
    return f"{_number(amount / seconds['most'])} to {_number(amount / seconds['least'])}"


def _number(value: float) -> str:
    """Three digits that count, and all before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _memory(value: int | None) -> str:
    return "not known" if value is None else f"{value / _MIB:.0f} MiB"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int) -> str:
    """A Markdown table in columns of one width, numbers at the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * size if place < numbers_from else "-" * (size - 1) + ":" for place, size in enumerate(widths)]
    sides = "".join("<" if place < numbers_from else ">" for place in range(len(widths)))
    return "\n".join(
        f"| {' | '.join(f'{cell:{side}{width}}' for cell, side, width in zip(cells, sides, widths, strict=True))} |"
        for cells in (header, rule, *rows)
    )
