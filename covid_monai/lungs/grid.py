"""The grid that lungs are sought on: axes along the patient's, blocks of voxels averaged to about 2 mm."""

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

        turned = apply_orientation(values, self.orientation)
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

    def restore(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """A mask of this grid on the CT's, its surface between the centres of blocks."""
        from scipy.ndimage import find_objects

        native = np.zeros(self._sizes(), bool)
        found = find_objects(mask.astype(np.uint8))
        if found:
            box = tuple(
                slice(max(0, at.start - 1), min(length, at.stop + 1))
                for at, length in zip(found[0], mask.shape, strict=True)
            )
            target = tuple(
                slice(at.start * step, length if at.stop == blocks else min(length, at.stop * step))
                for at, step, length, blocks in zip(box, self.block, native.shape, mask.shape, strict=True)
            )
            native[target] = self._finer(mask[box], tuple(at.stop - at.start for at in target))
        back = apply_orientation(native, _inverse_of(self.orientation))
        return np.ascontiguousarray(back)

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
        return np.ascontiguousarray(apply_orientation(turned, _inverse_of(self.orientation)))

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

    def _finer(self, mask: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """A mask at the CT's sampling, linearly between the centres of blocks."""
        import SimpleITK

        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(mask.transpose(2, 1, 0), dtype=np.float32))
        fine = SimpleITK.Resample(
            image,
            shape,
            SimpleITK.Transform(3, SimpleITK.sitkIdentity),
            SimpleITK.sitkLinear,
            [(1 - step) / (2 * step) for step in self.block],
            [1 / step for step in self.block],
            [1.0, 0, 0, 0, 1, 0, 0, 0, 1],
            0.0,
            SimpleITK.sitkFloat32,
            True,
        )
        return SimpleITK.GetArrayViewFromImage(fine).transpose(2, 1, 0) >= 0.5


def _inverse_of(orientation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    inverse = np.empty_like(orientation)
    for axis, (target, flip) in enumerate(orientation):
        inverse[int(target)] = (axis, flip)
    return inverse
