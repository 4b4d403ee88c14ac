"""``covid-monai report``."""

from pathlib import Path

import click

from covid_monai.cli.options import SUBSET, RenamedOptions

_FILE = click.Path(path_type=Path)


@click.command(cls=RenamedOptions, renamed={"--part": "--subset"})
@click.argument("run", type=_FILE)
@click.option("-o", "--output", type=_FILE, help="The page to write.  [default: RUN/report.html]")
@click.option(
    "--subset",
    default="test",
    show_default=True,
    type=SUBSET,
    help="Which evaluation of RUN to show.",
)
@click.option("--data", type=_FILE, help="The evaluated data set.  [default: the run's]")
@click.option("--volume", type=(_FILE, _FILE), metavar="IMAGE MASK", help="Show a predicted volume too.")
@click.option("--reference", type=_FILE, metavar="MASK", help="Outline this mask's lesions on that volume.")
def report(
    run: Path,
    output: Path | None,
    subset: str,
    data: Path | None,
    volume: tuple[Path, Path] | None,
    reference: Path | None,
) -> None:
    """Write a page about the evaluated run folder RUN.

    One HTML file with scores, training curves, worst and best cases, settings and data; it needs no network.
    """
    from covid_monai.report.page import write_report

    click.echo(f"report: {write_report(run, output, subset=subset, data=data, volume=volume, reference=reference)}")
