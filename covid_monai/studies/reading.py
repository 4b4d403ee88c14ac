"""One study as voxels in HU with their place in the patient."""

import os
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, InputWarning, collecting_warnings
from covid_monai.studies.choice import choose
from covid_monai.studies.dicom import identity_of, read_slices
from covid_monai.studies.finding import Found, FoundStudy, find_studies
from covid_monai.studies.geometry import stack_of
from covid_monai.studies.hounsfield import marked_padding, to_air
from covid_monai.studies.series import FoundSeries
from covid_monai.studies.study import Study, counted
from covid_monai.studies.volumes import read_voxels, stack_of_volume
from covid_monai.transforms.intensity import mode_named, refuse_beyond_hu, to_hu

_NAMED = 5
_CT = "the CT"


def read_study(
    path: "str | os.PathLike[str] | FoundStudy | FoundSeries",
    *,
    series: str | None = None,
    intensity: str = "checked",
    spacing_known: bool | None = None,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
) -> Study:
    """Read one CT: the series that ``find_studies`` says is taken, or the one that is named.

    What is not as sure as one may believe is raised as :class:`covid_monai.errors.InputWarning`, with the name of the
    file or folder, and stands in ``Study.warnings`` without it.

    Args:
        path: a folder, a zip archive, a DICOMDIR or a file of DICOM; a NIfTI, NRRD or MetaImage file, or a folder with
            one; or what :func:`covid_monai.studies.find_studies` found.
        series: the UID of a series in it, or its name as ``find_studies`` has it.
        intensity: how values are read, a mode of :mod:`covid_monai.transforms.intensity`. ``checked`` refuses what is
            on another scale than HU.
        spacing_known: whether the spacing is real; None takes 1 x 1 x 1 mm of NIfTI, NRRD and MetaImage for a
            placeholder, and that of DICOM where it is given.
        orientation: of NIfTI files that do not say; see :func:`covid_monai.transforms.nifti.open_nifti`.
        grid_tolerance: of NIfTI files; see :func:`covid_monai.transforms.nifti.open_nifti`.

    Raises:
        InputError: nothing there is a CT that can be read, several studies are there, there is no such series, or its
            values are refused by ``intensity``.
    """
    mode = mode_named(intensity)
    found = path if isinstance(path, FoundSeries) else series_of(path, series)
    grid: dict[str, Any] = {"orientation": orientation, "grid_tolerance": grid_tolerance}
    if found.refused is not None and found.format == "dicom":
        raise InputError(f"the series {found.name} is {found.refused}: choose another `series`")
    with collecting_warnings() as messages:
        try:
            study = _read_dicom(found, mode) if found.format == "dicom" else _read_volume(found, mode, grid)
        except MemoryError as error:
            raise InputError(f"{found.place}: {found.shape} voxels do not fit into memory") from error
    return _with_warnings(study, found.place, messages, spacing_known)


def _with_warnings(study: Study, place: Path, messages: Iterable[str], spacing_known: bool | None) -> Study:
    """The study with all its warnings, which are raised now."""
    for path, reason in study.left_out[:_NAMED]:
        warnings.warn(f"{path} {reason}; it is left out", InputWarning, stacklevel=3)
    # the readers of volumes begin with their file's name
    of_reading = [
        _CT + message.removeprefix(str(place)) if message.startswith(str(place)) else message for message in messages
    ]
    unnamed = tuple(dict.fromkeys([*study.warnings, *of_reading]))
    for message in unnamed:
        warnings.warn(f"{place}: {message}", InputWarning, stacklevel=3)
    placeholder = study.placeholder_spacing if spacing_known is None else not spacing_known
    return replace(study, warnings=unnamed, placeholder_spacing=placeholder)


def _read_dicom(found: FoundSeries, mode: str) -> Study:
    voxels, read, left_out = read_slices(found.slices)
    hu, kind = _in_hu(voxels, mode, found.place)
    stack = stack_of(read)
    lost = [counted(len(left_out), "slice could not be read and is", "slices could not be read and are") + " left out"]
    return Study(
        hu=hu,
        affine=stack.affine,
        extents=stack.extents,
        positions=stack.positions,
        placeholder_spacing=stack.placeholder,
        format=found.format,
        intensity=kind,
        identity=identity_of(read),
        files=tuple(dict.fromkeys(header.entry.path for header in read)),
        sources=tuple(dict.fromkeys(header.entry.source for header in read)),
        slices=tuple(read),
        left_out=left_out,
        warnings=(*(lost if left_out else ()), *found.notes, *stack.oddities),
    )


def _read_volume(found: FoundSeries, mode: str, grid: dict[str, Any]) -> Study:
    path = found.place
    volume = read_voxels(path, **grid)
    hu, kind = _in_hu(marked_padding(volume.values), mode, path)
    stack = stack_of_volume(volume.affine, hu.shape[2])
    return Study(
        hu=hu,
        affine=volume.affine,
        extents=stack.extents,
        positions=stack.positions,
        placeholder_spacing=stack.placeholder,
        format=found.format,
        intensity=kind,
        files=volume.files,
        sources=volume.files,
        warnings=volume.notes,
    )


def _in_hu(values: NDArray[Any], mode: str, place: Path) -> tuple[NDArray[np.int16] | NDArray[np.float32], str]:
    try:
        # its warnings stand in the study, which names no place
        hu, kind = to_hu(values, mode, _CT)
        refuse_beyond_hu(hu, mode, _CT)
    except InputError as error:
        raise InputError(f"{place}: {error}") from error
    to_air(hu)
    return hu, kind


def series_of(path: "str | os.PathLike[str] | Found | FoundStudy", name: str | None) -> FoundSeries:
    """The series that :func:`read_study` takes: the one of this UID or name, else that of the only study.

    Raises:
        InputError: nothing there is a CT that can be read, several studies are there, or there is no such series.
    """
    if isinstance(path, FoundStudy):
        path = Found(path.place, (path,))
    found = path if isinstance(path, Found) else find_studies(path)
    if name is not None:
        return _named(found, name)
    taken = [study.taken for study in found.studies if study.taken is not None]
    if len(taken) > 1:
        raise InputError(
            f"{found.path} holds {len(taken)} studies: give one at a time, or the UID of a series as `series` "
            "(`covid-monai data studies` lists them)"
        )
    volumes = [series for study in found.studies for series in study.series if series.format != "dicom"]
    if not taken and len(volumes) == 1:
        # it says by itself what is wrong with it, and options may put it right
        return volumes[0]
    if not taken:
        raise InputError(f"{found.path} holds no CT that can be read{_why_none(found)}")
    return taken[0]


def _named(found: Found, name: str) -> FoundSeries:
    all_series = [series for study in found.studies for series in study.series]
    if exact := [series for series in all_series if series.name == name]:
        return exact[0]
    stacks = [series for series in all_series if series.uid == name]
    if not stacks:
        raise InputError(
            f"{found.path} holds no series {name}; it has {len(all_series)}, which `covid-monai data studies` lists: "
            "give one of these as `series`"
        )
    taken, why = choose(stacks)
    if taken is None:
        raise InputError(f"the series {name} is {why}: choose another `series`")
    return taken


def _why_none(found: Found) -> str:
    reasons = [study.why for study in found.studies]
    reasons += [f"{path.name} {reason}" for path, reason in found.problems]
    shown = "; ".join(dict.fromkeys(reasons[:_NAMED]))
    return f": {shown or 'give a folder, a zip archive or a DICOMDIR with a CT, or a NIfTI, NRRD or MHA file'}"
