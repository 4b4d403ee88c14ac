"""``covid-monai data``: prepare, describe, draw, merge, check and split data, and list studies."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from covid_monai.cli.data_check import check
from covid_monai.cli.data_prepare import COMMANDS, import_source, report_dataset
from covid_monai.cli.data_sets import copies, download, group, merge
from covid_monai.cli.data_split import split
from covid_monai.cli.data_studies import studies
from covid_monai.cli.options import INTENSITY, grid_tolerance_option, orientation_option

_FOLDER = click.Path(path_type=Path)
_LAYOUTS = click.Choice(["plain", "medseg-part1", "medseg-uncropped", "radiopaedia-part2"])


@click.group()
def data() -> None:
    """Download, prepare, check, describe, draw, merge and split data, and list studies."""


for _command in (download, check, group, merge, copies, split, studies):
    data.add_command(_command)


@data.group()
def prepare() -> None:
    """Turn slices or volumes into a data set: NIfTI slices in HU, masks, dataset.json."""


for _command in COMMANDS:
    prepare.add_command(_command)


def _common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every importer."""
    options = (
        click.option("-o", "--output", required=True, type=_FOLDER, help="New or empty folder for the data set."),
        click.option("--overwrite", is_flag=True, help="Replace the data set in the output folder."),
        click.option("--label-map", help="Source to our labels: 255=lesion, 1=1,2=2,3=3 or 0xff0000=3."),
        click.option(
            "--intensity",
            type=INTENSITY,
            default="auto",
            show_default=True,
            help="auto: HU kept, 8-bit mapped by air and fat peaks, else by the window [-1024, 600]; hu: taken as "
            "they are; checked: refused if on another scale than HU; offset1024, offset1000: added to HU; inverted: "
            "air is bright.",
        ),
        click.option("--name", help="Name of the data set."),
        click.option("--licence", help="Terms of use, one line."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@prepare.command()
@click.argument("folder", type=_FOLDER)
@click.option("--layout", type=_LAYOUTS, default="plain", show_default=True, help="How FOLDER is laid out.")
@click.option("--images", help="Image folder in FOLDER.  [default: images]")
@click.option("--masks", help="Mask folder in FOLDER.  [default: labels]")
@click.option("--index", help="Index in FOLDER: name, patient, volume, slice, part, ...  [default: index.csv]")
@click.option("--transpose/--no-transpose", default=None, help="Rows are the patient's x axis.")
@click.option("--flip-rows/--no-flip-rows", default=None, help="Posterior is at the top.")
@click.option("--canvas", type=click.IntRange(min=1), help="Paste on a square of this size, air around.")
@click.option(
    "--spacing",
    type=(click.FloatRange(0, min_open=True),) * 3,
    metavar="X Y Z",
    help="Pixel size and slice distance in mm.  [default: not known]",
)
@_common_options
def slices(
    folder: Path,
    layout: str,
    output: Path,
    overwrite: bool,
    canvas: int | None,
    spacing: tuple[float, float, float] | None,
    intensity: str,
    label_map: str | None,
    name: str | None,
    **settings: Any,
) -> None:
    """Import picture slices (PNG, JPEG, ...): FOLDER has an image folder, a mask folder and an index.

    Pictures are taken as usually displayed: anterior at the top, the patient's right at the left. A layout
    holds the settings of a known collection; options override it.
    """
    from dataclasses import replace

    from covid_monai.data.sources.labels import parse_label_map
    from covid_monai.data.sources.picture_index import LAYOUTS
    from covid_monai.data.sources.slices import PictureSlices

    changed = {key: value for key, value in settings.items() if value is not None}
    if label_map is not None:
        changed["label_map"] = parse_label_map(label_map)
    if name is not None:
        changed["source"] = name
    source = PictureSlices(folder, replace(LAYOUTS[layout], **changed), canvas, spacing, intensity)
    import_source(source, folder, output, overwrite)


@prepare.command()
@click.argument("folder", type=_FOLDER)
@click.option("--images", help="Image folder or file in FOLDER.  [default: images, imagesTr]")
@click.option("--masks", help="Mask folder or file in FOLDER.  [default: labels, labelsTr]")
@click.option("--patients", type=_FOLDER, help="CSV case,patient.  [default: each volume its own patient]")
@click.option("--lesion-slices-only", is_flag=True, help="Leave out slices without lesion.")
@click.option(
    "--spacing",
    type=click.Choice(["auto", "known", "unknown"]),
    default="auto",
    show_default=True,
    help="Whether the headers' spacing is real; auto takes 1 x 1 x 1 mm for a placeholder.",
)
@click.option(
    "--crop",
    type=click.Choice(["none", "lungs"]),
    default="none",
    show_default=True,
    help="Crop volumes to a box around their lungs; slices alone stay as they are.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Keep the slices of a volume whose index is a multiple of N.  [default: all]",
)
@orientation_option
@grid_tolerance_option
@_common_options
def nifti(
    folder: Path,
    images: str | None,
    masks: str | None,
    patients: Path | None,
    lesion_slices_only: bool,
    spacing: str,
    crop: str,
    every: int,
    orientation: str | None,
    grid_tolerance: float | None,
    output: Path,
    overwrite: bool,
    intensity: str,
    label_map: str | None,
    name: str | None,
    licence: str | None,
) -> None:
    """Import NIfTI volumes or slices with masks of the same names, or an nnU-Net raw data set."""
    from covid_monai.data.patients import read_patients
    from covid_monai.data.sources.folders import find_nifti
    from covid_monai.data.sources.labels import parse_label_map
    from covid_monai.data.sources.nifti import NiftiSlices

    found = find_nifti(folder, images, masks, parse_label_map(label_map) if label_map is not None else None)
    source = NiftiSlices(
        found.pairs,
        found.label_map,
        name=name or found.name,
        licence=found.licence if licence is None else licence,
        patients=read_patients(patients) if patients else None,
        lesion_slices_only=lesion_slices_only,
        intensity=intensity,
        spacing_known={"auto": None, "known": True, "unknown": False}[spacing],
        orientation=orientation,
        grid_tolerance=grid_tolerance,
        crop=crop,
        every=every,
    )
    import_source(source, folder, output, overwrite)


@data.command()
@click.option("-o", "--output", required=True, type=_FOLDER, help="New or empty folder for the data set.")
@click.option("--patients", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--size", default=256, show_default=True, help="Pixels along x, y.")
@click.option("--slices", default=32, show_default=True, help="Slices a patient.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace the data set in the output folder.")
def phantom(output: Path, patients: int, size: int, slices: int, seed: int, overwrite: bool) -> None:
    """Draw a phantom data set: chest CT volumes with lesions, and their slices."""
    from covid_monai.data.sources.phantom import prepare_phantom

    report_dataset(prepare_phantom(output, patients, size, slices, seed, overwrite, progress=True))


@data.command()
@click.argument("folder", type=_FOLDER)
def info(folder: Path) -> None:
    """Describe the data set in FOLDER."""
    from covid_monai.data.info import describe
    from covid_monai.data.manifest import read_dataset

    lines = describe(read_dataset(folder))
    width = max(len(heading) for heading, _ in lines)
    for heading, value in lines:
        click.echo(f"{heading:<{width}}  {value}")
