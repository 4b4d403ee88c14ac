"""``covid-monai train``."""

import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from covid_monai.cli.options import device_option


@click.command()
@click.argument("bundle")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of a prepared data set.")
@click.option("--split", type=click.Path(path_type=Path), help="Split file.  [default: DATA/split.json]")
@click.option("--fold", default=0, show_default=True, help="Fold of the split.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Run folder to write.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Setting of the bundle; repeatable.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file of settings; --set goes over it.")
@device_option
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Begin with the weights of another run (fine-tune), or with `shipped`, those of the package.",
)
@click.option(
    "--resume", is_flag=True, help="Go on from the last complete epoch of the run in OUTPUT, with its settings."
)
@click.pass_context
def train(
    ctx: click.Context,
    bundle: str,
    data: Path,
    split: Path | None,
    fold: int,
    output: Path,
    assignments: tuple[str, ...],
    config: Path | None,
    device: str | None,
    resume: bool,
    init: Path | None,
) -> None:
    """Train BUNDLE, such as a_segnet, on one fold of a prepared data set.

    \b
    covid-monai train a_segnet --data DATA -o runs/first --set epochs=5
    covid-monai bundle show a_segnet     lists the settings
    """
    from covid_monai.catalog.literals import parse_setting, read_settings

    settings = read_settings(config) if config else {}
    settings.update(parse_setting(assignment) for assignment in assignments)
    from covid_monai.cli.root import INTERRUPTED
    from covid_monai.files import protecting
    from covid_monai.run.training import train as run_training

    with nullcontext() if config is None else protecting(config):
        try:
            run = run_training(
                bundle,
                data,
                output,
                split=split,
                fold=fold,
                settings=settings,
                device=device,
                resume=resume,
                init=init,
                progress=True,
            )
        except KeyboardInterrupt:
            options: dict[str, Any] = {"--data": data, "--split": split, "--fold": fold or None, "-o": output}
            options |= {"--config": config, "--device": device}
            click.echo(f"interrupted; {_how_to_go_on(bundle, output, options)}", err=True)
            ctx.exit(INTERRUPTED)
        from covid_monai.report.curves import draw_curves

        draw_curves(run.log, run.curves)
    click.echo(f"trained: {run}; next: covid-monai evaluate {shlex.quote(str(run))}")


def _how_to_go_on(bundle: str, output: Path, options: dict[str, Any]) -> str:
    from covid_monai.run.folder import RunFolder

    if not RunFolder(output).record.is_file():
        return "nothing was written yet, so start it again"
    words = [bundle, *(str(word) for name, value in options.items() if value is not None for word in (name, value))]
    return f"to go on from the last complete epoch: covid-monai train {shlex.join(words)} --resume"
