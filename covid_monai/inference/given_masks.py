"""Masks from files: brought into the order of a study's voxels, with what their values are."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, InputWarning, collecting_warnings
from covid_monai.exchange.reading import SegmentedVolume, is_segmentation, read_segmentation, segment_names
from covid_monai.inference.mask_record import read_record
from covid_monai.inference.study import MASK
from covid_monai.measurements import classes_of
from covid_monai.measurements.definitions import CLASSES
from covid_monai.studies import Study
from covid_monai.studies.geometry import SAME_POSITION
from covid_monai.transforms.grid import (
    GRID_TOLERANCE,
    ROUNDED_POSITIONS,
    corner_distance,
    differences,
    rounded_up,
)
from covid_monai.transforms.nifti import is_nifti


def labels_on(
    study: Study,
    path: Path,
    *,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    lungs: bool = False,
) -> NDArray[np.integer]:
    """The labels of a mask in the order of a study's voxels; nothing is resampled.

    A mask that covers a part of the study's grid, as 3D Slicer saves segmentations, is 0 beside it.

    Args:
        study: that the mask belongs to.
        path: NIfTI, NRRD, MetaImage or DICOM-SEG.
        orientation: of NIfTI files that do not say.
        grid_tolerance: by how many mm the grids may differ; None for 0.01.
        lungs: take the segments of the lungs, where it is a DICOM-SEG, rather than the others.

    Raises:
        InputError: the file cannot be read, or lies on another grid.
    """
    from nibabel import orientations

    if is_segmentation(path):
        segmented = read_segmentation(path, lungs=lungs)
        if np.ptp(study.extents) > SAME_POSITION or not segmented.evenly_spaced:
            return _on_slices(study, segmented, path, max(ROUNDED_POSITIONS, grid_tolerance or 0.0))
        values: NDArray[np.integer] = segmented.labels
        affine = segmented.affine
    else:
        values, affine = _read_labels(path, orientation, grid_tolerance)
    change = orientations.ornt_transform(orientations.io_orientation(affine), orientations.io_orientation(study.affine))
    turned: NDArray[np.integer] = orientations.apply_orientation(values, change)
    affine = affine @ orientations.inv_ornt_aff(change, values.shape)
    tolerance = GRID_TOLERANCE if grid_tolerance is None else grid_tolerance
    start = np.rint(np.linalg.solve(study.affine, affine[:, 3])[:3]).astype(int)
    # where the first voxel of the mask lies if it is one of the CT's
    expected = study.affine.copy()
    expected[:3, 3] = (study.affine @ [*start, 1])[:3]
    apart = corner_distance(affine, expected, turned.shape)
    inside = all(start >= 0) and all(start + turned.shape <= study.hu.shape)
    if apart <= tolerance and inside:
        # a DICOM-SEG leaves empty planes out
        if turned.shape != study.hu.shape and not is_segmentation(path):
            message = (
                f"{path} covers {_lengths(turned.shape)} of {_lengths(study.hu.shape)} voxels; the rest is taken as 0"
            )
            warnings.warn(message, InputWarning, stacklevel=2)
        whole = np.zeros(study.hu.shape, turned.dtype)
        whole[tuple(slice(first, first + length) for first, length in zip(start, turned.shape, strict=True))] = turned
        return whole
    if turned.shape != study.hu.shape:
        raise InputError(
            f"{path} has {_lengths(turned.shape)} voxels in the order of the CT, which has {_lengths(study.hu.shape)}, "
            "and is no part of its grid; resample it (nearest neighbour) to the CT's grid"
        )
    apart = corner_distance(affine, study.affine, turned.shape)
    if apart > tolerance:
        raise InputError(
            f"{path} lies on another grid than the CT: voxels are up to {apart:.3g} mm apart "
            f"({differences(affine, study.affine)}); resample it (nearest neighbour) to the CT's grid, or take the two "
            f"for one with `grid_tolerance` {rounded_up(apart)}"
        )
    return turned


def _on_slices(study: Study, segmented: SegmentedVolume, path: Path, tolerance: float) -> NDArray[np.integer]:
    """Planes on the slices of a study that lie where they do, since the spacing of either is uneven."""
    whole = np.zeros(study.hu.shape, segmented.labels.dtype)
    in_plane = np.allclose(segmented.affine[:3, :2], study.affine[:3, :2], atol=1e-4)
    if not in_plane or segmented.labels.shape[:2] != study.hu.shape[:2]:
        raise InputError(f"{path} has planes that are not those of the CT; export it on the CT's images")
    for plane, place in enumerate(segmented.places):
        apart = np.linalg.norm(study.positions - place, axis=1)
        index = int(apart.argmin())
        if apart[index] <= tolerance:
            whole[:, :, index] = segmented.labels[:, :, plane]
        elif segmented.labels[:, :, plane].any():
            raise InputError(
                f"{path} has a plane where there is no slice of the CT (the next one is {apart[index]:.3g} mm away); "
                f"give the CT that it was made of, or a `grid_tolerance` of {rounded_up(float(apart[index]))}"
            )
    return whole


def _lengths(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


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
        raise InputError(
            f"{path} is a picture, which lies nowhere; give the mask as NIfTI, NRRD, MetaImage or DICOM-SEG"
        )
    return found.labels, found.affine


def with_classes(
    values: NDArray[np.integer], path: Path, labels: str | None
) -> tuple[NDArray[np.integer], dict[int, str]]:
    """A mask and what its values are: as they are said, or with a warning as they most likely are.

    Args:
        values: of the mask.
        path: its file, for messages.
        labels: such as ``1=ground-glass,2=consolidation``; None where nobody says.

    Returns:
        the mask, and its classes as :func:`covid_monai.measurements.measure` takes them.

    Raises:
        InputError: the mask holds a value that has no class, or a class cannot be measured.
    """
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


def labels_of_record(mask: Path) -> str | None:
    """What the values of a mask are: by a DICOM-SEG's codes, else by the record beside it or its original's."""
    if is_segmentation(mask):
        names = segment_names(mask)
        return ",".join(f"{value}={name.replace('_', '-')}" for value, name in names.items()) or None
    record = read_record(mask) or read_record(mask.with_name(MASK))
    return None if record is None else _as_labels(record.class_names)


def _as_labels(names: Sequence[str]) -> str:
    return ",".join(f"{value}={name.replace('_', '-')}" for value, name in enumerate(names) if value)
