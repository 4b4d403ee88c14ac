"""``covid-monai bundle``."""

from pathlib import Path

import click


@click.group()
def bundle() -> None:
    """The MONAI bundles, one an architecture."""


@bundle.command("list")
def list_bundles() -> None:
    """List the bundles of the package."""
    from covid_monai.files import read_json
    from covid_monai.workflow.bundles import bundle_folder, bundle_names

    for name in bundle_names():
        click.echo(f"{name}\t{read_json(bundle_folder(name) / 'configs' / 'metadata.json')['name']}")


@bundle.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a bundle's paper, network, classes and settings."""
    from covid_monai.workflow.shelf import describe_bundle

    described = describe_bundle(name)
    metadata = described.metadata
    data = metadata["network_data_format"]
    click.echo(f"{metadata['name']} (version {metadata['version']})\n{metadata['description']}\n")
    click.echo(f"paper       {'; '.join(metadata.get('references', ['none named']))}")
    click.echo(f"parameters  {described.parameters:,}")
    click.echo(f"input       {metadata.get('image_classes', 'see metadata.json')}")
    click.echo(f"classes     {', '.join(data['outputs']['pred']['channel_def'].values())}")
    click.echo("\nsettings of covid-monai train --set, with the bundle's values")
    width = max(len(key) for key in described.settings)
    for key, value in described.settings.items():
        click.echo(f"  {key:<{width}}  {value}")


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
def copy(name: str, target: Path, checkpoint: Path | None) -> None:
    """Copy a bundle to TARGET, to run it with MONAI's own tools or to change it."""
    from covid_monai.workflow.shelf import copy_bundle

    click.echo(copy_bundle(name, target, checkpoint))
