"""``covid-monai bundle sizes``: parameters and operations of every network, side by side."""

from pathlib import Path

import click


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
    from covid_monai.workflow.bundles import bundle_names
    from covid_monai.workflow.size_table import put_table, size_table, table_in
    from covid_monai.workflow.sizes import network_sizes

    if into is not None:
        # a page that cannot take the table is told before the counting
        table_in(into)
    table = size_table([size for name in bundle_names() for size in network_sizes(name)])
    if into is None:
        click.echo(table)
    else:
        put_table(into, table)
        click.echo(f"wrote the table into {into}")
