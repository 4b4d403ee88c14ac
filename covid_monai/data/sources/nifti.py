"""NIfTI volumes or slices with their masks, cut into axial slices; also an nnU-Net raw data set."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from covid_monai.data.manifest import Canvas
from covid_monai.data.sources import SourceSlice
from covid_monai.data.sources.labels import count_labels, map_labels
from covid_monai.data.sources.mask_values import read_nifti_mask
from covid_monai.errors import InputError, InputWarning
from covid_monai.lungs import box_to_crop
from covid_monai.transforms.grid import (
    GRID_TOLERANCE,
    corner_distance,
    differences,
    orientation_name,
    rounded_up,
    to_lps,
)
from covid_monai.transforms.intensity import WINDOW, to_hu
from covid_monai.transforms.nifti import grid_shape, open_nifti, read_nifti


@dataclass(frozen=True)
class Pair:
    """A volume's name, its image and its mask."""

    name: str
    image: Path
    mask: Path


class NiftiSlices:
    """Reads NIfTI pairs and cuts them into axial slices; a :class:`covid_monai.data.sources.Source`.

    Args:
        pairs: images and masks.
        label_map: source label to our label.
        name: name of the data set.
        licence: terms of use.
        patients: patient of each volume; without it each volume is its own patient.
        lesion_slices_only: leave out slices without any label over 0.
        intensity: a mode of :func:`covid_monai.transforms.intensity.to_hu`, applied per volume.
        spacing_known: whether the headers' spacing is real; None takes 1 x 1 x 1 mm for a placeholder.
        window: HU of grey values 0 and 255, for 8-bit values.
        orientation: where the axes run in files that do not say; see :func:`covid_monai.transforms.nifti.open_nifti`.
        grid_tolerance: how far in mm a voxel may lie from image to mask, and from sform to qform; None for 0.01.
        crop: ``lungs`` for a box around the lungs of each volume, ``none``; slices alone stay as they are.
        every: keep the slices of each volume, or of its crop, whose index is a multiple of this number; neighbouring
            slices of thin ones show nearly the same.

    Raises:
        InputError: a pair's grids differ, the patients' list names other volumes, or the crop or ``every`` is none of
            these.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        label_map: Mapping[int, int],
        name: str,
        licence: str = "",
        patients: Mapping[str, str] | None = None,
        lesion_slices_only: bool = False,
        intensity: str = "auto",
        spacing_known: bool | None = None,
        window: tuple[float, float] = WINDOW,
        orientation: str | None = None,
        grid_tolerance: float | None = None,
        crop: str = "none",
        every: int = 1,
    ) -> None:
        if crop not in ("none", "lungs"):
            raise InputError(f"crop is {crop!r}; give 'none' or 'lungs'")
        if every < 1:
            raise InputError(f"every is {every}; give 1 for all slices, 2 for every second one")
        self._crop, self._every = crop, every
        self.name, self.licence, self.label_map = name, licence, dict(label_map)
        self._pairs = pairs
        self._patients: Mapping[str, str | None] = patients or {}
        self._lesion_slices_only = lesion_slices_only
        self._intensity, self._spacing_known, self._window = intensity, spacing_known, window
        if patients is not None and (wrong := {*patients} ^ {pair.name for pair in pairs}):
            raise InputError(
                f"the patients' list and the volumes differ in {', '.join(sorted(wrong))}: name each volume once, "
                "without .nii or .nii.gz"
            )
        self._grid: dict[str, Any] = {"orientation": orientation, "grid_tolerance": grid_tolerance}
        # headers are cheap: a file that is no NIfTI is found before an hour's work
        self._depths = [self._check_headers(pair) for pair in pairs]

    @property
    def inputs(self) -> list[Path]:
        """Images and masks."""
        return [path for pair in self._pairs for path in (pair.image, pair.mask)]

    @property
    def count(self) -> int | None:
        """Number of slices; None where some may be left out, which takes reading them all."""
        if self._lesion_slices_only or self._crop != "none":
            return None
        return sum(-(-depth // self._every) for depth in self._depths)

    def __iter__(self) -> Iterator[SourceSlice]:
        """Read one volume after the other."""
        for pair in self._pairs:
            yield from self._slices_of(pair)

    def _slices_of(self, pair: Pair) -> Iterator[SourceSlice]:
        image, affine = read_lps(pair.image, **self._grid)
        mask, _ = to_lps(*read_nifti_mask(pair.mask, **self._grid))
        values, kind = to_hu(image, self._intensity, str(pair.image), self._window)
        labels = map_labels(mask, self.label_map, str(pair.mask))
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        known = self._spacing_known if self._spacing_known is not None else not np.allclose(spacing, 1.0)
        depth = labels.shape[2]
        across, along, slices = self._box(values, labels, affine, pair)
        canvas = None
        if self._crop != "none" and depth > 1:
            canvas = Canvas((labels.shape[0], labels.shape[1]), (across.start, along.start))
        values, labels = values[across, along], labels[across, along]
        affine[:3, 3] += affine[:3, :2] @ [across.start, along.start]
        first = -(-slices.start // self._every) * self._every
        for index in range(first, slices.stop, self._every):
            pixels = count_labels(labels[:, :, index])
            if self._lesion_slices_only and not pixels:
                continue
            yield SourceSlice(
                case=pair.name if depth == 1 else f"{pair.name}_s{index:03d}",
                image=values[:, :, index : index + 1],
                label=labels[:, :, index : index + 1],
                affine=_slice_affine(affine, index),
                pixels=pixels,
                patient=self._patients.get(pair.name, pair.name),
                volume=pair.name,
                slice=index,
                part=None,
                intensity=kind,
                spacing_known=bool(known),
                canvas=canvas,
            )

    def _box(
        self, hu: npt.NDArray, labels: npt.NDArray, affine: npt.NDArray[np.float64], pair: Pair
    ) -> tuple[slice, ...]:
        if self._crop == "none":
            return tuple(slice(0, size) for size in labels.shape)
        box = box_to_crop(hu, affine, str(pair.image))
        left_out = int((labels > 0).sum() - (labels[box] > 0).sum())
        if left_out:
            warnings.warn(
                f"{pair.mask}: {left_out} labelled voxels lie outside the box around the lungs and are left out",
                InputWarning,
                stacklevel=2,
            )
        return box

    def _check_headers(self, pair: Pair) -> int:
        """Number of axial slices of a pair whose grids agree."""
        image, mask = (open_nifti(path, **self._grid) for path in (pair.image, pair.mask))
        if grid_shape(image) != grid_shape(mask):
            raise InputError(f"{pair.mask} has shape {mask.shape}, its image has {image.shape}: they have to be equal")
        apart = corner_distance(image.affine, mask.affine, image.shape)
        tolerance = self._grid["grid_tolerance"]
        if apart > (GRID_TOLERANCE if tolerance is None else tolerance):
            raise InputError(
                f"{pair.mask} lies up to {apart:.3g} mm from its image ({differences(mask.affine, image.affine)}): "
                f"resample the mask, or take the two grids for one with `grid_tolerance` {rounded_up(apart)}"
            )
        vertical = next(axis for axis, letter in enumerate(orientation_name(image.affine)) if letter in "SI")
        return grid_shape(image)[vertical]


def read_lps(
    path: Path, *, orientation: str | None = None, grid_tolerance: float | None = None
) -> tuple[npt.NDArray, npt.NDArray[np.float64]]:
    """Read a NIfTI file as an array (X, Y, Z) in LPS order, with its affine (NIfTI's own, RAS mm).

    Raises:
        InputError: the file cannot be used; see :func:`covid_monai.transforms.nifti.read_nifti`.
    """
    volume = read_nifti(path, orientation=orientation, grid_tolerance=grid_tolerance)
    return to_lps(np.asanyarray(volume.dataobj), volume.affine)


def _slice_affine(affine: npt.NDArray[np.float64], index: int) -> npt.NDArray[np.float64]:
    moved = affine.copy()
    moved[:3, 3] += index * affine[:3, 2]
    return moved
