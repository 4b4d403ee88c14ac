"""``covid-monai data split``: training, validation and test subset."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from covid_monai.cli.options import RenamedChoice, RenamedOptions

if TYPE_CHECKING:
    from covid_monai.data.manifest import Dataset
    from covid_monai.data.splits import Split

_PATH = click.Path(path_type=Path)


@click.command(cls=RenamedOptions, renamed={"--without-look-alikes": "--without-near-duplicates"})
@click.argument("folder", type=_PATH)
@click.option("-o", "--output", required=True, type=_PATH, help="The split file to write.")
@click.option(
    "--protocol",
    type=RenamedChoice(["paper", "grouped", "given", "control-grouped", "control-ungrouped"], {"strict": "grouped"}),
    required=True,
    help="paper: by slice; grouped: by patient, else volume, else near-duplicate group; given: the source's own; "
    "control-grouped and control-ungrouped: a pair of the same sizes, by group and by slice, where the test subset "
    "validates, to tell what grouping alone changes.",
)
@click.option("--folds", type=click.IntRange(min=2), help="Cross-validation with this many folds.")
@click.option("--test-fraction", type=click.FloatRange(0, 1, True, True), help="One fold, this share tested.")
@click.option(
    "--validation-fraction",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of the training subset that becomes the validation subset.  [default: 0.2]",
)
@click.option(
    "--validation-is-test",
    is_flag=True,
    help="The test subset is the validation subset too, as in papers that stop training on their only held-out one: "
    "data leakage. Not for grouped.",
)
@click.option(
    "--without-near-duplicates",
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
    """Split the data set in FOLDER into training, validation and test subset."""
    from covid_monai.data.manifest import files_of, read_dataset
    from covid_monai.data.splits import split_dataset, write_split
    from covid_monai.files import protecting

    command = f"covid-monai data split {quote(str(folder))} -o {quote(str(output))} --protocol {protocol}"
    if protocol == "given" and (folds or test_fraction):
        raise click.UsageError(f"protocol given takes the source's own subsets, without folds: `{command}`")
    if protocol != "given" and bool(folds) == bool(test_fraction):
        raise click.UsageError(f"give one of --folds and --test-fraction, such as `{command} --folds 5`")
    in_control = protocol.startswith("control-")
    if (validation_is_test or in_control) and validation_fraction is not None:
        drawn = f" --folds {folds}" if folds else f" --test-fraction {test_fraction}" if test_fraction else ""
        said_by = f"protocol {protocol}" if in_control else "--validation-is-test"
        flag = "" if in_control else " --validation-is-test"
        raise click.UsageError(
            f"{said_by} says what the validation subset is, so it has no fraction: "
            f"`{command}{drawn}{flag} --seed {seed}`"
        )
    dataset = read_dataset(folder)
    drawn_split = split_dataset(
        dataset,
        protocol,
        folds,
        test_fraction,
        **({} if validation_fraction is None else {"validation_fraction": validation_fraction}),
        seed=seed,
        validation_is_test=validation_is_test,
        without_near_duplicates=without_near_duplicates,
    )
    with protecting(*files_of(dataset)):
        write_split(output, drawn_split)
    _tell(dataset, drawn_split)
    click.echo(f"wrote {output}")


def _tell(dataset: "Dataset", split: "Split") -> None:
    patients = {case.case: case.patient for case in dataset.cases}
    click.echo("fold  train  validation  test  test patients")
    for index, fold in enumerate(split.folds):
        known = {patients[name] for name in fold.test}
        tested = "unknown" if None in known else str(len(known))
        sizes = f"{len(fold.train):5}  {len(fold.validation):10}  {len(fold.test):4}"
        click.echo(f"{index:4}  {sizes}  {tested:>13}")
        if split.without_near_duplicates:
            left_out = len(patients) - len({*fold.train, *fold.validation, *fold.test})
            click.echo(f"left out as near-duplicates of test cases: {left_out} training cases")
    if split.validation_is_test:
        click.echo(
            "validation is the test subset: data leakage, as the test subset then chooses the weights. It is there to "
            "repeat papers with one held-out subset only; the scores are too high for unseen patients"
        )
