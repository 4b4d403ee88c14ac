"""Studies, volumes and slices in, masks on their grids and measurements out."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.exchange.formats import NIFTI, NIFTI_ALONE, Formats, check_source
from covid_monai.files import protecting, refuse_to_replace_input
from covid_monai.inference.inputs import Inputs, find_images, find_inputs
from covid_monai.inference.mask_record import is_unchanged, record_file
from covid_monai.inference.model import Model, load
from covid_monai.inference.prediction import PredictedFile
from covid_monai.inference.study import MEASUREMENTS, StudyRun, predict_study
from covid_monai.inference.study_formats import check_series
from covid_monai.inference.study_inputs import StudyInput, salt_of
from covid_monai.inference.study_pages import write_index_of
from covid_monai.inference.study_record import StudySettings
from covid_monai.inference.study_table import write_table
from covid_monai.measurements import classes_of
from covid_monai.run.folder import RunFolder
from covid_monai.run.trained import SHIPPED
from covid_monai.transforms.nifti import nifti_stem

__all__ = ["PROBABILITIES", "PredictedFile", "find_images", "predict"]

PROBABILITIES = "probabilities"
"""The folder for probability maps in the output folder, where no tool takes them for masks."""


def predict(
    inputs: Iterable[str | os.PathLike[str]] | Inputs,
    output: str | os.PathLike[str],
    run: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = SHIPPED,
    *,
    series: str | None = None,
    measure: bool = False,
    studies: StudySettings | None = None,
    roi_size: tuple[int, int] | None = None,
    intensity: str = "checked",
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    mirrored: bool = False,
    min_volume_ml: float = 0.0,
    probabilities: bool = False,
    overwrite: bool = False,
    page: bool = False,
    formats: Formats = NIFTI_ALONE,
    device: str | None = None,
    backend: str = "auto",
    precision: str | None = None,
    settings: Mapping[str, Any] | None = None,
    trust: bool = False,
    started: Callable[[Path], object] | None = None,
    progress: Callable[[int, int], object] | None = None,
    report: Callable[[PredictedFile], object] | None = None,
) -> list[PredictedFile]:
    """Segment studies, volumes and slices, one after another, into files; studies are measured too.

    NIfTI files, folders and patterns of them become ``<name>.nii.gz`` with a JSON file beside it
    (:mod:`covid_monai.inference.mask_record`). All else, and NIfTI where ``measure`` says so, is a study: it gets a
    folder, named by its key, with ``mask.nii.gz``, ``lungs.nii.gz``, ``measurements.json`` and ``run.json``, and a row
    in ``measurements.csv`` (docs/from-scanner-to-table.md). The same call again keeps what is done, so that a call
    which was interrupted can be made again.

    Args:
        inputs: files, folders, CSV tables of studies (columns ``study`` and ``path``) or glob patterns; or what
            :func:`covid_monai.inference.inputs.find_inputs` found of them.
        output: folder for the masks: uint8, on the input's grid; 0 is background.
        run: ``shipped`` for the model of the package, a run, its folder, or others, or several to average over; see
            :func:`covid_monai.inference.model.load`.
        series: the UID or name of the series to take, as ``covid-monai data studies`` lists them.
        measure: take NIfTI as studies too.
        studies: how studies are measured, and whether identifiers are kept; its ``intensity`` is that given here.
        roi_size: see :func:`covid_monai.inference.model.load`.
        intensity: see :func:`covid_monai.inference.model.load`.
        orientation: see :func:`covid_monai.inference.model.load`.
        grid_tolerance: see :func:`covid_monai.inference.model.load`.
        mirrored: see :func:`covid_monai.inference.model.load`.
        min_volume_ml: see :func:`covid_monai.inference.model.load`.
        probabilities: whether to write the probability of any lesion too (float32): ``probabilities/<name>.nii.gz``, of
            a study ``probability.nii.gz``.
        overwrite: replace masks that are there and were made otherwise: from another image, with another model or
            settings, or by somebody's hand.
        page: whether each study gets ``page.html`` to look at, and several an ``index.html``
            (:mod:`covid_monai.study_page`); a page that is missing is made of results that are there.
        formats: what is written of studies beside NIfTI: DICOM-SEG, DICOM-SR, NRRD.
        device: see :func:`covid_monai.inference.model.load`.
        backend: see :func:`covid_monai.inference.model.load`.
        precision: see :func:`covid_monai.inference.model.load`.
        settings: see :func:`covid_monai.inference.model.load`.
        trust: see :func:`covid_monai.inference.model.load`.
        started: called with each input before it is read.
        progress: called with the number of slices that are done and the number of all slices of the image.
        report: called with each :class:`PredictedFile` as it is done.

    Returns:
        one :class:`PredictedFile` an input or study; one that cannot be used does not stop the others.

    Raises:
        InputError: an input names nothing or would be replaced by a mask, two inputs would write one file, no input has
            the DICOM images that the formats need, the run cannot be used, or there are studies and its classes cannot
            be measured.
    """
    found = inputs if isinstance(inputs, Inputs) else find_inputs(inputs, measure=measure, series=series)
    refused = _without_dicom(found, formats)
    if refused and len(refused) == len(found):
        others = f" (and {len(refused) - 1} others)" if len(refused) > 1 else ""
        raise InputError(f"{refused[0].error}{others}")
    folder = Path(output).absolute()
    predictions: list[PredictedFile] = []

    def tell(done: PredictedFile) -> None:
        predictions.append(done)
        if report is not None:
            report(done)

    with protecting(*found.images, *_files_of_runs([run] if isinstance(run, (str, os.PathLike)) else run)):
        targets = _targets(found.images, folder, probabilities)
        model = load(
            run,
            device=device,
            backend=backend,
            precision=precision,
            roi_size=roi_size,
            intensity=intensity,
            orientation=orientation,
            grid_tolerance=grid_tolerance,
            mirrored=mirrored,
            min_volume_ml=min_volume_ml,
            settings=settings,
            trust=trust,
        )
        unfit = {each.image: each for each in refused}
        for image, files in zip(found.images, targets, strict=True):
            if started is not None:
                started(image)
            tell(unfit[image] if image in unfit else _segment(model, image, files, overwrite, progress))
        if found.studies:
            classes_of(model.class_names)
            of_studies = replace(studies or StudySettings(), intensity=intensity)
            options = (orientation, grid_tolerance, probabilities, overwrite, page, formats)
            of_all = StudyRun(model, folder, salt_of(folder), of_studies, *options)
            _predict_studies(of_all, found.studies, started, progress, tell)
    return predictions


def _without_dicom(found: Inputs, formats: Formats) -> list[PredictedFile]:
    """Inputs that cannot have the formats, which refer to DICOM images, each with the reason."""
    refused = []
    for place, study in [*((image, None) for image in found.images), *((each.place, each) for each in found.studies)]:
        try:
            if study is None:
                check_source(place, NIFTI, (), formats)
            else:
                check_series(study, formats)
        except InputError as error:
            refused.append(PredictedFile(place, error=str(error)))
    return refused


def _files_of_runs(runs: Iterable[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """Of runs, bundles' folders or weights files; what is not there is left out."""
    files: list[str | os.PathLike[str]] = []
    for run in runs:
        files += [*RunFolder(run).trained, Path(run) / "models", *([run] if Path(run).is_file() else [])]
    return files


def _predict_studies(
    run: StudyRun,
    studies: Iterable[StudyInput],
    started: Callable[[Path], object] | None,
    progress: Callable[[int, int], object] | None,
    tell: Callable[[PredictedFile], object],
) -> None:
    """Segment and measure studies; the table has what is done, even where the call is interrupted."""
    try:
        for study in studies:
            if started is not None:
                started(study.place)
            tell(predict_study(run, study, progress=progress))
    finally:
        write_table(run.output)
        if run.page:
            write_index_of(run.output, MEASUREMENTS)


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
            prediction = model.predict(image, probability=probability is not None, progress=progress)
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
