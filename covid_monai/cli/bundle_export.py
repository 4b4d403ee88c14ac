"""``covid-monai bundle export``: a trained network as one file for other programs."""

from pathlib import Path

import click

from covid_monai.workflow.export_formats import FORMATS

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("name")
@click.option("--checkpoint", required=True, type=_PATH, help="Run folder whose weights are exported.")
@click.option(
    "--format",
    "file_format",
    required=True,
    type=click.Choice(list(FORMATS)),
    help="onnx needs the optional packages covid-monai[export].",
)
@click.option("-o", "--output", required=True, type=_PATH, help="The file to write, which must not exist yet.")
@click.option("--trust-run", is_flag=True, help="Take the run's expressions and bundle, which are code.")
def export(name: str, checkpoint: Path, file_format: str, output: Path, trust_run: bool) -> None:
    """Export the trained network of bundle NAME: images as its chain leaves them in, logits out.

    Batch, height and width stay free (height and width at least 33). The file is read again and compared with the
    network at two sizes before it takes its place.
    """
    from covid_monai.workflow.export import export_bundle

    for one in export_bundle(name, checkpoint, file_format, output, trust=trust_run):
        click.echo(f"logits of {' x '.join(map(str, one.shape))} images differ by at most {one.difference:.1e}")
    click.echo(f"exported: {output}")
