"""Measurements of a mask that exists already, such as one that was corrected by hand."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, InputWarning, collecting_warnings
from covid_monai.files import protecting, sha256_of, write_json
from covid_monai.inference.mask_record import read_record
from covid_monai.inference.prediction import PredictedFile
from covid_monai.inference.study import MASK, MEASUREMENTS, read_the_study, write_measurements
from covid_monai.inference.study_inputs import StudyInput, digests_of, find_study_inputs, key_of, salt_of
from covid_monai.inference.study_record import RECORD, Stopwatch, StudySettings, is_finished, record_of_study
from covid_monai.inference.study_table import write_table
from covid_monai.measurements import Measurements, classes_of, measure
from covid_monai.measurements.definitions import CLASSES
from covid_monai.staging import staged_files
from covid_monai.studies import Study
from covid_monai.transforms.grid import GRID_TOLERANCE, corner_distance, differences, rounded_up
from covid_monai.transforms.nifti import is_nifti

_STAGING = ".writing-study"


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
) -> PredictedFile:
    """Measure a CT with a mask, and write ``measurements.json`` and ``run.json`` to the study's folder in ``output``.

    ``output/measurements.csv`` gets a row, as with :func:`covid_monai.predict`, so that calls for many studies fill one
    table.

    Args:
        ct: as for :func:`covid_monai.studies.read_study`.
        mask: NIfTI, NRRD or MetaImage on the CT's grid, its axes in any order.
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

    Raises:
        InputError: a file cannot be used, lies on another grid, or holds a value that has no class; or there are other
            measurements.
    """
    chosen, folder = settings or StudySettings(), Path(output).absolute()
    given = _the_study(Path(ct), study, series)
    masks = {"mask": Path(mask)} | ({"lungs": Path(lungs)} if lungs is not None else {})
    if missing := [file for file in masks.values() if not file.is_file()]:
        raise InputError(f"{missing[0]} is not a file")
    stopwatch, grid = Stopwatch(), {"orientation": orientation, "grid_tolerance": grid_tolerance}
    with protecting(*given.files, *masks.values()):
        with stopwatch("hash"):
            digests = digests_of(given.files)
            of_mask = {f"{name}_sha256": sha256_of(file) for name, file in masks.items()}
        labels = labels or _labels_of_record(masks["mask"])
        of_mask["labels"] = labels or "assumed"
        key = key_of(given, digests, salt_of(folder))
        place = folder / key
        done = PredictedFile(given.place, Path(mask), study=key, measurements=place / MEASUREMENTS)
        if not overwrite and is_finished(place, digests, chosen, origin=None, mask=of_mask):
            return replace(done, kept=True)
        with staged_files(place, _STAGING, RECORD) as staging:
            if not overwrite and (place / MEASUREMENTS).exists():
                raise InputError(
                    f"{place} holds measurements that were made otherwise; give `overwrite=True` to replace them, or "
                    "choose another `output`"
                )
            with collecting_warnings() as doubts:
                read, measurements = _measured(given, masks, labels, chosen, grid, stopwatch)
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
            write_json(staging.path / RECORD, record)
            staging.publish()
        write_table(folder)
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


def _measured(
    given: StudyInput,
    masks: Mapping[str, Path],
    labels: str | None,
    settings: StudySettings,
    grid: Mapping[str, Any],
    stopwatch: Stopwatch,
) -> tuple[Study, Measurements]:
    from covid_monai.lungs import find_lungs, from_labels

    with stopwatch("read"):
        study = read_the_study(given, settings, **grid)
        values = labels_on(study, masks["mask"], **grid)
        mask, classes = _classes(values, masks["mask"], labels)
    with stopwatch("lungs"):
        if "lungs" in masks:
            lungs = from_labels(labels_on(study, masks["lungs"], **grid), study.affine, hu=study.hu)
        else:
            lungs = find_lungs(study.hu, study.affine)
    with stopwatch("measure"):
        measurements = measure(
            study.hu,
            study.affine,
            mask,
            lungs,
            extents=study.extents,
            classes=classes,
            true_hu=study.intensity == "hu",
            placeholder_spacing=study.placeholder_spacing,
            ground_glass_below=settings.ground_glass_below,
            floor_ml=settings.floor_ml,
            floor_percent=settings.floor_percent,
        )
    return study, measurements


def labels_on(
    study: Study, path: Path, *, orientation: str | None = None, grid_tolerance: float | None = None
) -> NDArray[np.integer]:
    """The labels of a mask in the order of a study's voxels; nothing is resampled.

    Args:
        study: that the mask belongs to.
        path: NIfTI, NRRD or MetaImage.
        orientation: of NIfTI files that do not say.
        grid_tolerance: by how many mm the grids may differ; None for 0.01.

    Raises:
        InputError: the file cannot be read, or lies on another grid.
    """
    from nibabel import orientations

    values, affine = _read_labels(path, orientation, grid_tolerance)
    change = orientations.ornt_transform(orientations.io_orientation(affine), orientations.io_orientation(study.affine))
    turned: NDArray[np.integer] = orientations.apply_orientation(values, change)
    affine = affine @ orientations.inv_ornt_aff(change, values.shape)
    if turned.shape != study.hu.shape:
        raise InputError(
            f"{path} has {' x '.join(map(str, turned.shape))} voxels in the order of the CT, the CT has "
            f"{' x '.join(map(str, study.hu.shape))}; resample it (nearest neighbour) to the CT's grid"
        )
    apart = corner_distance(affine, study.affine, turned.shape)
    if apart > (GRID_TOLERANCE if grid_tolerance is None else grid_tolerance):
        raise InputError(
            f"{path} lies on another grid than the CT: voxels are up to {apart:.3g} mm apart "
            f"({differences(affine, study.affine)}); resample it (nearest neighbour) to the CT's grid, or take the two "
            f"for one with `grid_tolerance` {rounded_up(apart)}"
        )
    return turned


def _read_labels(
    path: Path, orientation: str | None, grid_tolerance: float | None
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    from covid_monai.data.sources.mask_values import whole_labels
    from covid_monai.scoring.mask_files import read_mask_file
    from covid_monai.transforms.nifti import read_nifti

    if is_nifti(path):
        # a tilted gantry's shear is the CT's, and was told of there
        with collecting_warnings():
            image = read_nifti(path, orientation=orientation, grid_tolerance=grid_tolerance, allow_shear=True)
        return whole_labels(np.asanyarray(image.dataobj), str(path)), image.affine
    found = read_mask_file(path)
    if found.affine is None:
        raise InputError(f"{path} is a picture, which lies nowhere; give the mask as NIfTI, NRRD or MetaImage")
    return found.labels, found.affine


def _classes(values: NDArray[np.integer], path: Path, labels: str | None) -> tuple[NDArray[np.integer], dict[int, str]]:
    """The mask with its classes: as they are said, or as they most likely are."""
    import warnings

    from covid_monai.scoring.label_classes import parse_label_classes

    if labels is None:
        one_class = values.max(initial=0) <= 1
        labels = _as_labels(["background", "lesion"] if one_class else ["background", *CLASSES.values()])
        warnings.warn(
            f"{path} has no record beside it that names its classes; taken as {labels}: say otherwise by `labels`",
            InputWarning,
            stacklevel=2,
        )
    parsed = parse_label_classes(labels)
    return parsed.apply(values, str(path)), classes_of(parsed.names)


def _labels_of_record(mask: Path) -> str | None:
    """What the values of a mask are by the record beside it, or beside the mask that it was made from."""
    record = read_record(mask) or read_record(mask.with_name(MASK))
    return None if record is None else _as_labels(record.class_names)


def _as_labels(names: Sequence[str]) -> str:
    return ",".join(f"{value}={name.replace('_', '-')}" for value, name in enumerate(names) if value)
