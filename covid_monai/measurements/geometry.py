"""What each voxel holds and how high in the patient it lies, slice by slice, whatever the slices' distances."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covid_monai.errors import InputError

Array = NDArray[np.float64]

# RAS: the third coordinate runs to the head
_SUPERIOR = 2


class SliceGeometry:
    """The grid of a CT whose slices may lie unevenly and be sheared against each other.

    The affine says where voxels lie as if the slices were evenly spaced; ``extents`` says what each slice stands for,
    and slabs of these extents lie on each other without a gap. Where the two differ the slabs count.

    Args:
        shape: (i, j, k); k counts slices.
        affine: 4x4, from (i, j, k) to RAS in mm; sheared where the gantry was tilted.
        extents: (k,), mm along the slices' normal; None for slices that are evenly spaced.

    Attributes:
        voxel_ml: (k,), the volume of a voxel of each slice in mL.

    Raises:
        InputError: shapes do not fit, or the affine spans no volume.
    """

    def __init__(self, shape: tuple[int, ...], affine: ArrayLike, extents: ArrayLike | None = None) -> None:
        self.shape = shape
        self.affine: Array = np.asarray(affine, dtype=np.float64)
        if len(shape) != 3 or self.affine.shape != (4, 4):
            raise InputError(
                f"the CT has the shape {shape} and its affine {self.affine.shape}; give (i, j, k) and (4, 4)"
            )
        pixel = float(np.linalg.norm(np.cross(self.affine[:3, 0], self.affine[:3, 1])))
        volume = abs(float(np.linalg.det(self.affine[:3, :3])))
        if not np.isfinite(volume) or volume <= 0:
            raise InputError("the affine spans no volume; its columns are the voxels' edges in mm")
        step = volume / pixel
        given = np.full(shape[2], step) if extents is None else np.asarray(extents, dtype=np.float64)
        if given.shape != (shape[2],) or not np.all(given > 0):
            raise InputError(
                f"extents have the shape {given.shape} and are at least {given.min(initial=0):g} mm; give a length "
                f"over 0 for each of {shape[2]} slices"
            )
        self.extents: Array = given
        self.voxel_ml: Array = pixel * given / 1000
        self._stretch: Array = given / step
        centres = np.cumsum(self._stretch) - self._stretch / 2
        self._places: Array = centres - self._stretch[0] / 2

    def within(self, plane: tuple[slice, slice]) -> "SliceGeometry":
        """The geometry of a part of all slices, whose first voxel lies where it lies in the whole."""
        affine = self.affine.copy()
        affine[:3, 3] += self.affine[:3, :2] @ [extent.start for extent in plane]
        shape = (*(extent.stop - extent.start for extent in plane), self.shape[2])
        return SliceGeometry(shape, affine, self.extents)

    def height_of(self, point: ArrayLike) -> float:
        """How high a point (RAS, mm, by the affine) lies, in mm, on the scale of :meth:`heights`."""
        i, j, k, _ = np.linalg.solve(self.affine, [*np.asarray(point, dtype=np.float64), 1])
        place = np.interp(k, np.arange(self.shape[2]), self._places)
        # beyond the first and the last slice the affine's own spacing goes on
        place += min(k, 0.0) + max(k - (self.shape[2] - 1), 0.0)
        return float(self.affine[_SUPERIOR] @ [i, j, place, 1])

    def heights(self, k: int) -> Array:
        """How high the centres of the voxels of slice ``k`` lie: (i, j), mm, growing towards the head."""
        row = self.affine[_SUPERIOR]
        if self._level_slices:
            return np.broadcast_to(row[2] * self._places[k] + row[3], self.shape[:2])
        across = row[0] * np.arange(self.shape[0])[:, None] + row[1] * np.arange(self.shape[1])
        return np.asarray(across + row[2] * self._places[k] + row[3])

    def thickness(self, k: int) -> float:
        """How far a voxel of slice ``k`` reaches craniocaudally, in mm."""
        row = np.abs(self.affine[_SUPERIOR, :3])
        return float(max(row[0], row[1], row[2] * self._stretch[k]))

    @cached_property
    def _level_slices(self) -> bool:
        """Whether all voxels of a slice lie equally high."""
        row = np.abs(self.affine[_SUPERIOR, :2])
        return bool(np.all(row * self.shape[:2] < 1e-6))

    def range_of(self, inside: NDArray[np.bool_]) -> tuple[float, float] | None:
        """The lowest and the highest point of a set of voxels (i, j, k) in mm; None where it is empty."""
        lowest, highest = np.inf, -np.inf
        for k in slices_with(inside):
            heights = self.heights(k)[inside[:, :, k]]
            low, high = heights.min(), heights.max()
            half = max(0.0, self.thickness(k) - self._lean(inside[:, :, k])) / 2
            lowest, highest = min(lowest, low - half), max(highest, high + half)
        return (float(lowest), float(highest)) if np.isfinite(lowest) else None

    def _lean(self, inside: NDArray[np.bool_]) -> float:
        """By how much a layer of voxels of one slice rises: it shows an end more finely than a voxel is high."""
        row = self.affine[_SUPERIOR, :3]
        rises = [float(np.ptp(row[axis] * places)) for axis, places in enumerate(np.nonzero(inside))]
        # along the axis that runs craniocaudally voxels lie on each other
        along = int(np.argmax(np.abs(row)))
        return sum(rise for axis, rise in enumerate(rises) if axis != along)

    def shares_between(self, k: int, inside: NDArray[np.bool_], low: Array, high: Array) -> Array:
        """How much of each voxel of slice ``k`` lies between two heights.

        Args:
            k: the slice.
            inside: (i, j), which of its voxels.
            low: mm, for each of these voxels, or one for all.
            high: mm, as ``low``.

        Returns:
            from 0 to 1, for each of the voxels: one that a plane passes through is divided by it.
        """
        half = self.thickness(k) / 2
        # one height for all spares most of the time of a whole study
        heights = self.heights(k)[:1, :1].ravel() if self._level_slices else self.heights(k)[inside]
        overlap = np.minimum(heights + half, high) - np.maximum(heights - half, low)
        return np.asarray(np.clip(overlap / (2 * half), 0, 1))


def slices_with(inside: NDArray[np.generic]) -> Iterator[int]:
    """The slices (k) that hold any of a set of voxels (i, j, k), in order."""
    yield from map(int, np.flatnonzero(inside.any(axis=(0, 1))))
