"""Measurements of a mask that exists already, such as one that was corrected by hand."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.exchange.reading import file_of_segmentation
from covid_monai.files import protecting, sha256_of, write_json
from covid_monai.inference.given_masks import labels_of_record, labels_on, with_classes
from covid_monai.inference.prediction import PredictedFile, measure_study
from covid_monai.inference.study import MEASUREMENTS, STAGING, read_the_study, write_measurements
from covid_monai.inference.study_inputs import StudyInput, digests_of, find_study_inputs, key_of, salt_of
from covid_monai.inference.study_pages import add_page, has_page, lungs_without_airways, write_index_of
from covid_monai.inference.study_record import RECORD, StudySettings, is_finished, record_of_study
from covid_monai.inference.study_table import write_table
from covid_monai.lungs import Lungs
from covid_monai.measurements import Measurements
from covid_monai.progress import Stopwatch
from covid_monai.staging import staged_files
from covid_monai.studies import Study
from covid_monai.study_page import PAGE, THUMBNAIL


def measure_files(
    ct: str | os.PathLike[str],
    mask: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    lungs: str | os.PathLike[str] | None = None,
    labels: str | None = None,
    study: str | None = None,
    series: str | None = None,
    settings: StudySettings | None = None,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    overwrite: bool = False,
    page: bool = False,
) -> PredictedFile:
    """Measure a CT with a mask, and write ``measurements.json`` and ``run.json`` to the study's folder in ``output``.

    ``output/measurements.csv`` gets a row, as with :func:`covid_monai.predict`, so that calls for many studies fill one
    table.

    Args:
        ct: as for :func:`covid_monai.studies.read_study`.
        mask: NIfTI, NRRD, MetaImage or DICOM-SEG on the CT's grid, its axes in any order; or a folder that holds one
            DICOM-SEG alone.
        output: folder; the study has a folder in it.
        lungs: labels of the lungs on the CT's grid, in place of those that are found; every label over 0 is lung, and
            the sides are told from where they lie.
        labels: what the values of the mask are, such as ``1=ground-glass,2=consolidation,3=effusion``; None for what
            the record beside the mask, or beside the ``mask.nii.gz`` there, says.
        study: the key in the table; None for a salted hash.
        series: the UID or name of the series to take.
        settings: of reading and measuring.
        orientation: of NIfTI files that do not say; see :func:`covid_monai.transforms.nifti.open_nifti`.
        grid_tolerance: by how many mm the grids may differ; None for 0.01.
        overwrite: replace measurements that are there and were made otherwise.
        page: whether to write ``page.html`` too, and ``index.html`` for several (:mod:`covid_monai.study_page`).

    Raises:
        InputError: a file cannot be used, lies on another grid, or holds a value that has no class; or there are other
            measurements.
    """
    chosen, folder = settings or StudySettings(), Path(output).absolute()
    given = _the_study(Path(ct), study, series)
    masks = {"mask": Path(mask)} | ({"lungs": Path(lungs)} if lungs is not None else {})
    masks = {name: file_of_segmentation(file) for name, file in masks.items()}
    if missing := [file for file in masks.values() if not file.is_file()]:
        raise InputError(f"{missing[0]} is not a file, nor a folder that holds one DICOM-SEG alone")
    stopwatch, grid = Stopwatch(), {"orientation": orientation, "grid_tolerance": grid_tolerance}
    with protecting(*given.files, *masks.values()):
        with stopwatch("hash"):
            digests = digests_of(given.files)
            of_mask = {f"{name}_sha256": sha256_of(file) for name, file in masks.items()}
        labels = labels or labels_of_record(masks["mask"])
        of_mask["labels"] = labels or "assumed"
        key = key_of(given, digests, salt_of(folder))
        place = folder / key
        done = PredictedFile(given.place, masks["mask"], study=key, measurements=place / MEASUREMENTS)
        done = replace(done, page=place / PAGE if page else None)
        finished = not overwrite and is_finished(place, digests, chosen, origin=None, mask=of_mask)
        if finished and (not page or has_page(place)):
            return replace(done, kept=True)
        with staged_files(place, STAGING, RECORD) as staging:
            if not (overwrite or finished) and (place / MEASUREMENTS).exists():
                raise InputError(
                    f"{place} holds measurements that were made otherwise; give `overwrite=True` to replace them, or "
                    "choose another `output`"
                )
            with collecting_warnings() as doubts:
                measured = _measured(given, masks, labels, chosen, grid, stopwatch)
            read, measurements = measured.study, measured.measurements
            written = write_measurements(staging.path, key, measurements)
            record = record_of_study(
                key,
                given,
                digests,
                chosen,
                origin=None,
                mask=of_mask,
                study=read,
                warnings=(*given.warnings, *doubts),
                outputs={MEASUREMENTS: written},
                seconds=stopwatch.seconds,
            )
            if page:
                lung = lungs_without_airways(measured.lungs)
                document, classes = measurements.to_dict(), measured.classes
                add_page(staging.path, record, read, measured.mask, lung, classes=classes, document=document)
            write_json(staging.path / RECORD, record)
            # a page of other measurements is none of these
            staging.publish(stale=[place / PAGE, place / THUMBNAIL])
        write_table(folder)
        if page:
            write_index_of(folder, MEASUREMENTS)
    return replace(done, warnings=tuple(dict.fromkeys((*given.warnings, *doubts, *measurements.warnings))))


def _the_study(ct: Path, name: str | None, series: str | None) -> StudyInput:
    found = find_study_inputs([ct], series=series)
    if len(found) != 1:
        raise InputError(
            f"{ct} holds {len(found)} studies, and a mask belongs to one; give its folder or file, or its series as "
            "`series` (`covid-monai data studies` lists them)"
        )
    (given,) = found
    if given.error is not None:
        raise InputError(given.error)
    if name is not None and (not name or name.startswith(".") or set(name) & set('/\\:*?"<>|')):
        raise InputError(f"`study` is {name!r}; give a name that can be a folder's")
    return replace(given, name=name) if name is not None else given


@dataclass(frozen=True)
class _Measured:
    study: Study
    mask: NDArray[np.integer]
    classes: dict[int, str]
    lungs: Lungs
    measurements: Measurements


def _measured(
    given: StudyInput,
    masks: Mapping[str, Path],
    labels: str | None,
    settings: StudySettings,
    grid: Mapping[str, Any],
    stopwatch: Stopwatch,
) -> _Measured:
    from covid_monai.lungs import find_lungs, from_labels

    with stopwatch("read"):
        study = read_the_study(given, settings, **grid)
        values = labels_on(study, masks["mask"], **grid)
        mask, classes = with_classes(values, masks["mask"], labels)
    with stopwatch("lungs"):
        if "lungs" in masks:
            lungs = from_labels(labels_on(study, masks["lungs"], lungs=True, **grid), study.affine, hu=study.hu)
        else:
            lungs = find_lungs(study.hu, study.affine)
    with stopwatch("measure"):
        measurements = measure_study(
            study,
            mask,
            lungs,
            classes=classes,
            ground_glass_below=settings.ground_glass_below,
            floor_ml=settings.floor_ml,
            floor_percent=settings.floor_percent,
        )
    return _Measured(study, mask, classes, lungs, measurements)
