"""NIfTI files as they are, each into a mask file with its record beside it."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.files import refuse_to_replace_input
from covid_monai.inference.mask_record import is_unchanged, record_file
from covid_monai.inference.model import Model
from covid_monai.inference.prediction import PredictedFile
from covid_monai.transforms.nifti import nifti_stem

PROBABILITIES = "probabilities"
"""The folder for probability maps in the output folder, where no tool takes them for masks."""


@dataclass(frozen=True, eq=False)
class ImageInput:
    """A NIfTI file that becomes a mask.

    Attributes:
        place: the file.
        files: that are written of it: ``mask``, and ``probability`` where it is asked for.
        error: why it cannot become one.
    """

    place: Path
    files: Mapping[str, Path]
    error: str | None = None


def predict_image(
    model: Model, given: ImageInput, *, overwrite: bool, progress: Callable[[int, int], object] | None = None
) -> PredictedFile:
    """Segment an image, unless its mask is there already; errors stand in what is returned."""
    image, files = given.place, given.files
    mask, probability = files["mask"], files.get("probability")
    if given.error is not None:
        return PredictedFile(image, error=given.error)
    with collecting_warnings() as doubts:
        try:
            unchanged = {} if overwrite else is_unchanged(files, image, model.origin)
            if unchanged and all(unchanged.values()):
                return PredictedFile(image, mask, probability, kept=True)
            for kind, file in files.items():
                if file.exists() and not overwrite and not unchanged[kind]:
                    raise InputError(
                        f"{image}: {file} is there already, made otherwise or changed since; give `overwrite=True` to "
                        "replace it, or choose another `output`"
                    )
            prediction = model.predict(image, probability=probability is not None, progress=progress)
            prediction.save(mask, overwrite=True, probability=probability)
            return PredictedFile(image, mask, probability, warnings=prediction.warnings)
        # a file whose header promises more than there is memory for stops no other file
        except (InputError, OSError, RuntimeError, MemoryError) as error:
            message = " ".join(str(error).split())
    return PredictedFile(image, warnings=tuple(doubts), error=message)


def image_inputs(
    images: Iterable[Path], output: Path, *, probabilities: bool, errors: Mapping[Path, str]
) -> list[ImageInput]:
    """The images with the files for each; no two share one, and none is an input.

    Args:
        images: NIfTI files.
        output: folder for the masks.
        probabilities: whether there are maps of the probability too.
        errors: why some of them cannot become masks.

    Raises:
        InputError: two would write one file, or one would be replaced by a mask.
    """
    found = []
    taken: dict[Path, Path] = {}
    for image in images:
        name = f"{nifti_stem(image)}.nii.gz"
        files = {"mask": output / name}
        if probabilities:
            files["probability"] = output / PROBABILITIES / name
        # unlike Path.resolve, realpath takes a link to itself
        if os.path.realpath(image.absolute().parent) == os.path.realpath(output):
            raise InputError(f"{image} lies in the output folder, where masks could replace it; choose another one")
        # on some systems names that differ in letter case are one
        key = Path(str(files["mask"]).casefold())
        if key in taken:
            raise InputError(
                f"{taken[key]} and {image} would both write {files['mask']}; predict them into two folders"
            )
        taken[key] = image
        for file in (*files.values(), record_file(files["mask"])):
            refuse_to_replace_input(file)
        found.append(ImageInput(image, files, errors.get(image)))
    return found
