"""``covid-monai bundle``."""

from pathlib import Path

import click

from covid_monai.cli.bundle_show import show
from covid_monai.cli.options import RenamedOptions, settings_option
from covid_monai.run.export import FORMATS


@click.command()
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Put the table into this file, between its two marks, instead of printing it.",
)
def sizes(into: Path | None) -> None:
    """Print a Markdown table of all bundles and their ablations: parameters, and operations of one slice.

    Operations are floating-point operations of the forward pass; `bundle show` says which are counted.
    """
    from covid_monai.catalog.bundles import bundle_names
    from covid_monai.catalog.sizes import network_sizes, put_table, size_table, table_in

    if into is not None:
        # a page that cannot take the table is told before the counting
        table_in(into)
    table = size_table([size for name in bundle_names() for size in network_sizes(name)])
    if into is None:
        click.echo(table)
    else:
        put_table(into, table)
        click.echo(f"wrote the table into {into}")


_PATH = click.Path(path_type=Path)


@click.command(cls=RenamedOptions, renamed={"--checkpoint": "--run"})
@click.argument("name")
@click.option("--run", required=True, type=_PATH, help="Run folder, bundle folder with weights, or weights file.")
@click.option(
    "--format",
    "file_format",
    required=True,
    type=click.Choice(list(FORMATS)),
    help="onnx needs the optional packages covid-monai[export].",
)
@click.option("-o", "--output", required=True, type=_PATH, help="The file to write, which must not exist yet.")
@settings_option
@click.option("--trust-run", is_flag=True, help="Take the run's expressions and bundle, which are code.")
def export(name: str, run: Path, file_format: str, output: Path, assignments: tuple[str, ...], trust_run: bool) -> None:
    """Export the trained network of bundle NAME: images as its chain leaves them in, logits out.

    Batch, height and width stay free (height and width at least 33). The file is read again and compared with the
    network at two sizes before it takes its place.
    """
    from covid_monai.catalog.literals import parse_setting
    from covid_monai.run.export import export_bundle

    settings = dict(map(parse_setting, assignments))
    for entry in export_bundle(name, run, file_format, output, settings=settings, trust=trust_run):
        click.echo(f"logits of {' x '.join(map(str, entry.shape))} images differ by at most {entry.difference:.1e}")
    click.echo(f"exported: {output}")


@click.group()
def bundle() -> None:
    """The MONAI bundles, one an architecture."""


for _command in (show, sizes, export):
    bundle.add_command(_command)


@bundle.command("list")
def list_bundles() -> None:
    """List the bundles of the package."""
    from covid_monai.catalog.bundles import bundle_folder, bundle_names
    from covid_monai.files import read_json

    for name in bundle_names():
        click.echo(f"{name}\t{read_json(bundle_folder(name) / 'configs' / 'metadata.json')['name']}")


@bundle.command()
@click.argument("name")
def verify(name: str) -> None:
    """Check a bundle's files, metadata, and network input and output."""
    from covid_monai.catalog.describe import verify_bundle
    from covid_monai.errors import InputError

    if problems := verify_bundle(name):
        raise InputError(f"bundle {name}: {'; '.join(problems)}")
    click.echo(f"bundle {name}: files, metadata, network input and output are as MONAI asks")


@bundle.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the folder of a bundle, for python -m monai.bundle."""
    from covid_monai.catalog.bundles import bundle_folder

    click.echo(bundle_folder(name))


@bundle.command(cls=RenamedOptions, renamed={"--checkpoint": "--run"})
@click.argument("name")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--run", type=_PATH, help="Run folder whose weights and settings go along.")
@click.option("--trust-run", is_flag=True, help="Take the run's expressions and bundle, which are code.")
def copy(name: str, target: Path, run: Path | None, trust_run: bool) -> None:
    """Copy a bundle to TARGET, to run it with MONAI's own tools or to change it."""
    from covid_monai.run.copy import copy_bundle

    click.echo(copy_bundle(name, target, run=run, trust=trust_run))
