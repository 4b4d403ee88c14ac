"""``covid-monai data split``: training, validation and test part."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from covid_monai.cli.options import RenamedChoice

if TYPE_CHECKING:
    from covid_monai.data.manifest import Dataset
    from covid_monai.data.splits import Split

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("folder", type=_PATH)
@click.option("-o", "--output", required=True, type=_PATH, help="The split file to write.")
@click.option(
    "--protocol",
    type=RenamedChoice(["paper", "grouped", "given"], {"strict": "grouped"}),
    required=True,
    help="paper: by slice; grouped: by patient, else volume, else near-duplicate group; given: the source's own parts.",
)
@click.option("--folds", type=click.IntRange(min=2), help="Cross-validation with this many folds.")
@click.option("--test-fraction", type=click.FloatRange(0, 1, True, True), help="One fold, this share tested.")
@click.option(
    "--validation-fraction",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the training part that becomes the validation part.  [default: 0.2]",
)
@click.option(
    "--validation-is-test",
    is_flag=True,
    help="The test part is the validation part too, as in papers that stop training on their only held-out part: a "
    "leak. Not for grouped.",
)
@click.option(
    "--without-near-duplicates",
    "--without-look-alikes",
    is_flag=True,
    help="For given: leave out training cases that share patient, volume or group with a test case.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def split(
    folder: Path,
    output: Path,
    protocol: str,
    folds: int | None,
    test_fraction: float | None,
    validation_fraction: float | None,
    validation_is_test: bool,
    without_near_duplicates: bool,
    seed: int,
) -> None:
    """Split the data set in FOLDER into training, validation and test part."""
    from covid_monai.data.manifest import read_dataset
    from covid_monai.data.splits import split_dataset, write_split

    if protocol == "given" and (folds or test_fraction):
        raise click.UsageError("--protocol given takes the source's parts: leave --folds and --test-fraction away")
    if protocol != "given" and bool(folds) == bool(test_fraction):
        raise click.UsageError(f"--protocol {protocol} needs one of --folds K and --test-fraction F")
    if validation_is_test and validation_fraction is not None:
        raise click.UsageError(
            "--validation-is-test says what the validation part is: leave --validation-fraction away"
        )
    dataset = read_dataset(folder)
    made = split_dataset(
        dataset,
        protocol,
        folds,
        test_fraction,
        **({} if validation_fraction is None else {"validation_fraction": validation_fraction}),
        seed=seed,
        validation_is_test=validation_is_test,
        without_near_duplicates=without_near_duplicates,
    )
    write_split(output, made)
    _tell(dataset, made)
    click.echo(f"wrote {output}")


def _tell(dataset: "Dataset", made: "Split") -> None:
    patients = {case.case: case.patient for case in dataset.cases}
    click.echo("fold  train  validation  test  test patients")
    for index, fold in enumerate(made.folds):
        known = {patients[name] for name in fold.test}
        tested = "unknown" if None in known else str(len(known))
        sizes = f"{len(fold.train):5}  {len(fold.validation):10}  {len(fold.test):4}"
        click.echo(f"{index:4}  {sizes}  {tested:>13}")
        if made.without_near_duplicates:
            left_out = len(patients) - len({*fold.train, *fold.validation, *fold.test})
            click.echo(f"left out as look-alikes of test cases: {left_out} training cases")
    if made.validation_is_test:
        click.echo(
            "validation is the test part: a leak, as the test part then chooses the weights. It is there to repeat "
            "papers with one held-out part only; the scores are too high for unseen patients"
        )
