"""``covid-monai reproduce``."""

from pathlib import Path

import click

from covid_monai.cli.options import RenamedChoice, as_options, device_option


@click.command()
@click.argument("table")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of a prepared data set.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for all of it.")
@click.option(
    "--protocol",
    default="both",
    show_default=True,
    type=RenamedChoice(["paper", "grouped", "both", "control", "all"], {"strict": "grouped"}),
    help="paper: as the paper says; grouped: no known leak, and nothing decided on the test part; control: two arms "
    "that differ in grouping alone, to tell what it changes.",
)
@click.option(
    "--rows", multiple=True, metavar="ROW", help="A row's label or number, or 1,3-5; repeatable.  [default: all]"
)
@click.option("--folds", metavar="LIST", help="Such as 0,2-4.  [default: all; with a smaller budget the first few]")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Trainings of each fold.  [default: paper 1, grouped and control 3; with a smaller budget 1]",
)
@click.option(
    "--budget",
    default="full",
    show_default=True,
    help="quick: small and short, labelled so wherever a result stands; some tables have further ones.",
)
@device_option
@click.option(
    "--allow-deviation",
    "allow_deviations",
    multiple=True,
    type=click.Choice(["canvas", "sources"]),
    help="Accept data that miss what the table needs: slices that are crops, other sources; noted in OUTPUT.",
)
@click.option("--resume", is_flag=True, help="Go on with the table in OUTPUT, if there is one.")
@click.option(
    "--executor",
    type=click.Choice(["in-process", "processes", "ray"]),
    help="Where jobs are run.  [default: processes where --workers or --per-device is given, else in-process]",
)
@click.option("--workers", type=click.IntRange(min=1), help="Jobs at once.")
@click.option("--per-device", type=click.IntRange(min=1), help="Jobs at once on each GPU.")
@click.option(
    "--publish",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Also copy there what may be shown to others: no weights, no pictures, no paths of this machine. Jobs that "
    "were published there before stay.",
)
@click.option("--dry-run", is_flag=True, help="Print the jobs, their state and their commands; write nothing.")
def reproduce(
    table: str,
    data: Path,
    output: Path,
    protocol: str,
    rows: tuple[str, ...],
    folds: str | None,
    seeds: int | None,
    budget: str,
    device: str | None,
    allow_deviations: tuple[str, ...],
    resume: bool,
    executor: str | None,
    workers: int | None,
    per_device: int | None,
    publish: Path | None,
    dry_run: bool,
) -> None:
    """Train and evaluate every row of a paper's TABLE, and write it with the paper's values beside ours.

    TABLE is budak2021, chen2020, official-split, zhou2020-v1, zhou2021-v4, or a YAML file of that form.

    \b
    covid-monai reproduce zhou2020-v1 --data DATA -o runs/v1 --budget quick --dry-run
    covid-monai reproduce zhou2020-v1 --data DATA -o runs/v1 --rows 3,4 --per-device 2

    A job is a row, fold and seed under a protocol. One that fails does not stop the others; the exit status is
    then 1. Jobs that are done never run again.
    """
    from covid_monai.errors import InputError
    from covid_monai.tables.needs import UnmetNeeds
    from covid_monai.tables.reproduction import Request, RunOptions, preview, run_request

    request = Request(protocol, rows, folds, seeds, budget, resume, allow_deviations)
    options = RunOptions(device, executor, workers, per_device)
    try:
        if dry_run:
            click.echo(preview(table, data, output, request, options))
            return
        outcomes = run_request(table, data, output, request, options, click.echo)
    except UnmetNeeds as error:
        words = " ".join(f"--allow-deviation {name}" for name in error.deviations)
        raise InputError(f"{error} ({words})") from error
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    for outcome in failed:
        message = as_options(outcome.message, click.get_current_context().command)
        click.echo(f"failed: {outcome.job.title}: {message}", err=True)
    if len(failed) < len(outcomes):
        from covid_monai.tables.page import write_results

        write_results(output)
        click.echo(f"table: {output / 'table.md'}; page: {output / 'report.html'}")
        if publish is not None:
            from covid_monai.tables.joining import publish_beside

            click.echo(f"published to {publish}; finished jobs: {publish_beside(output, publish)}")
    if failed:
        raise InputError(
            f"{len(failed)} of {len(outcomes)} jobs failed; see the messages above, and --resume tries them again"
        )
