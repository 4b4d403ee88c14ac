"""``covid-monai data copies``: slices and their turned and scaled copies as one data set."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from covid_monai.cli.importing import report_dataset

_PATH = click.Path(path_type=Path)
_PAPER = "residual_attention_unet"


def _numbers(kind: Callable[[str], Any]) -> Callable[..., list[Any] | None]:
    """A click callback: numbers with commas between them, or ``none``."""

    def parse(ctx: click.Context, option: click.Parameter, text: str | None) -> list[Any] | None:
        if text is None or text == "none":
            return None if text is None else []
        try:
            return [kind(part) for part in text.split(",")]
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is not a list such as {option.metavar}, and not none") from error

    return parse


@click.command()
@click.argument("folder", type=_PATH)
@click.option("-o", "--output", required=True, type=_PATH, help="New or empty folder for the data set.")
@click.option(
    "--quarter-turns",
    metavar="1,2,3",
    callback=_numbers(int),
    help=f"Turns by 90 degrees, or none.  [default: those of {_PAPER}]",
)
@click.option(
    "--scalings",
    metavar="0.5,1.5",
    callback=_numbers(float),
    help=f"Factors about the centre, or none.  [default: those of {_PAPER}]",
)
@click.option("--overwrite", is_flag=True, help="Replace the data set in the output folder.")
def copies(
    folder: Path, output: Path, quarter_turns: list[int] | None, scalings: list[float] | None, overwrite: bool
) -> None:
    """Write the slices of FOLDER and their turned and scaled copies as one data set, each a case.

    It shows what it does to scores to make copies before the folds are drawn: under protocol paper the copies of one
    slice come to lie on both sides, a leak; strict keeps them together. To train with copies take the bundle's
    settings copy_quarter_turns and copy_scalings on FOLDER itself.
    """
    from covid_monai.data.sources.copies import write_copies
    from covid_monai.workflow.build import read_config
    from covid_monai.workflow.bundles import bundle_folder

    if quarter_turns is None or scalings is None:
        paper = read_config(bundle_folder(_PAPER), "train")
        quarter_turns = paper["copy_quarter_turns"] if quarter_turns is None else quarter_turns
        scalings = paper["copy_scalings"] if scalings is None else scalings
    report_dataset(write_copies(folder, output, quarter_turns, scalings, overwrite, progress=True))
