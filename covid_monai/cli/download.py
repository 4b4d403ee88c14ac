"""``covid-monai data download``: public data from where it is published, once its licence is accepted."""

from pathlib import Path

import click


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
