"""``covid-monai measure``: the measurements of a mask, such as one that was corrected by hand."""

import warnings
from pathlib import Path

import click

from covid_monai.cli.options import INTENSITY, grid_tolerance_option, orientation_option, study_options

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("ct", type=_PATH)
@click.option("--mask", required=True, type=_PATH, help="Mask on the CT's grid: NIfTI, NRRD, MetaImage or DICOM-SEG.")
@click.option("--lungs", type=_PATH, help="Lungs on the CT's grid, each label over 0.  [default: found in the CT]")
@click.option("-o", "--output", required=True, type=_PATH, help="Folder for the study's folder and the table.")
@click.option(
    "--labels",
    metavar="VALUE=CLASS,...",
    help="Such as 1=ground-glass,2=consolidation,3=effusion or 1=lesion.  [default: as the JSON beside the mask or the "
    "DICOM-SEG says]",
)
@click.option("--study", metavar="NAME", help="The study's name in the table.  [default: a salted hash]")
@study_options
@click.option("--intensity", default="checked", show_default=True, type=INTENSITY, help="As for predict.")
@orientation_option
@grid_tolerance_option
@click.option("--report", "page", is_flag=True, help="Write page.html too, to look at; for several an index.html.")
@click.option("--overwrite", is_flag=True, help="Replace measurements that are there and were made otherwise.")
def measure(
    ct: Path,
    mask: Path,
    lungs: Path | None,
    output: Path,
    labels: str | None,
    study: str | None,
    series: str | None,
    spacing: str,
    ground_glass_below: float,
    floor_ml: float,
    floor_percent: float,
    keep_identifiers: bool,
    intensity: str,
    orientation: str | None,
    grid_tolerance: float | None,
    page: bool,
    overwrite: bool,
) -> None:
    """Measure CT with a mask of any tool, or with the one of `predict` after it was corrected by hand.

    CT is a folder, a zip archive or a DICOMDIR of DICOM, or a NIfTI, NRRD or MetaImage file. Writes measurements.json
    and run.json to a folder in OUTPUT, and a row to OUTPUT/measurements.csv, which has one for each study there.
    docs/measurements.md has the definitions. The same command again keeps what is done.
    """
    from covid_monai.errors import InputWarning
    from covid_monai.files import read_json
    from covid_monai.inference.corrected import measure_files
    from covid_monai.inference.study_record import StudySettings
    from covid_monai.measurements.document import summary_of

    settings = StudySettings(
        intensity=intensity,
        spacing=spacing,
        ground_glass_below=ground_glass_below,
        floor_ml=floor_ml,
        floor_percent=floor_percent,
        keep_identifiers=keep_identifiers,
    )
    done = measure_files(
        ct,
        mask,
        output,
        lungs=lungs,
        labels=labels,
        study=study,
        series=series,
        settings=settings,
        orientation=orientation,
        grid_tolerance=grid_tolerance,
        overwrite=overwrite,
        page=page,
    )
    for warning in done.warnings:
        warnings.warn(warning, InputWarning, stacklevel=2)
    click.echo(f"{done.measurements}" + (" (kept, it was done before)" if done.kept else ""))
    if done.measurements is not None:
        click.echo(summary_of(read_json(done.measurements)))
    if done.page is not None:
        click.echo(f"{done.page}")
