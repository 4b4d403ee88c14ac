"""Volumes cropped to the lungs, and back."""

import warnings
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Crop, InvertibleTransform, MapTransform
from nibabel.orientations import io_orientation

from covid_monai.errors import InputError, InputWarning
from covid_monai.lungs.find import find_lungs
from covid_monai.lungs.lungs import Lungs

MARGIN_MM = 10.0
"""Between the lungs and each side of the box."""

LEAST_HEIGHT_MM = 20.0
"""What a volume must have along its slices, for lungs to be told from other air."""

CROPPED = "cropped_to_lungs"
"""A key of items whose images are within the box already, such as the slabs of a volume that was cropped."""


def box_of_lungs(
    labels: npt.NDArray, affine: npt.ArrayLike, *, margin_mm: float = MARGIN_MM
) -> tuple[slice, ...] | None:
    """The box around lungs with a margin on each side, within the volume; None where there are none.

    Args:
        labels: (i, j, k), over 0 in the lungs.
        affine: (4, 4), from indices to RAS+ mm.
        margin_mm: of each side of the box; the box is widened to whole voxels.

    Raises:
        InputError: the margin is no number from 0.
    """
    if not (np.isfinite(margin_mm) and margin_mm >= 0):
        raise InputError(f"margin_mm is {margin_mm}; give a number of mm from 0")
    margins = np.ceil(margin_mm / np.linalg.norm(np.asarray(affine, float)[:3, :3], axis=0)).astype(int)
    box = []
    for axis, (size, margin) in enumerate(zip(labels.shape, margins, strict=True)):
        at = np.flatnonzero((labels > 0).any(axis=tuple({0, 1, 2} - {axis})))
        if len(at) == 0:
            return None
        box.append(slice(max(0, int(at[0]) - int(margin)), min(size, int(at[-1]) + 1 + int(margin))))
    return tuple(box)


def box_to_crop(
    hu: npt.NDArray, affine: npt.ArrayLike, where: str, *, margin_mm: float = MARGIN_MM
) -> tuple[slice, ...]:
    """The box around the lungs of a CT; all of it, with a warning, where it is a volume and no lungs are found.

    See :func:`box_and_lungs`, which tells of the lungs too.
    """
    return box_and_lungs(hu, affine, where, margin_mm=margin_mm)[0]


def box_and_lungs(
    hu: npt.NDArray, affine: npt.ArrayLike, where: str, *, margin_mm: float = MARGIN_MM
) -> tuple[tuple[slice, ...], Lungs | None]:
    """The box around the lungs of a CT, and the lungs: None where they were not sought.

    What is less than ``LEAST_HEIGHT_MM`` high shows no volume that lungs could be sought in, and stays whole.

    Args:
        hu: (i, j, k) in HU, in any orientation.
        affine: (4, 4), from indices to RAS+ mm.
        where: the file, for the warning.
        margin_mm: as in :func:`box_of_lungs`.
    """
    whole = tuple(slice(0, size) for size in hu.shape)
    matrix = np.asarray(affine, float)
    if hu.ndim != 3:
        return whole, None
    axis = axial_axis(matrix)
    if hu.shape[axis] == 1 or hu.shape[axis] * np.linalg.norm(matrix[:3, axis]) < LEAST_HEIGHT_MM:
        return whole, None
    lungs = find_lungs(hu, matrix)
    box = box_of_lungs(lungs.labels, matrix, margin_mm=margin_mm)
    if box is None:
        warnings.warn(f"no lungs were found in {where}; it is not cropped", InputWarning, stacklevel=4)
    return box or whole, lungs


def axial_axis(affine: npt.ArrayLike) -> int:
    """The axis of an array that counts axial slices: the one that runs most along the patient."""
    return int(np.flatnonzero(io_orientation(np.asarray(affine, float))[:, 0] == 2)[0])


class CropToLungsd(MapTransform, InvertibleTransform):
    """Crop volumes to a box around the lungs; the inverse puts zeros, which are background, around it again.

    Slices alone show no volume that lungs could be sought in: what is less than ``LEAST_HEIGHT_MM`` high is left as it
    is; so is an item in which ``CROPPED`` is true. Data sets of slices are cropped when they are prepared, while their
    volumes are at hand.

    Args:
        keys: of images and label maps (C, X, Y, Z) on one grid, which are cropped alike.
        source_key: of the CT among them, in HU, with its affine; its first channel is looked at.
        margin_mm: between the lungs and each side of the box.
        allow_missing_keys: whether a key may be missing.

    Raises (when called):
        InputError: the CT has no affine, or is no volume of finite numbers; keys differ in their grid.
    """

    def __init__(
        self,
        keys: KeysCollection,
        source_key: str = "image",
        margin_mm: float = MARGIN_MM,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.source_key = source_key
        self.margin_mm = margin_mm
        self.cropper = Crop()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Crop each key; a warning says where no lungs were found and the volume is left whole."""
        cropped = dict(data)
        source = cropped[self.source_key]
        if not isinstance(source, MetaTensor):
            raise InputError(f"{self.source_key} has no affine; give a MetaTensor, as LoadImaged does")
        if cropped.get(CROPPED):
            box = tuple(slice(0, size) for size in source.shape[1:])
        else:
            where = str(source.meta.get("filename_or_obj", self.source_key))
            box = box_to_crop(source[0].cpu().numpy(), source.affine.cpu().numpy(), where, margin_mm=self.margin_mm)
        for key in self.key_iterator(cropped):
            shape, expected = tuple(cropped[key].shape[1:]), tuple(source.shape[1:])
            if shape != expected:
                raise InputError(f"{key} has the shape {shape}, {self.source_key} {expected}; crop before resizing")
            cropped[key] = self.cropper(cropped[key], box)
        return cropped

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring each key back to the grid before the crop."""
        whole = dict(data)
        for key in self.key_iterator(whole):
            whole[key] = self.cropper.inverse(whole[key])
        return whole
