"""Volumes and slices in, masks on their grids out."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError
from covid_monai.inference.model import load
from covid_monai.transforms.nifti import NIFTI_ENDINGS, nifti_stem


@dataclass(frozen=True)
class PredictedFile:
    """What became of one input: the files written for it, or the reason why there are none."""

    image: Path
    mask: Path | None = None
    probability: Path | None = None
    error: str | None = None


def find_images(inputs: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The NIfTI files that files, folders and glob patterns name, in order, each once.

    Raises:
        InputError: one of them names nothing.
    """
    found: dict[Path, None] = {}
    for given in inputs:
        text = os.fspath(given)
        path = Path(text)
        if path.is_dir():
            files = sorted(child for child in path.iterdir() if _is_image(child))
        elif path.exists() or not any(sign in text for sign in "*?["):
            # a missing file is reported with the others' results, so that the others go on
            files = [path]
        else:
            files = sorted(child for child in map(Path, glob(text, recursive=True)) if _is_image(child))
        if not files:
            raise InputError(f"{text} names no NIfTI file; give .nii or .nii.gz files, a folder of them, or a pattern")
        found.update(dict.fromkeys(files))
    return list(found)


def _is_image(path: Path) -> bool:
    # some systems leave hidden companions of files, which are named like them
    return path.name.endswith(NIFTI_ENDINGS) and not path.name.startswith(".")


def predict(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    run: str | os.PathLike[str],
    *,
    roi_size: tuple[int, int] | None = None,
    intensity: str = "checked",
    probabilities: bool = False,
    device: str | None = None,
    settings: Mapping[str, Any] | None = None,
    trust: bool = False,
    report: Callable[[PredictedFile], object] | None = None,
) -> list[PredictedFile]:
    """Segment NIfTI volumes and slices, one after another, into files.

    Args:
        inputs: files, folders or glob patterns.
        output: folder for the masks: ``<name>.nii.gz``, uint8, on the input's grid; 0 is background.
        run: a run, or its folder.
        roi_size: see :func:`covid_monai.inference.model.load`.
        intensity: see :func:`covid_monai.inference.model.load`.
        probabilities: whether to write ``<name>_probability.nii.gz`` too (float32, of any lesion).
        device: see :func:`covid_monai.inference.model.load`.
        settings: see :func:`covid_monai.inference.model.load`.
        trust: see :func:`covid_monai.inference.model.load`.
        report: called with each :class:`PredictedFile` as it is done.

    Returns:
        one :class:`PredictedFile` an input; a file that cannot be used does not stop the others.

    Raises:
        InputError: an input names nothing or lies in ``output``, two inputs would write one file, or the run cannot
            be used.
    """
    images = find_images(inputs)
    targets = _targets(images, Path(output).absolute(), probabilities)
    model = load(run, device=device, roi_size=roi_size, intensity=intensity, settings=settings, trust=trust)
    predictions = []
    for image, (mask, probability) in zip(images, targets, strict=True):
        try:
            prediction = model.predict(image)
            done = PredictedFile(image, mask=prediction.save(mask))
            if probabilities:
                done = replace(done, probability=prediction.save(probability, probability=True))
        # a file whose header promises more than there is memory for stops no other file
        except (InputError, OSError, RuntimeError, MemoryError) as error:
            done = PredictedFile(image, error=" ".join(str(error).split()))
        predictions.append(done)
        if report is not None:
            report(done)
    return predictions


def _targets(images: list[Path], output: Path, probabilities: bool) -> list[tuple[Path, Path]]:
    """The files for each image's mask and probability; no two images share one, and none lies among the inputs."""
    targets = [(output / f"{nifti_stem(image)}.nii.gz", _probability_file(output, image)) for image in images]
    taken: dict[Path, Path] = {}
    for image, files in zip(images, targets, strict=True):
        if image.absolute().parent.resolve() == output.resolve():
            raise InputError(f"{image} lies in the output folder, where masks could replace it; choose another one")
        for file in files if probabilities else files[:1]:
            if file in taken:
                raise InputError(f"{taken[file]} and {image} would both write {file}; predict them into two folders")
            taken[file] = image
    return targets


def _probability_file(output: Path, image: Path) -> Path:
    return output / f"{nifti_stem(image)}_probability.nii.gz"
