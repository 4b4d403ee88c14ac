"""``covid-monai evaluate``."""

from pathlib import Path

import click

from covid_monai.cli.options import SUBSET, RenamedOptions, device_option, settings_option


@click.command(cls=RenamedOptions, renamed={"--part": "--subset"})
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Prepared data set.  [default: the run's]")
@click.option(
    "--subset",
    default="test",
    show_default=True,
    type=SUBSET,
    help="Of the run's fold; all: every case of DATA.",
)
@click.option("--split", type=click.Path(path_type=Path), help="Split file, where RUN does not record one.")
@click.option("--fold", type=click.IntRange(min=0), help="Fold of that split.")
@settings_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="[default: RUN/evaluation/SUBSET]")
@click.option(
    "--scoring-grid",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Score on slices of PIXELS x PIXELS too, such as a paper's 512.",
)
@device_option
@click.option("--trust-run", is_flag=True, help="Take the run's expressions and bundle, which are code.")
@click.option("--at-least", type=float, metavar="DICE", help="Exit with status 1 if the pooled Dice is lower.")
def evaluate(
    run: Path,
    data: Path | None,
    subset: str,
    split: Path | None,
    fold: int | None,
    assignments: tuple[str, ...],
    output: Path | None,
    scoring_grid: int | None,
    device: str | None,
    trust_run: bool,
    at_least: float | None,
) -> None:
    """Score the weights that the run in folder RUN kept: the best, or the last epoch's.

    RUN can also be what `python -m monai.bundle run` trained, a bundle's folder with weights, or a weights file.
    Writes scores.csv (per case), scores.json and scores.md (together), and every case's mask.
    """
    from covid_monai.catalog.literals import parse_setting
    from covid_monai.errors import InputError
    from covid_monai.run.evaluation import evaluate as score_run

    scores = score_run(
        run,
        data=data,
        subset=subset,
        split=split,
        fold=fold,
        settings=dict(map(parse_setting, assignments)),
        output=output,
        scoring_grid=scoring_grid,
        device=device,
        trust=trust_run,
        progress=True,
    )
    folder = scores.folder
    assert folder is not None
    click.echo((folder / "scores.md").read_text(encoding="utf-8"))
    click.echo(f"scores and masks: {folder}")
    if at_least is not None and (dice := scores.value("dice")) < at_least:
        raise InputError(f"the pooled Dice is {dice:.3f}, under the {at_least:g} that --at-least asks for")
