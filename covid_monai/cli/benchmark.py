"""``covid-monai benchmark``: what this machine makes of the networks and of a study."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from covid_monai.cli.options import device_option


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the figures as JSON too.")
@click.option(
    "--bundle", "bundles", multiple=True, metavar="NAME", help="Network to measure; repeatable.  [default: all]"
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Height and width of its slices; repeatable.  [default: 256, 369, 512]",
)
@device_option
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(["float32", "bfloat16"]),
    help="Of multiplications; repeatable.  [default: bfloat16 where the device has hardware for it]",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="SLICES",
    help="Slices at a time, in training and in inference.",
)
@click.option(
    "--repeats", type=click.IntRange(1, 1000), default=5, show_default=True, help="Timings after the warm-up, at most."
)
@click.option(
    "--study",
    default="phantom",
    show_default=True,
    metavar="CT",
    help="Whole study to predict: a CT, phantom for a drawn one, none for no study.",
)
@click.option(
    "--slices",
    type=click.IntRange(4, 2000),
    default=100,
    show_default=True,
    help="Of the drawn study, 512 x 512 each.",
)
def benchmark(
    output: Path | None,
    bundles: tuple[str, ...],
    sizes: tuple[int, ...],
    device: str | None,
    precisions: tuple[str, ...],
    batch: int,
    repeats: int,
    study: str,
    slices: int,
) -> None:
    """Measure networks and a whole study on this machine: speed, share of what it reaches, memory.

    A row for each network, size and kind of work: slices a second, floating-point operations, how many of them a second
    as a share of what a large convolution and a large matrix product reach in the same run, and peak memory. Of the
    study, the seconds of each stage. All networks at all sizes take long on a processor; --bundle and --size choose
    among them. Nothing else should run meanwhile.
    """
    from covid_monai.benchmark import measure_machine
    from covid_monai.benchmark.measure import SIZES
    from covid_monai.benchmark.table import refuse_existing
    from covid_monai.errors import InputError
    from covid_monai.files import replacing, write_json

    # a file that cannot be written is known at once, not after the measurements
    target: AbstractContextManager[Path | None] = nullcontext()
    if output is not None:
        refuse_existing(output)
        target = replacing(output)
    with target as file:
        done = measure_machine(
            bundles=bundles or None,
            sizes=sizes or SIZES,
            device=device,
            precisions=precisions or None,
            batch=batch,
            repeats=repeats,
            study=study,
            phantom_slices=slices,
            report=lambda line: click.echo(line, err=True),
        )
        click.echo(done.table())
        if file is not None:
            write_json(file, done.document)
    if done.document["study"] is not None and done.document["study"]["error"] is not None:
        raise InputError(f"the study could not be measured: {done.document['study']['error']}")
