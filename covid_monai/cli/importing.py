"""What every ``covid-monai data prepare`` command does with its source."""

from pathlib import Path
from typing import Any

import click


def import_source(source: Any, folder: Path, output: Path, overwrite: bool) -> None:
    """Write a source read from ``folder`` as a data set to ``output``, and say what came out."""
    from covid_monai.data.writer import prepare as prepare_dataset
    from covid_monai.errors import InputError

    if output.resolve() == folder.resolve():
        raise InputError(f"the output folder is the source folder {folder}: give another one")
    report_dataset(prepare_dataset(source, output, overwrite, progress=True))


def report_dataset(dataset: Any) -> None:
    """Print how many slices a data set has, where their HU come from, and whether mm are known."""
    from collections import Counter

    kinds = Counter(case.intensity for case in dataset.cases)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    click.echo(f"{len(dataset.cases)} slices ({told}) -> {dataset.folder}")
    if not all(case.spacing_known for case in dataset.cases):
        click.echo("spacing is not known: HD95 and surface Dice, which are in mm, will be left out")
