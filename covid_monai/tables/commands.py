"""The commands that run one cell alone, in the table's output folder."""

import shlex
from pathlib import Path
from typing import Any

import yaml

from covid_monai.tables.parts import data_of
from covid_monai.tables.plan import Cell
from covid_monai.workflow.bundles import bundle_folder, stored_name


def commands_of(cell: Cell, data: Path, device: str | None = None, threads: int | None = None) -> list[str]:
    """``covid-monai train`` and ``covid-monai evaluate`` of a cell, for a shell in the output folder.

    Args:
        cell: the cell.
        data: the prepared data set.
        device: as it was asked for; named in the commands unless None.
        threads: of torch, where an executor divides the processors; the last bits of a training depend on them.
    """
    where = data_of(cell, data.resolve(), Path())
    # a bundle of somebody's own is told by its path, which evaluation has to trust
    place = stored_name(bundle_folder(cell.bundle))
    own = Path(place).is_absolute()
    train = ["covid-monai", "train", place if own else cell.bundle, "--data", str(where), "--split", cell.split]
    train += ["--fold", str(cell.fold), "-o", cell.folder]
    for key, value in cell.settings.items():
        train += ["--set", f"{key}={_literal(value)}"]
    evaluate = ["covid-monai", "evaluate", cell.folder, *(["--trust-run"] if own else [])]
    if device is not None:
        train += ["--device", device]
        evaluate += ["--device", device]
    prefix = f"OMP_NUM_THREADS={threads} " if threads else ""
    return [prefix + shlex.join(command) for command in (train, evaluate)]


def _literal(value: Any) -> str:
    """A value as ``--set`` reads it back."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n...\n").strip()
