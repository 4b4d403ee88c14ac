"""``covid-monai predict``."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from covid_monai.cli.options import (
    INTENSITY,
    RenamedOptions,
    as_options,
    device_option,
    grid_tolerance_option,
    orientation_option,
    settings_option,
    study_options,
)

if TYPE_CHECKING:
    from covid_monai.inference.predict import PredictedFile


@click.command(
    cls=RenamedOptions,
    renamed={"--checkpoint": "--run"},
    removed={"--window": "the part of a slice that the network sees at a time is now --roi-size"},
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for all that is written.")
@click.option(
    "--run",
    "runs",
    multiple=True,
    help="Run folder, or a bundle folder with weights; several, such as the folds of a cross-validation, are averaged. "
    " [default: shipped, the weights that come with covid_lesion]",
)
@settings_option
@click.option(
    "--roi-size",
    type=click.IntRange(min=32),
    metavar="PIXELS",
    help="Height and width of what the network sees of the resized slice at a time.  [default: whole slices]",
)
@click.option(
    "--intensity",
    default="checked",
    show_default=True,
    type=INTENSITY,
    help="checked refuses what is on another scale than HU; hu takes values as they are; window and anchors map 8-bit "
    "values to HU; auto keeps HU and maps 8-bit values; offset1024 and offset1000 subtract what was added to HU; "
    "inverted turns values with bright air round.",
)
@orientation_option
@grid_tolerance_option
@click.option("--mirrored", is_flag=True, help="Average over each slice and its mirror image; takes twice the time.")
@click.option(
    "--min-volume-ml",
    default=0.0,
    show_default=True,
    metavar="ML",
    help="Leave out connected lesions of a smaller volume.",
)
@click.option("--measure", is_flag=True, help="Take NIfTI volumes as studies too: measure them.")
@study_options
@click.option(
    "--format",
    "formats",
    default="nifti",
    show_default=True,
    metavar="FORMAT,...",
    help="Of studies, beside nifti, which is written always: dicom-seg (mask.dcm), dicom-sr (measurements.dcm), nrrd "
    "(mask.seg.nrrd, for 3D Slicer). DICOM files carry the patient and study of the images that they belong to.",
)
@click.option("--lung-segments", is_flag=True, help="Add the two lungs to the DICOM-SEG.")
@click.option("--all-frames", is_flag=True, help="Keep a DICOM-SEG's empty frames, which are left out else.")
@click.option(
    "--seg-type",
    type=click.Choice(["binary", "labelmap"]),
    default="binary",
    show_default=True,
    help="Of the DICOM-SEG; labelmap is young (2024), and few programs read it yet.",
)
@click.option("--probabilities", is_flag=True, help="Write the probability of any lesion too, float32.")
@click.option("--preview", is_flag=True, help="Write previews/<name>.png of NIfTI too: slices with the mask over them.")
@click.option("--report", "page", is_flag=True, help="Write each study's page.html too, to look at, and an index.html.")
@click.option("--overwrite", is_flag=True, help="Replace masks that are there, made otherwise or changed by hand.")
@device_option
@click.option(
    "--backend",
    type=click.Choice(["auto", "torch", "openvino"]),
    default="auto",
    show_default=True,
    help="What computes the network; auto takes the faster one that is installed, and never a lower precision.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16", "int8"]),
    help="Of the network's multiplications; int8 for the shipped model, by openvino.  [default: bfloat16 where the "
    "device has hardware for it]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that do inputs at once, each with the model in memory and its part of the processors.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Do the I-th of N parts of the inputs, such as 2/4; other calls into the same folder do the rest.",
)
@click.option("--trust-run", is_flag=True, help="Take the run's expressions and bundle, which are code.")
def predict(
    inputs: tuple[str, ...],
    output: Path,
    runs: tuple[str, ...],
    assignments: tuple[str, ...],
    roi_size: int | None,
    intensity: str,
    orientation: str | None,
    grid_tolerance: float | None,
    mirrored: bool,
    min_volume_ml: float,
    measure: bool,
    series: str | None,
    spacing: str,
    ground_glass_below: float,
    floor_ml: float,
    floor_percent: float,
    keep_identifiers: bool,
    formats: str,
    lung_segments: bool,
    all_frames: bool,
    seg_type: str,
    probabilities: bool,
    preview: bool,
    page: bool,
    overwrite: bool,
    device: str | None,
    backend: str,
    precision: str | None,
    workers: int,
    shard: str | None,
    trust_run: bool,
) -> None:
    """Segment INPUTs: studies of a scanner, which are measured too, or NIfTI files.

    A study is a folder, a zip archive or a DICOMDIR of DICOM, an NRRD or MetaImage file, or a row of a CSV with the
    columns study and path (and series). It gets a folder in OUTPUT with mask.nii.gz, lungs.nii.gz, measurements.json
    and run.json, and a row in OUTPUT/measurements.csv; its name is that of the CSV, else a salted hash.

    NIfTI files, folders of them and glob patterns become masks alone, OUTPUT/<name>.nii.gz with a JSON file that names
    their classes; with --measure they are studies. Masks are uint8 NIfTI files on the input's grid. An input that
    cannot be used is named with the reason; the others go on, and the exit status is then 1. The same command again
    keeps what is done.
    """
    from covid_monai.catalog.literals import parse_setting
    from covid_monai.errors import InputError, InputWarning
    from covid_monai.exchange.formats import Formats, parse_formats
    from covid_monai.inference.inputs import find_inputs, parse_shard
    from covid_monai.inference.predict import predict as segment
    from covid_monai.inference.study_record import StudySettings
    from covid_monai.run.trained import SHIPPED

    chosen = Formats(parse_formats(formats), all_frames, lung_segments, seg_type)
    part = parse_shard(shard) if shard is not None else None
    found = find_inputs(inputs, measure=measure, series=series)
    if preview and found.studies:
        message = "previews are drawn of NIfTI that is not measured; studies get a page with `page=True`"
        warnings.warn(message, InputWarning, stacklevel=2)
    if page and found.images:
        message = "pages are of studies; NIfTI files are studies with `measure=True`"
        warnings.warn(message, InputWarning, stacklevel=2)
    if chosen.names and not chosen.of_dicom and found.images:
        message = "other formats are those of studies; NIfTI that is not measured gets a NIfTI mask alone (--measure)"
        warnings.warn(message, InputWarning, stacklevel=2)
    teller = _Teller(len(found.shard(*part) if part is not None else found), preview)
    with teller:
        segment(
            found,
            output,
            runs or SHIPPED,
            studies=StudySettings(
                spacing=spacing,
                ground_glass_below=ground_glass_below,
                floor_ml=floor_ml,
                floor_percent=floor_percent,
                keep_identifiers=keep_identifiers,
            ),
            roi_size=(roi_size, roi_size) if roi_size else None,
            settings=dict(map(parse_setting, assignments)),
            intensity=intensity,
            orientation=orientation,
            grid_tolerance=grid_tolerance,
            mirrored=mirrored,
            min_volume_ml=min_volume_ml,
            probabilities=probabilities,
            overwrite=overwrite,
            page=page,
            formats=chosen,
            device=device,
            backend=backend,
            precision=precision,
            trust=trust_run,
            workers=workers,
            shard=part,
            started=teller.start,
            progress=teller.advance,
            report=teller.end,
        )
    if teller.failed:
        raise InputError(f"{teller.failed} of {teller.count} inputs could not be done; see the messages above")


class _Teller:
    """Tells of each image: a bar of its slices, then its mask or the reason why there is none.

    Args:
        count: how many images there are.
        preview: whether to draw a picture of each mask, in the folder ``previews`` beside it.
    """

    def __init__(self, count: int, preview: bool) -> None:
        self.failed, self.count = 0, count
        self._preview = preview
        self._started = 0
        self._bar: Any = None

    def __enter__(self) -> "_Teller":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def start(self, image: Path) -> None:
        """An image is read next."""
        self._started += 1
        self._name = f"{self._started}/{self.count} {image.name}"

    def advance(self, done: int, slices: int) -> None:
        """So many of its slices are done."""
        from covid_monai.progress import progress_bar

        if self._bar is None:
            self._bar = progress_bar(description=self._name, unit="slice", total=slices)
        self._bar.update(done - self._bar.n)

    def end(self, done: "PredictedFile") -> None:
        """It is done, or has failed."""
        from covid_monai.errors import InputWarning
        from covid_monai.files import read_json
        from covid_monai.measurements.document import summary_of

        self._close()
        for warning in done.warnings:
            warnings.warn(warning, InputWarning, stacklevel=2)
        if done.mask is None:
            self.failed += 1
            self._tell(f"failed: {done.error}")
            return
        made = done.mask.parent if done.study is not None else done.mask
        source = f"{done.image}: " if done.study is not None else ""
        click.echo(f"{source}{made}" + (" (kept, it was done before)" if done.kept else ""))
        if done.measurements is not None:
            click.echo(f"    {summary_of(read_json(done.measurements))}")
        if done.page is not None:
            click.echo(f"    {done.page}")
        if self._preview and done.study is None:
            self._draw(done.image, done.mask)

    def _draw(self, image: Path, mask: Path) -> None:
        from covid_monai.errors import InputError
        from covid_monai.report.preview import draw_preview
        from covid_monai.transforms.nifti import nifti_stem

        picture = mask.parent / "previews" / f"{nifti_stem(image)}.png"
        try:
            draw_preview(image, mask, picture)
        except (InputError, OSError) as error:
            self.failed += 1
            self._tell(f"failed: the preview of {mask}: {error}")

    def _tell(self, message: str) -> None:
        click.echo(as_options(" ".join(message.split()), predict))

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
