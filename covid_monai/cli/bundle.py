"""``covid-monai bundle``."""

from pathlib import Path

import click

from covid_monai.cli.bundle_export import export
from covid_monai.cli.bundle_show import show
from covid_monai.cli.bundle_sizes import sizes


@click.group()
def bundle() -> None:
    """The MONAI bundles, one an architecture."""


for _command in (show, sizes, export):
    bundle.add_command(_command)


@bundle.command("list")
def list_bundles() -> None:
    """List the bundles of the package."""
    from covid_monai.files import read_json
    from covid_monai.workflow.bundles import bundle_folder, bundle_names

    for name in bundle_names():
        click.echo(f"{name}\t{read_json(bundle_folder(name) / 'configs' / 'metadata.json')['name']}")


@bundle.command()
@click.argument("name")
def verify(name: str) -> None:
    """Check a bundle's files, metadata, and network input and output."""
    from covid_monai.errors import InputError
    from covid_monai.workflow.shelf import verify_bundle

    if problems := verify_bundle(name):
        raise InputError(f"bundle {name}: {'; '.join(problems)}")
    click.echo(f"bundle {name}: files, metadata, network input and output are as MONAI asks")


@bundle.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the folder of a bundle, for python -m monai.bundle."""
    from covid_monai.workflow.bundles import bundle_folder

    click.echo(bundle_folder(name))


@bundle.command()
@click.argument("name")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Run folder whose weights go along.")
@click.option("--trust-run", is_flag=True, help="Take the run's expressions and bundle, which are code.")
def copy(name: str, target: Path, checkpoint: Path | None, trust_run: bool) -> None:
    """Copy a bundle to TARGET, to run it with MONAI's own tools or to change it."""
    from covid_monai.workflow.shelf import copy_bundle

    click.echo(copy_bundle(name, target, checkpoint, trust=trust_run))
