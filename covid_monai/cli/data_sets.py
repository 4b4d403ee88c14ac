"""``covid-monai data group|merge|copies|download``: data sets from data sets, and from where they are published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from covid_monai.cli.data_prepare import report_dataset


@click.command()
@click.argument("name", type=click.Choice(["medseg", "zenodo", "radiopaedia", "kaggle"]))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the files.  [default: NAME]")
@click.option("--accept-licence", is_flag=True, help="Accept the licence without being asked.")
def download(name: str, output: Path | None, accept_licence: bool) -> None:
    """Download a public data set; run it again to go on where it broke off.

    radiopaedia and kaggle have no direct address: it is said where to get them by hand.
    """
    from covid_monai.data.sources.download import BY_HAND, PUBLISHED, fetch
    from covid_monai.errors import InputError

    if name in BY_HAND:
        raise InputError(BY_HAND[name])
    published, folder = PUBLISHED[name], output or Path(name)
    click.echo(published.licence)
    if not accept_licence and not _accepted():
        raise InputError("the licence is not accepted: nothing downloaded; answer y, or give --accept-licence")
    for file in published.files():
        click.echo(f"{fetch(file, folder, progress=True)}  md5 {file.md5}")
    click.echo(f"complete; next: covid-monai data prepare {name} {folder} -o DATA")


def _accepted() -> bool:
    try:
        return click.confirm("Do you accept these terms?")
    except click.Abort:
        # no answer, as in a script
        click.echo()
        return False


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def group(folder: Path) -> None:
    """Group near-duplicate slices without patient IDs, for `data split --protocol grouped`.

    Writes the groups into FOLDER/dataset.json. A grouped split then has no known data leakage; more cannot be
    claimed, as slices of one patient that are no near-duplicates stay in different groups.
    """
    from covid_monai.data.manifest import read_dataset
    from covid_monai.data.near_duplicates import group_cases

    grouping = group_cases(read_dataset(folder), progress=True)
    if not grouping.unknown:
        click.echo("every case has a patient or a volume: nothing to group")
        return
    several = [members for members in grouping.groups.values() if len(members) > 1]
    for members in several:
        click.echo(f"near-duplicates: {', '.join(members)}")
    click.echo(
        f"{grouping.unknown} cases without patient or volume: {len(grouping.groups)} groups, {len(several)} of them of "
        "several cases; a grouped split of them has no known data leakage, more cannot be claimed"
    )


_PATH = click.Path(path_type=Path)
# the names of a hundred patients help nobody
_NAMES = 6


@click.command()
@click.argument("folders", metavar="DATA...", nargs=-1, required=True, type=_PATH)
@click.option("-o", "--output", required=True, type=_PATH, help="New or empty folder for the data set.")
@click.option("--name", help="Name of the data set.  [default: theirs, joined]")
@click.option("--same-patients", is_flag=True, help="A patient ID in two sources is one patient.")
@click.option("--overwrite", is_flag=True, help="Replace the data set in the output folder.")
def merge(folders: tuple[Path, ...], output: Path, name: str | None, same_patients: bool, overwrite: bool) -> None:
    """Make one data set from several prepared ones, such as MedSeg part 1 and part 2.

    Files are hard-linked where that is possible, else copied. A patient ID in two sources counts as two
    patients, unless --same-patients is given.
    """
    from covid_monai.data.merge import merge_datasets

    merged = merge_datasets(folders, output, name, same_patients, overwrite)
    report_dataset(merged.dataset)
    if merged.told_apart:
        names = ", ".join(merged.told_apart[:_NAMES]) + (", ..." if len(merged.told_apart) > _NAMES else "")
        click.echo(f"patient IDs of several sources, taken for different patients: {names}; else give --same-patients")
    if any(case.patient is None and case.volume is None for case in merged.dataset.cases):
        click.echo(f"some cases have no patient or volume: `covid-monai data group {output}` finds near-duplicates")


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
    slice come to lie in training and test, data leakage; grouped keeps them together. To train with copies take the
    bundle's settings copy_quarter_turns and copy_scalings on FOLDER itself.
    """
    from covid_monai.catalog.bundles import bundle_folder
    from covid_monai.catalog.config import read_config
    from covid_monai.data.sources.augmented import write_copies

    if quarter_turns is None or scalings is None:
        paper = read_config(bundle_folder(_PAPER), "train")
        quarter_turns = paper["copy_quarter_turns"] if quarter_turns is None else quarter_turns
        scalings = paper["copy_scalings"] if scalings is None else scalings
    report_dataset(write_copies(folder, output, quarter_turns, scalings, overwrite, progress=True))
