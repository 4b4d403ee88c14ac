"""Volumes and slices in, masks on their grids out."""

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError, InputWarning, collecting_warnings
from covid_monai.files import protecting, refuse_to_replace_input
from covid_monai.inference.mask_record import is_unchanged, record_file
from covid_monai.inference.model import Model, load
from covid_monai.run.folder import RunFolder
from covid_monai.transforms.nifti import is_nifti, nifti_stem

PROBABILITIES = "probabilities"
"""The folder for probability maps in the output folder, where no tool takes them for masks."""


@dataclass(frozen=True)
class PredictedFile:
    """What became of one input.

    Attributes:
        image: the input.
        mask: its mask; None where there is none, and ``error`` says why.
        probability: the map of the probability of lesion, where it was asked for.
        kept: whether the mask was there already, made from this image with this model and these settings.
        warnings: what about the input is not as sure as one may believe.
        error: why there is no mask.
    """

    image: Path
    mask: Path | None = None
    probability: Path | None = None
    kept: bool = False
    warnings: tuple[str, ...] = ()
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
            files = _files_in(path)
        elif path.exists() or not any(sign in text for sign in "*?["):
            # a missing file is reported with the others' results, so that the others go on
            files = [path]
        else:
            files = sorted(child for child in map(Path, glob(text, recursive=True)) if is_nifti(child))
        if not files:
            raise InputError(f"{text} names no NIfTI file; give .nii or .nii.gz files, a folder of them, or a pattern")
        found.update(dict.fromkeys(files))
    return list(found)


def _files_in(folder: Path) -> list[Path]:
    found = sorted(child for child in folder.iterdir() if is_nifti(child))
    for inner in filter(Path.is_dir, found):
        warnings.warn(
            f"{inner} is a folder in spite of its name, and is left out; give it as an input too if it holds images",
            InputWarning,
            stacklevel=3,
        )
    return [child for child in found if not child.is_dir()]


def predict(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    run: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    roi_size: tuple[int, int] | None = None,
    intensity: str = "checked",
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    mirrored: bool = False,
    min_volume_ml: float = 0.0,
    probabilities: bool = False,
    overwrite: bool = False,
    device: str | None = None,
    settings: Mapping[str, Any] | None = None,
    trust: bool = False,
    started: Callable[[Path], object] | None = None,
    progress: Callable[[int, int], object] | None = None,
    report: Callable[[PredictedFile], object] | None = None,
) -> list[PredictedFile]:
    """Segment NIfTI volumes and slices, one after another, into files.

    Each mask has a JSON file beside it (:mod:`covid_monai.inference.mask_record`), and the same call again keeps the
    masks that are done, so that a call which was interrupted can be made again.

    Args:
        inputs: files, folders or glob patterns.
        output: folder for the masks: ``<name>.nii.gz``, uint8, on the input's grid; 0 is background.
        run: a run, its folder, or other trained weights, or several runs to average over; see
            :func:`covid_monai.inference.model.load`.
        roi_size: see :func:`covid_monai.inference.model.load`.
        intensity: see :func:`covid_monai.inference.model.load`.
        orientation: see :func:`covid_monai.inference.model.load`.
        grid_tolerance: see :func:`covid_monai.inference.model.load`.
        mirrored: see :func:`covid_monai.inference.model.load`.
        min_volume_ml: see :func:`covid_monai.inference.model.load`.
        probabilities: whether to write ``probabilities/<name>.nii.gz`` too (float32, of any lesion).
        overwrite: replace masks that are there and were made otherwise: from another image, with another model or
            settings, or by somebody's hand.
        device: see :func:`covid_monai.inference.model.load`.
        settings: see :func:`covid_monai.inference.model.load`.
        trust: see :func:`covid_monai.inference.model.load`.
        started: called with each image before it is read.
        progress: called with the number of slices that are done and the number of all slices of the image.
        report: called with each :class:`PredictedFile` as it is done.

    Returns:
        one :class:`PredictedFile` an input; a file that cannot be used does not stop the others.

    Raises:
        InputError: an input names nothing or would be replaced by a mask, two inputs would write one file, or the run
            cannot be used.
    """
    images = find_images(inputs)
    with protecting(*images, *_files_of_runs([run] if isinstance(run, (str, os.PathLike)) else run)):
        targets = _targets(images, Path(output).absolute(), probabilities)
        model = load(
            run,
            device=device,
            roi_size=roi_size,
            intensity=intensity,
            orientation=orientation,
            grid_tolerance=grid_tolerance,
            mirrored=mirrored,
            min_volume_ml=min_volume_ml,
            settings=settings,
            trust=trust,
        )
        predictions = []
        for image, files in zip(images, targets, strict=True):
            if started is not None:
                started(image)
            predictions.append(_segment(model, image, files, overwrite, progress))
            if report is not None:
                report(predictions[-1])
    return predictions


def _files_of_runs(runs: Iterable[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """Of runs, bundles' folders or weights files; what is not there is left out."""
    files: list[str | os.PathLike[str]] = []
    for run in runs:
        files += [*RunFolder(run).trained, Path(run) / "models", *([run] if Path(run).is_file() else [])]
    return files


def _segment(
    model: Model,
    image: Path,
    files: Mapping[str, Path],
    overwrite: bool,
    progress: Callable[[int, int], object] | None,
) -> PredictedFile:
    mask, probability = files["mask"], files.get("probability")
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
            prediction = model.predict(image, progress=progress)
            prediction.save(mask, overwrite=True, probability=probability)
            return PredictedFile(image, mask, probability, warnings=prediction.warnings)
        # a file whose header promises more than there is memory for stops no other file
        except (InputError, OSError, RuntimeError, MemoryError) as error:
            message = " ".join(str(error).split())
    return PredictedFile(image, warnings=tuple(doubts), error=message)


def _targets(images: list[Path], output: Path, probabilities: bool) -> list[dict[str, Path]]:
    """The files for each image; no two images share one, and none is an input."""
    targets = []
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
        targets.append(files)
    return targets
