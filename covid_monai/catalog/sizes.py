"""Parameters and floating-point operations of networks, and their table."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_monai.catalog.bundles import SUFFIX, bundle_folder
from covid_monai.catalog.config import build_workflow, known_settings
from covid_monai.catalog.metadata import input_channels, read_ablations
from covid_monai.errors import InputError, building
from covid_monai.files import write_text

if TYPE_CHECKING:
    from torch import nn

COMMON_SIZE = (256, 256)
"""Height and width at which networks of different papers are compared."""

COUNTED = (
    "multiplications and additions of convolutions and matrix products, a multiply-add as two; "
    "normalisation, activation, pooling and interpolation are not counted"
)


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Attributes:
        bundle: the name of its bundle.
        label: "" for the bundle's own network, else the ablation's name in the paper.
        settings: those that make the ablation; empty for the bundle's own network.
        parameters: how many are trained.
        image_size: height and width of the bundle's input, which are the paper's.
        operations: floating-point operations of one slice of ``image_size``, as ``COUNTED`` says.
        common_operations: the same of one slice of ``COMMON_SIZE``.
    """

    bundle: str
    label: str
    settings: Mapping[str, Any]
    parameters: int
    image_size: tuple[int, int]
    operations: int
    common_operations: int


def network_sizes(name: str) -> list[Size]:
    """The sizes of a bundle's network and of its ablations, in this order.

    The networks are built on torch's meta device, which knows shapes but holds no values: it takes neither their
    memory nor the time of computing.

    Raises:
        InputError: there is no such bundle, its ablations are not as
            :func:`covid_monai.catalog.metadata.read_ablations` asks, or a network cannot be built or run without
            values.
    """
    folder = bundle_folder(name)
    return [_size(folder, label, settings) for label, settings in {"": {}, **read_ablations(folder)}.items()]


def count_operations(network: "nn.Module", shape: Sequence[int]) -> int:
    """Floating-point operations of one forward pass over an input of ``shape``, as ``COUNTED`` says.

    Counted by ``torch.utils.flop_counter``. The network may be on the meta device.
    """
    import torch

    images = torch.empty(shape, device=next(network.parameters()).device)
    network.eval()
    # not inference_mode, in which matrix products arrive undivided and are counted as nothing
    with torch.no_grad():
        return operations_of(lambda: network(images))


def operations_of(compute: Callable[[], object]) -> int:
    """Floating-point operations of what torch computes in one call, as ``COUNTED`` says; a backward pass in it too.

    What is computed a second time, as attention does in its backward pass, counts a second time.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        compute()
    return int(counter.get_total_flops())


def _size(folder: Path, label: str, settings: Mapping[str, Any]) -> Size:
    import torch

    with building(folder.name), torch.device("meta"):
        workflow = build_workflow(folder, "inference", known_settings(folder, "inference", settings))
        workflow.initialize()
        network = workflow.network_def
        height, width = workflow.parser.get_parsed_content("image_size")
        channels = input_channels(folder)
        operations = [count_operations(network, (1, channels, *size)) for size in ((height, width), COMMON_SIZE)]
    return Size(
        bundle=folder.name,
        label=label,
        settings=settings,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        image_size=(height, width),
        operations=operations[0],
        common_operations=operations[1],
    )


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
    changed = ", ".join(f"{key}: {json.dumps(value)}" for key, value in size.settings.items())
    return [
        size.bundle.removesuffix(SUFFIX),
        f"{size.label}: `{changed}`" if size.label else "the bundle's own",
        f"{size.parameters / 1e6:.2f}",
        f"{height} x {width}",
        f"{size.operations / 1e9:.1f}",
        f"{size.common_operations / 1e9:.1f}",
    ]


def _line(cells: list[str], widths: list[int]) -> str:
    sides = "<<>>>>"
    padded = [f"{cell:{side}{width}}" for cell, side, width in zip(cells, sides, widths, strict=True)]
    return f"| {' | '.join(padded)} |"
