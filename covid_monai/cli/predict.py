"""``covid-monai predict``."""

from pathlib import Path

import click

from covid_monai.cli.options import INTENSITY, RenamedOptions


@click.command(
    cls=RenamedOptions,
    renamed={"--checkpoint": "--run"},
    removed={"--window": "the part of a slice that the network sees at a time is now --roi-size"},
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the masks.")
@click.option("--run", required=True, type=click.Path(path_type=Path), help="Run folder of covid-monai train.")
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
    help="checked refuses what does not look like HU; hu takes values as they are; window and anchors map 8-bit "
    "values to HU; auto keeps HU and maps 8-bit values.",
)
@click.option("--probabilities", is_flag=True, help="Write the probability of lesion too (float32).")
@click.option("--preview", is_flag=True, help="Write a PNG overlay too.")
@click.option("--device", help="Such as cpu or cuda:0.  [default: a GPU where there is one]")
@click.option("--trust-run", is_flag=True, help="Take the run's expressions and bundle, which are code.")
def predict(
    inputs: tuple[str, ...],
    output: Path,
    run: Path,
    roi_size: int | None,
    intensity: str,
    probabilities: bool,
    preview: bool,
    device: str | None,
    trust_run: bool,
) -> None:
    """Segment INPUTs: NIfTI files, folders of them, or glob patterns.

    Masks are uint8 NIfTI files on the input's grid. An input that cannot be used is named with the reason; the
    others go on, and the exit status is then 1.
    """
    from tqdm import tqdm

    from covid_monai.errors import InputError
    from covid_monai.inference.predict import PredictedFile, find_images
    from covid_monai.inference.predict import predict as segment
    from covid_monai.report.preview import draw_preview

    images = find_images(inputs)
    with tqdm(total=len(images), desc="segmenting", unit="image") as bar:

        def tell(done: PredictedFile) -> None:
            tqdm.write(f"failed: {done.error}" if done.mask is None else str(done.mask))
            if preview and done.mask is not None:
                draw_preview(
                    done.image, done.mask, done.mask.with_name(done.mask.name.replace(".nii.gz", "_preview.png"))
                )
            bar.update()

        predictions = segment(
            images,
            output,
            run,
            roi_size=(roi_size, roi_size) if roi_size else None,
            intensity=intensity,
            probabilities=probabilities,
            device=device,
            trust=trust_run,
            report=tell,
        )
    if failed := sum(done.mask is None for done in predictions):
        raise InputError(f"{failed} of {len(images)} inputs could not be segmented; see the messages above")
