"""Volumes and slices in, masks on their grids out."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, known_settings
from covid_monai.environment import device_setting
from covid_monai.errors import InputError, plain_input_errors
from covid_monai.inference.masks import save_on_grid
from covid_monai.run.folder import Run, read_run
from covid_monai.transforms.nifti import NIFTI_ENDINGS, nifti_stem
from covid_monai.weights import check_weights


@dataclass(frozen=True)
class Prediction:
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
    checkpoint: str | os.PathLike[str],
    window: tuple[int, int] | None = None,
    intensity: str = "hu",
    probabilities: bool = False,
    device: str | None = None,
    settings: Mapping[str, Any] | None = None,
    trust: bool = False,
    report: Callable[[Prediction], object] | None = None,
) -> list[Prediction]:
    """Segment NIfTI volumes and slices, one after another.

    Args:
        inputs: files, folders or glob patterns.
        output: folder for the masks: ``<name>.nii.gz``, uint8, on the input's grid; 0 is background.
        checkpoint: a run folder of ``train``.
        window: height and width of a window that slides over the resized slice; None takes the slice whole.
        intensity: ``hu``; or, for 8-bit grey values, ``window``, ``anchors`` or ``auto``; or ``trusted``.
        probabilities: whether to write ``<name>_probability.nii.gz`` too (float32, of any lesion).
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.
        settings: further overrides of the bundle's inference configuration.
        trust: whether the run may bring code; see :func:`covid_monai.run.folder.read_run`.
        report: called with each :class:`Prediction` as it is done.

    Returns:
        one :class:`Prediction` an input; a file that cannot be used does not stop the others.

    Raises:
        InputError: an input names nothing or lies in ``output``, two inputs would write one file, or the checkpoint
            cannot be used.
    """
    images = find_images(inputs)
    targets = _targets(images, Path(output).absolute(), probabilities)
    home = Path(checkpoint).absolute()
    chosen = {**(settings or {}), "intensity": intensity, "checkpoint": str(home / "model.safetensors")}
    if window is not None:
        chosen["roi_size"] = list(window)
    if device is not None:
        chosen["device"] = device_setting(device)
    segment = _segmenter(home, read_run(home, trust), chosen)
    predictions = []
    for image, target in zip(images, targets, strict=True):
        try:
            with plain_input_errors():
                mask, probability = segment(image)
            done = _write(image, target, mask, probability if probabilities else None)
        # a file whose header promises more than there is memory for stops no other file
        except (InputError, OSError, RuntimeError, MemoryError) as error:
            done = Prediction(image, error=" ".join(str(error).split()))
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


def _segmenter(home: Path, run: Run, chosen: Mapping[str, Any]) -> Callable[[Path], tuple[Any, Any]]:
    """A function from an image's path to its class map and probabilities, both MetaTensors (C, X, Y, Z)."""
    import torch
    from monai.utils import CommonKeys

    check_weights(home)
    source = bundle_folder(run.bundle)
    with plain_input_errors():
        workflow = build_workflow(source, "inference", {**known_settings(source, "inference", run.settings), **chosen})
        workflow.initialize()
        parser = workflow.parser
        network = parser.get_parsed_content("network").eval()
        preprocessing = parser.get_parsed_content("preprocessing")
        inferer = parser.get_parsed_content("inferer")
        postprocessing = parser.get_parsed_content("postprocessing")
        place = parser.get_parsed_content("device")

    def segment(image: Path) -> tuple[Any, Any]:
        item = preprocessing({CommonKeys.IMAGE: str(image)})
        with torch.inference_mode():
            item[CommonKeys.PRED] = inferer(item[CommonKeys.IMAGE][None].to(place), network)[0]
            item = postprocessing(item)
        return item[CommonKeys.PRED], item["probability"]

    return segment


def _write(image: Path, target: tuple[Path, Path], mask: Any, probability: Any | None) -> Prediction:
    import numpy as np

    mask_file, probability_file = target
    save_on_grid(mask[0].cpu().numpy().astype(np.uint8), image, mask_file)
    if probability is None:
        return Prediction(image, mask=mask_file)
    save_on_grid((1 - probability[0]).cpu().numpy().astype(np.float32), image, probability_file)
    return Prediction(image, mask=mask_file, probability=probability_file)
