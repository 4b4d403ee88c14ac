"""Studies, volumes and slices in, masks on their grids and measurements out."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from covid_monai.errors import InputError
from covid_monai.exchange.formats import NIFTI, NIFTI_ALONE, Formats, check_source
from covid_monai.files import protecting
from covid_monai.inference.images import image_inputs
from covid_monai.inference.inputs import Inputs, find_images, find_inputs, parse_shard
from covid_monai.inference.model import load
from covid_monai.inference.prediction import PredictedFile
from covid_monai.inference.study import MEASUREMENTS, StudyRun
from covid_monai.inference.study_formats import check_series
from covid_monai.inference.study_inputs import StudyInput, salt_of
from covid_monai.inference.study_pages import write_index_of
from covid_monai.inference.study_record import StudySettings
from covid_monai.inference.study_table import write_table
from covid_monai.inference.workers import Given, Work, predict_in_processes, predict_input
from covid_monai.measurements import classes_of
from covid_monai.processes import Slot, devices_of, slots_on, threads_of_each, torch_threads
from covid_monai.run.folder import RunFolder
from covid_monai.run.trained import SHIPPED

__all__ = ["PredictedFile", "find_images", "predict"]

TABLE_SECONDS = 30.0
"""How often the table of studies is written while they are done."""


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
    workers: int = 1,
    shard: str | tuple[int, int] | None = None,
    started: Callable[[Path], object] | None = None,
    progress: Callable[[int, int], object] | None = None,
    report: Callable[[PredictedFile], object] | None = None,
) -> list[PredictedFile]:
    """Segment studies, volumes and slices into files, one after another or several at once; studies are measured too.

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
        workers: how many processes do the inputs, each with the model and its part of the processors; 1 for this
            process alone. A script that asks for more needs ``if __name__ == "__main__":`` around what it does.
        shard: the part of the inputs to do, such as ``2/4`` or ``(2, 4)``, the second of four; other calls do the rest,
            at the same time if need be, on this machine or others.
        started: called with each input before it is read.
        progress: called with the number of slices that are done and the number of all slices of the image; not of
            several workers.
        report: called with each :class:`PredictedFile` as it is done; those of several workers end in any order.

    Returns:
        one :class:`PredictedFile` an input or study of the shard, in their order; one that cannot be used, or whose
        process died, does not stop the others.

    Raises:
        InputError: ``workers`` or ``shard`` cannot be, an input names nothing or would be replaced by a mask, two
            inputs would write one file, no input has the DICOM images that the formats need, the run cannot be used, or
            there are studies and its classes cannot be measured.
    """
    if workers < 1:
        raise InputError(f"`workers` is {workers}; it must be at least 1")
    part = parse_shard(shard) if shard is not None else None
    found = inputs if isinstance(inputs, Inputs) else find_inputs(inputs, measure=measure, series=series)
    refused = _without_dicom(found, formats)
    if refused and len(refused) == len(found):
        others = f" (and {len(refused) - 1} others)" if len(refused) > 1 else ""
        raise InputError(f"{refused[0].error}{others}")
    folder = Path(output).absolute()
    runs = [os.fspath(each) for each in ([run] if isinstance(run, (str, os.PathLike)) else run)]
    protected = [*found.images, *_files_of_runs(runs)]
    loading = partial(
        load,
        runs,
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
    with protecting(*protected):
        # of all shards: two images of different ones must not become one mask
        errors = {each.image: str(each.error) for each in refused}
        images = image_inputs(found.images, folder, probabilities=probabilities, errors=errors)
        if part is not None:
            found = found.shard(*part)
            taken = set(found.images)
            images = [each for each in images if each.place in taken]
        given: list[Given] = [*images, *found.studies]
        count = max(1, min(workers, len(given)))
        # the threads of a worker, since which back end is the faster one depends on them
        with torch_threads(threads_of_each(count)) if count > 1 else nullcontext():
            model = loading(device=device, backend=backend)
        if found.studies:
            classes_of(model.class_names)
        run_of = partial(
            StudyRun,
            output=folder,
            salt=salt_of(folder) if found.studies else b"",
            settings=replace(studies or StudySettings(), intensity=intensity),
            orientation=orientation,
            grid_tolerance=grid_tolerance,
            probabilities=probabilities,
            overwrite=overwrite,
            page=page,
            formats=formats,
        )
        done: dict[Given, PredictedFile] = {}

        def tell(each: Given, result: PredictedFile) -> None:
            done[each] = result
            if report is not None:
                report(result)

        many = model.device.startswith("cuda") and device in (None, "cuda") and "device" not in (settings or {})
        slots = slots_on(devices_of(device) if many else [model.device], count)
        work = Work(partial(loading, backend=model.backend.name), run_of, protected)
        _do(run_of(model), work, given, slots, started=started, progress=progress, ended=tell)
    return [done[each] for each in given]


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


def _files_of_runs(runs: Iterable[str]) -> list[Path]:
    """Of runs, bundles' folders or weights files; what is not there is left out."""
    files: list[Path] = []
    for run in runs:
        files += [*RunFolder(run).trained, Path(run) / "models", *([Path(run)] if Path(run).is_file() else [])]
    return files


def _do(
    run: StudyRun,
    work: Work,
    given: Sequence[Given],
    slots: Sequence[Slot],
    *,
    started: Callable[[Path], object] | None,
    progress: Callable[[int, int], object] | None,
    ended: Callable[[Given, PredictedFile], object],
) -> None:
    """Do all inputs; the table has what is done, even where the call is interrupted."""
    studies = any(isinstance(each, StudyInput) for each in given)
    written = time.monotonic()

    def end(each: Given, done: PredictedFile) -> None:
        nonlocal written
        ended(each, done)
        if studies and time.monotonic() - written > TABLE_SECONDS:
            _write_tables(run)
            written = time.monotonic()

    try:
        if len(slots) > 1:
            predict_in_processes(run, work, given, slots, started=started, ended=end)
            return
        for each in given:
            if started is not None:
                started(each.place)
            end(each, predict_input(run, each, progress=progress))
    finally:
        if studies:
            _write_tables(run)


def _write_tables(run: StudyRun) -> None:
    write_table(run.output)
    if run.page:
        write_index_of(run.output, MEASUREMENTS)
