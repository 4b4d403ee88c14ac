"""``covid-monai data prepare``: one command a source."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from covid_monai.cli.options import as_options


def import_source(source: Any, folder: Path, output: Path, overwrite: bool) -> None:
    """Write a source read from ``folder`` as a data set to ``output``, and say what came out."""
    from covid_monai.data.writer import prepare as prepare_dataset
    from covid_monai.errors import InputError

    if os.path.realpath(output) == os.path.realpath(folder):
        raise InputError(f"the output folder is the source folder {folder}: give another one")
    report_dataset(prepare_dataset(source, output, overwrite, progress=True))


def report_dataset(dataset: Any) -> None:
    """Print how many slices a data set has, where their HU come from, and whether mm are known."""
    from collections import Counter

    from covid_monai.errors import InputWarning

    for warning in dataset.warnings:
        warnings.warn(warning, InputWarning, stacklevel=2)
    kinds = Counter(case.intensity for case in dataset.cases)
    summary = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    click.echo(f"{len(dataset.cases)} slices ({summary}) -> {dataset.folder}")
    if not all(case.spacing_known for case in dataset.cases):
        click.echo("spacing is not known: HD95 and surface Dice, which are in mm, will be left out")


_PATH = click.Path(path_type=Path)


def _folders(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--overwrite", is_flag=True, help="Replace the data set in the output folder.")(command)
    command = click.option("-o", "--output", required=True, type=_PATH, help="New or empty folder for the data set.")(
        command
    )
    return click.argument("folder", type=_PATH)(command)


_lesion_slices_only = click.option("--lesion-slices-only", is_flag=True, help="Leave out slices without lesion.")


@click.command()
@_folders
def medseg(folder: Path, output: Path, overwrite: bool) -> None:
    """Import MedSeg/SIRM part 1: FOLDER has tr_im.nii.gz and tr_mask.nii.gz, 100 slices of unknown patients."""
    from covid_monai.data.sources.medseg import MedsegStack

    _import(MedsegStack(folder), folder, output, overwrite)


@click.command()
@_folders
@click.option("--patients", type=_PATH, help="CSV case,patient.  [default: recognised, as far as possible]")
@_lesion_slices_only
def radiopaedia(folder: Path, output: Path, overwrite: bool, patients: Path | None, lesion_slices_only: bool) -> None:
    """Import Radiopaedia part 2: FOLDER has rp_im and rp_msk (or their .zip), nine volumes of seven patients."""
    from covid_monai.data.sources.radiopaedia import RadiopaediaVolumes

    _import(RadiopaediaVolumes(folder, patients, lesion_slices_only), folder, output, overwrite)


@click.command()
@_folders
@click.option("--transpose", is_flag=True, help="Rows are the patient's x axis.")
@click.option("--flip-rows", is_flag=True, help="Posterior is at the top.")
def kaggle(folder: Path, output: Path, overwrite: bool, transpose: bool, flip_rows: bool) -> None:
    """Import Kaggle covid-segmentation: FOLDER has images_*.npy and masks_*.npy of medseg, radiopedia or both.

    Slices are taken as usually displayed: anterior at the top, the patient's right at the left.
    """
    from covid_monai.data.sources.kaggle import KaggleArrays

    _import(KaggleArrays(folder, transpose, flip_rows), folder, output, overwrite)


@click.command()
@_folders
@_lesion_slices_only
@click.option(
    "--flip-radiopaedia/--no-flip-radiopaedia",
    default=True,
    show_default=True,
    help="Turn the radiopaedia volumes front to back, which their headers leave out.",
)
def zenodo(folder: Path, output: Path, overwrite: bool, lesion_slices_only: bool, flip_radiopaedia: bool) -> None:
    """Import Zenodo 3757476: FOLDER has COVID-19-CT-Seg_20cases and Infection_Mask, or their .zip.

    The 8-bit radiopaedia volumes are mapped back to HU by their window [-1250, 250].
    """
    from covid_monai.data.sources.zenodo import ZenodoVolumes

    _import(ZenodoVolumes(folder, lesion_slices_only, flip_radiopaedia), folder, output, overwrite)


COMMANDS = (medseg, radiopaedia, kaggle, zenodo)


def _import(source: Any, folder: Path, output: Path, overwrite: bool) -> None:
    import_source(source, folder, output, overwrite)
    for note in source.notes:
        click.echo(f"note: {as_options(note, click.get_current_context().command)}")
