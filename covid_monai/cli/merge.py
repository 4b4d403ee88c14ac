"""``covid-monai data merge``: one data set from several."""

from pathlib import Path

import click

from covid_monai.cli.importing import report_dataset

_PATH = click.Path(path_type=Path)
# the names of a hundred patients help nobody
_NAMES = 6


@click.command()
@click.argument("folders", metavar="DATA...", nargs=-1, required=True, type=_PATH)
@click.option("-o", "--output", required=True, type=_PATH, help="New or empty folder for the data set.")
@click.option("--name", help="Name of the data set.  [default: theirs, joined]")
@click.option("--same-patients", is_flag=True, help="Patients whom two sources name alike are one.")
@click.option("--overwrite", is_flag=True, help="Replace the data set in the output folder.")
def merge(folders: tuple[Path, ...], output: Path, name: str | None, same_patients: bool, overwrite: bool) -> None:
    """Make one data set from several prepared ones, such as MedSeg part 1 and part 2.

    Files are hard-linked where that is possible, else copied. Patients whom two sources name alike are taken for
    different people, unless --same-patients is given.
    """
    from covid_monai.data.merge import merge_datasets

    merged = merge_datasets(folders, output, name, same_patients, overwrite)
    report_dataset(merged.dataset)
    if merged.told_apart:
        names = ", ".join(merged.told_apart[:_NAMES]) + (", ..." if len(merged.told_apart) > _NAMES else "")
        click.echo(f"patients named alike in several sources, taken for different people: {names}; or --same-patients")
    if any(case.patient is None and case.volume is None for case in merged.dataset.cases):
        click.echo("some cases have no patient or volume; `covid-monai data group` looks for look-alikes among all")
