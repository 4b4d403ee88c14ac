"""The grid that lungs are sought on: axes along the patient's, blocks of voxels averaged to about 2 mm.

What is given on the CT's own grid lies in memory slice by slice, as CTs do when they are read: arrays of two orders
together are several times as slow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
from nibabel.orientations import apply_orientation, io_orientation

from covid_monai.errors import InputError

LOWEST_HU, HIGHEST_HU = -1024, 3071
"""What scanners store in 12 bits; padding lies below."""

_SMOOTHED_AT_ONCE = 32
# slices, so that a large volume is not held several times


@dataclass(frozen=True)
class WorkingGrid:
    """A coarser grid with axes R, A, S over that of a CT.

    Attributes:
        shape: of the CT, (i, j, k).
        affine: of the CT, indices to RAS+ mm.
        orientation: nibabel's, from the CT's axes to R, A, S.
        block: voxels of the CT that are averaged along R, A, S.
        spacing: (3,) mm between voxels of this grid along R, A, S.
    """

    shape: tuple[int, ...]
    affine: npt.NDArray[np.float64]
    orientation: npt.NDArray[np.float64]
    block: tuple[int, ...]
    spacing: npt.NDArray[np.float64]

    @classmethod
    def over(cls, shape: tuple[int, ...], affine: npt.ArrayLike, spacing_mm: float) -> "WorkingGrid":
        """The grid whose voxels come nearest to ``spacing_mm``; no voxel of the CT is split.

        Raises:
            InputError: the CT has not three axes, or the affine does not map them.
        """
        matrix = np.asarray(affine, float)
        if len(shape) != 3 or 0 in shape:
            raise InputError(f"the CT has the shape {tuple(shape)}; give a volume (i, j, k)")
        if matrix.shape != (4, 4) or not np.all(np.isfinite(matrix)) or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
            raise InputError("affine must be a finite, invertible 4 x 4 matrix from indices to RAS+ mm")
        orientation = io_orientation(matrix)
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        order = np.argsort(orientation[:, 0])
        sizes, lengths = np.asarray(shape)[order], lengths[order]
        # np.round goes to even numbers at a half; a voxel of 0.8 mm is doubled either way
        wanted = np.maximum(1, np.round(spacing_mm / lengths)).astype(int)
        block = np.minimum(wanted, sizes)
        return cls(tuple(shape), matrix, orientation, tuple(int(each) for each in block), lengths * block)

    @property
    def voxel_ml(self) -> float:
        """The volume of a voxel of this grid; shear leaves it as it is."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) * prod(self.block) / 1000)

    def shrink(self, values: npt.NDArray) -> npt.NDArray[np.float32]:
        """The means of the blocks of a CT (i, j, k) in HU, between ``LOWEST_HU`` and ``HIGHEST_HU``."""
        import SimpleITK

        turned = self.turned(values)
        parts = []
        step = self.block[2] * max(1, _SMOOTHED_AT_ONCE // self.block[2])
        whole = turned.shape[2] // self.block[2] * self.block[2]
        for start in range(0, whole, step):
            part = np.clip(turned[:, :, start : min(start + step, whole)], LOWEST_HU, HIGHEST_HU)
            image = SimpleITK.GetImageFromArray(np.ascontiguousarray(part.transpose(2, 1, 0), dtype=np.float32))
            parts.append(SimpleITK.GetArrayFromImage(SimpleITK.BinShrink(image, self.block)))
        return np.ascontiguousarray(np.concatenate(parts).transpose(2, 1, 0))

    def shrink_mask(self, mask: npt.NDArray) -> npt.NDArray[np.bool_]:
        """The blocks of which most voxels of a mask (i, j, k) are set."""
        return self.shrink(mask.astype(np.uint8)) >= 0.5

    def turned(self, values: npt.NDArray) -> npt.NDArray:
        """A view of an array on the CT's grid with its axes along this grid's."""
        return apply_orientation(values, self.orientation)

    def restore(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """A mask of this grid on the CT's: where, linearly between the centres of blocks, it is a half at least."""
        native = np.zeros(self.shape, bool, order="F")
        for part in self.parts_around(mask):
            self.turned(native)[part.voxels] = part.finer(mask) >= 0.5
        return native

    def parts_around(self, mask: npt.NDArray[np.bool_]) -> Iterator["FinerPart"]:
        """The box around a mask of this grid in parts of some slices each; beyond it the mask is 0 on the CT's grid."""
        from scipy.ndimage import find_objects

        found = find_objects(mask.astype(np.uint8))
        box = [
            slice(max(0, at.start - 1), min(length, at.stop + 1))
            for at, length in zip(found[0] if found else (), mask.shape, strict=False)
        ]
        at_once = max(1, _SMOOTHED_AT_ONCE // self.block[2])
        sizes = tuple(int(size) for size in self._sizes())
        for start in range(box[2].start, box[2].stop, at_once) if box else ():
            blocks = (*box[:2], slice(start, min(start + at_once, box[2].stop)))
            yield FinerPart(blocks, self.block, sizes, mask.shape)

    def spread(self, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The nearest label of this grid at each voxel of the CT; 0 nowhere, unless there is no label."""
        from scipy.ndimage import distance_transform_edt

        nearest = distance_transform_edt(
            labels == 0, sampling=self.spacing, return_distances=False, return_indices=True
        )
        everywhere = labels[tuple(nearest)]
        at = [
            np.minimum(np.arange(size) // step, blocks - 1)
            for size, step, blocks in zip(self._sizes(), self.block, labels.shape, strict=True)
        ]
        turned = everywhere[np.ix_(*at)]
        return np.asfortranarray(apply_orientation(turned, _inverse_of(self.orientation)))

    def to_ras(self, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The point (3,) in RAS mm of an index (3,) of this grid; sheared affines stay sheared."""
        turned = np.asarray(index, float) * self.block + (np.asarray(self.block) - 1) / 2
        native = np.empty(3)
        for axis, (target, flip) in enumerate(self.orientation):
            along = turned[int(target)]
            native[axis] = along if flip > 0 else self.shape[axis] - 1 - along
        point: npt.NDArray[np.float64] = self.affine[:3, :3] @ native + self.affine[:3, 3]
        return point

    def _sizes(self) -> npt.NDArray[np.int_]:
        return np.asarray(self.shape)[np.argsort(self.orientation[:, 0])]


@dataclass(frozen=True)
class FinerPart:
    """A part of a coarse grid, to be sampled as finely as the CT.

    Attributes:
        blocks: where it lies on the coarse grid.
        block: voxels of the CT in a block of the grid, by axis.
        sizes: of the CT, its axes along the grid's.
        shape: of the coarse grid.
    """

    blocks: tuple[slice, ...]
    block: tuple[int, ...]
    sizes: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def voxels(self) -> tuple[slice, ...]:
        """Where it lies in the CT; the last block has the voxels that are left over."""
        return self._voxels_of(self.blocks)

    def finer(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        """A mask of the whole coarse grid at the part's ``voxels``, from 0 to 1, linearly between centres of blocks."""
        import SimpleITK

        # at its ends linear interpolation needs the neighbouring blocks
        around = tuple(
            slice(max(0, at.start - 1), min(length, at.stop + 1))
            for at, length in zip(self.blocks, self.shape, strict=True)
        )
        voxels, target = self.voxels, self._voxels_of(around)
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(mask[around].transpose(2, 1, 0), dtype=np.float32))
        fine = SimpleITK.Resample(
            image,
            [at.stop - at.start for at in target],
            SimpleITK.Transform(3, SimpleITK.sitkIdentity),
            SimpleITK.sitkLinear,
            [(1 - step) / (2 * step) for step in self.block],
            [1 / step for step in self.block],
            [1.0, 0, 0, 0, 1, 0, 0, 0, 1],
            0.0,
            SimpleITK.sitkFloat32,
            True,
        )
        inner = tuple(slice(at.start - of.start, at.stop - of.start) for at, of in zip(voxels, target, strict=True))
        return SimpleITK.GetArrayFromImage(fine).transpose(2, 1, 0)[inner]

    def _voxels_of(self, blocks: tuple[slice, ...]) -> tuple[slice, ...]:
        return tuple(
            slice(at.start * step, length if at.stop == count else at.stop * step)
            for at, step, length, count in zip(blocks, self.block, self.sizes, self.shape, strict=True)
        )


def _inverse_of(orientation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    inverse = np.empty_like(orientation)
    for axis, (target, flip) in enumerate(orientation):
        inverse[int(target)] = (axis, flip)
    return inverse
