"""What the cells of a table are trained and tested on: the split of each protocol, and the data of each arm."""

from collections.abc import Sequence
from pathlib import Path

from covid_monai.data.manifest import read_dataset
from covid_monai.data.splits import Split, dataset_hash, read_split, split_dataset, write_split
from covid_monai.errors import InputError
from covid_monai.tables.plan import Cell
from covid_monai.tables.table import Protocol, Table
from covid_monai.workflow.build import read_config
from covid_monai.workflow.bundles import bundle_folder

SEED = 0
"""Of every split: the cells of all rows and seeds are trained and tested on the same cases."""


def prepare_parts(table: Table, cells: Sequence[Cell], data: Path, output: Path) -> None:
    """Write the splits, and the data of arms, that ``cells`` need into ``output``; what is there already stays.

    Args:
        table: the table of the cells.
        cells: those to be run.
        data: the prepared data set.
        output: the output folder of the table.

    Raises:
        InputError: the data cannot be split as a protocol asks, or a split that is there is of other data.
    """
    needed = {(cell.protocol, cell.arm): cell for cell in cells}
    for (protocol, arm), cell in needed.items():
        folder = data_of(cell, data, output)
        if arm and not folder.exists():
            _write_arm(table, arm, data, folder)
        _write_split(table.protocols[protocol], table.folds, folder, output / cell.split)


def data_of(cell: Cell, data: Path, output: Path) -> Path:
    """The prepared data set that a cell is trained on: ``data``, or for a row with an arm one made from it."""
    return output / "data" / cell.arm if cell.arm else data


def _write_split(protocol: Protocol, folds: int, data: Path, path: Path) -> None:
    dataset = read_dataset(data)
    if path.exists():
        if read_split(path).dataset != dataset_hash(dataset):
            raise InputError(f"{path} is a split of other data than {data}; choose another output folder")
        return
    split: Split = split_dataset(
        dataset,
        protocol.split,
        folds=None if protocol.split == "given" else folds,
        validation_fraction=protocol.validation or 0.0,
        seed=SEED,
        validation_is_test=protocol.validation is None,
        without_look_alikes=protocol.without_look_alikes,
    )
    write_split(path, split)


def _write_arm(table: Table, arm: str, data: Path, folder: Path) -> None:
    """Slices with the copies that the arm's bundle makes of training slices, made before any fold is drawn."""
    from covid_monai.data.sources.copies import write_copies

    kinds = []
    for row in table.rows:
        if row.arm == arm and row.bundle:
            config = read_config(bundle_folder(row.bundle), "train")
            if "copy_quarter_turns" not in config:
                raise InputError(f"row {row.number} of {table.name}: {row.bundle} makes no copies, so it has no {arm}")
            kinds.append((config["copy_quarter_turns"], config["copy_scalings"]))
    if any(kind != kinds[0] for kind in kinds):
        raise InputError(f"the rows of {table.name} with {arm} make different copies; they need a table each")
    turns, scalings = kinds[0]
    write_copies(data, folder, turns, scalings)
