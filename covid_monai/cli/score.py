"""``covid-monai score``: masks of any tool against references."""

import warnings
from pathlib import Path

import click

from covid_monai.cli.options import grid_tolerance_option, orientation_option
from covid_monai.errors import InputError, InputWarning

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("predictions", nargs=-1, required=True, metavar="[NAME=]PREDICTIONS...")
@click.argument("references", type=_PATH)
@click.option("--labels", help="Classes: 1=ground-glass,2=consolidation or 1,2,3=lesion.  [default: all over 0=lesion]")
@click.option("--patients", type=_PATH, help="CSV case,patient: intervals and tests go by patient.")
@click.option("--missing-as-empty", is_flag=True, help="Count a missing prediction as an empty mask.")
@click.option(
    "--spacing",
    type=click.Choice(["auto", "known", "unknown"]),
    default="auto",
    show_default=True,
    help="Whether the headers' spacing is real; auto takes 1 x 1 x 1 mm for a placeholder.",
)
@click.option(
    "--tolerance",
    "tolerance_mm",
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    metavar="MM",
    help="Tolerance of the surface Dice.",
)
@orientation_option
@grid_tolerance_option
@click.option("-o", "--output", type=_PATH, help="Folder for the tables.  [default: only shown]")
@click.option("--overwrite", is_flag=True, help="Replace the scores in the output folder.")
def score(
    predictions: tuple[str, ...],
    references: Path,
    labels: str | None,
    patients: Path | None,
    missing_as_empty: bool,
    spacing: str,
    tolerance_mm: float,
    orientation: str | None,
    grid_tolerance: float | None,
    output: Path | None,
    overwrite: bool,
) -> None:
    """Score the masks in PREDICTIONS against those in REFERENCES, from any tool.

    Both are folders whose files have the same names (NIfTI, NRRD, MetaImage, PNG), or one file each. A file has to
    lie on its reference's grid. The last argument is REFERENCES; with several PREDICTIONS they are also compared in
    pairs. Writes scores.csv, scores.json and scores.md to OUTPUT; with several PREDICTIONS to OUTPUT/NAME, and
    comparison.csv, comparison.json and comparison.md to OUTPUT. NAME is the folder's name unless given. An OUTPUT
    that holds scores already is refused without --overwrite.
    """
    from covid_monai.scoring.markdown import comparison_markdown, markdown
    from covid_monai.scoring.score import score as score_masks

    scores = score_masks(
        _named(predictions),
        references,
        labels=labels,
        patients=patients,
        missing_as_empty=missing_as_empty,
        spacing=spacing,
        tolerance_mm=tolerance_mm,
        orientation=orientation,
        grid_tolerance=grid_tolerance,
        output=output,
        overwrite=overwrite,
        progress=True,
    )
    for summary in scores.summaries.values():
        for warning in summary.content["inputs"]["warnings"]:
            warnings.warn(warning, InputWarning, stacklevel=2)
    if scores.comparison is not None:
        click.echo(comparison_markdown(scores.comparison, scores.summaries))
    else:
        click.echo("".join(markdown(summary.content) for summary in scores.summaries.values()))
    if output is not None:
        click.echo(f"wrote {output}")


def _named(predictions: tuple[str, ...]) -> dict[str, Path]:
    """Folders by their names; one that is given as NAME=FOLDER takes that name."""
    from covid_monai.scoring.score import check_names, name_of

    named: list[tuple[str, Path]] = []
    for given in predictions:
        name, equals, place = given.partition("=")
        if equals and not Path(given).exists():
            if not place:
                raise InputError(f"{given!r} names no folder; give NAME=FOLDER")
            named.append((name, Path(place)))
        else:
            named.append((name_of(given), Path(given)))
    try:
        check_names(name for name, _ in named)
    except InputError as error:
        raise InputError(f"{error} (NAME=FOLDER)") from error
    return dict(named)
