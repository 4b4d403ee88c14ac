"""``covid-monai data group``: groups of near-duplicates for the strict split."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def group(folder: Path) -> None:
    """Group slices of unknown patients that look alike, for `data split --protocol strict`.

    Writes the groups into FOLDER/dataset.json. A strict split then has no known leak; more cannot be claimed, as
    slices of one person that do not look alike stay in different groups.
    """
    from covid_monai.data.groups import group_cases
    from covid_monai.data.manifest import read_dataset

    made = group_cases(read_dataset(folder), progress=True)
    if not made.unknown:
        click.echo("every case has a patient or a volume: nothing to group")
        return
    several = [members for members in made.groups.values() if len(members) > 1]
    for members in several:
        click.echo(f"look alike: {', '.join(members)}")
    click.echo(
        f"{made.unknown} cases without patient or volume: {len(made.groups)} groups, {len(several)} of them of "
        "several cases; a strict split of them has no known leak, more cannot be claimed"
    )
