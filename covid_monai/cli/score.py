"""``covid-monai score``: masks of any tool against references."""

import tempfile
from pathlib import Path

import click

from covid_monai.errors import InputError

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
    type=click.FloatRange(0),
    default=2.0,
    show_default=True,
    metavar="MM",
    help="Tolerance of the surface Dice.",
)
@click.option("-o", "--output", type=_PATH, help="Folder for the tables.  [default: only shown]")
def score(
    predictions: tuple[str, ...],
    references: Path,
    labels: str | None,
    patients: Path | None,
    missing_as_empty: bool,
    spacing: str,
    tolerance: float,
    output: Path | None,
) -> None:
    """Score the masks in PREDICTIONS against those in REFERENCES, from any tool.

    Both are folders whose files have the same names (NIfTI, NRRD, MetaImage, PNG), or one file each. A file has to
    lie on its reference's grid. The last argument is REFERENCES; with several PREDICTIONS they are also compared in
    pairs. Writes scores.csv, scores.json and scores.md to OUTPUT; with several PREDICTIONS to OUTPUT/NAME, and
    comparison.csv, comparison.json and comparison.md to OUTPUT. NAME is the folder's name unless given.
    """
    from covid_monai.data.sources.folders import read_patients
    from covid_monai.scoring.comparison import compare
    from covid_monai.scoring.comparison_tables import comparison_markdown, write_comparison
    from covid_monai.scoring.folders import check_patients, match_masks, score_pairs
    from covid_monai.scoring.label_classes import LabelClasses, parse_label_classes
    from covid_monai.scoring.tables import markdown, write_summary

    classes = parse_label_classes(labels) if labels is not None else LabelClasses()
    named = _named(predictions)
    pairs = {name: match_masks(folder, references, missing_as_empty) for name, folder in named.items()}
    people = read_patients(patients) if patients is not None else None
    for one in pairs.values():
        check_patients(one, people)
    if output is not None:
        _check_writable(output)
    summaries = {name: score_pairs(one, classes, people, spacing, tolerance, True) for name, one in pairs.items()}
    several = len(summaries) > 1
    if several:
        comparison = compare(summaries)
        click.echo(comparison_markdown(comparison, summaries))
        if output is not None:
            write_comparison(comparison, summaries, output)
    for name, summary in summaries.items():
        if not several:
            click.echo(markdown(summary.content))
        if output is not None:
            write_summary(summary, output / name if several else output)
    if output is not None:
        click.echo(f"wrote {output}")


def _named(predictions: tuple[str, ...]) -> dict[str, Path]:
    """Folders by their names; one that is given as NAME=FOLDER takes that name."""
    named: dict[str, Path] = {}
    for given in predictions:
        name, equals, place = given.partition("=")
        path = Path(place) if equals and not Path(given).exists() else Path(given)
        if path == Path(given):
            name = path.resolve().name
        if not name or name in (".", "..") or "/" in name or "\\" in name:
            raise InputError(f"{given!r}: {name!r} is no name for a table's row and folder; write NAME=FOLDER")
        if name.casefold() in (one.casefold() for one in named):
            raise InputError(f"two predictions are named {name!r}; name them apart, as in first={path}")
        named[name] = path
    return named


def _check_writable(folder: Path) -> None:
    """A folder that cannot be written is told before an hour of scoring, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --output") from error
