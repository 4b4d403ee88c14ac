"""The sampling grid of a scan, and smooth random fields that do not depend on it.

Everything is placed in millimetres: x grows to the patient's left, y to the back, z to the head; x = y = 0 is
the middle of the trunk and z = 0 the lowest tip of the lungs. A seed therefore draws the same patient at
every matrix size.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates

Array = NDArray[np.floating[Any]]
Measure = float | np.floating[Any] | Array
"""One number, or one for every voxel (broadcast)."""

REACH = 215.0
"""Half-width in mm of the box in x and y that the random fields cover."""


@dataclass(frozen=True)
class Grid:
    """Voxel centres in mm, as three arrays that broadcast to (x, y, z)."""

    x: Array
    y: Array
    z: Array
    spacing: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along x, y and z."""
        return self.x.size, self.y.size, self.z.size


def sampling_grid(field_of_view: float, size: int, bottom: float, top: float, slices: int) -> Grid:
    """The grid of ``size`` x ``size`` pixels, and ``slices`` in equal steps from bottom to top; all in mm."""
    pixel = field_of_view / size
    step = (top - bottom) / slices
    across = ((np.arange(size) - (size - 1) / 2) * pixel).astype(np.float32)
    along = (bottom + (np.arange(slices) + 0.5) * step).astype(np.float32)
    return Grid(across[:, None, None], across[None, :, None], along[None, None, :], (pixel, pixel, step))


@dataclass(frozen=True)
class RandomField:
    """Smooth noise of mean 0 and standard deviation near 1: a cubic B-spline with random coefficients."""

    coefficients: Array
    lattice: float
    floor: float

    def on(self, grid: Grid) -> Array:
        """The field at every voxel of ``grid``."""
        values = self.coefficients
        # the finest axis comes last, so that the larger part of the work is done on small arrays
        for axis, (positions, start) in reversed(
            list(enumerate([(grid.x, -REACH), (grid.y, -REACH), (grid.z, self.floor)]))
        ):
            values = _along(values, axis, self._index(positions.ravel(), start))
        return values

    def at(self, x: Array, y: Array, z: Array) -> Array:
        """The field at scattered points, given as three arrays of one shape."""
        index = [self._index(x, -REACH), self._index(y, -REACH), self._index(z, self.floor)]
        return np.asarray(map_coordinates(self.coefficients, index, order=3, prefilter=False, mode="nearest"))

    def _index(self, positions: Array, start: float) -> NDArray[np.float64]:
        return (positions.astype(np.float64) - start) / self.lattice + 2


def random_field(rng: np.random.Generator, lattice: float, floor: float, top: float) -> RandomField:
    """Draw a field whose details are about ``lattice`` mm wide, covering z from ``floor`` to ``top`` mm."""
    across = int(np.ceil(2 * REACH / lattice)) + 6
    along = int(np.ceil((top - floor) / lattice)) + 6
    # a cubic B-spline averages its coefficients: 3 restores unit standard deviation
    coefficients = 3 * rng.standard_normal((across, across, along), dtype=np.float32)
    return RandomField(coefficients, lattice, floor)


def _along(values: Array, axis: int, index: NDArray[np.float64]) -> Array:
    count = values.shape[axis]
    basis = BSpline.design_matrix(index, np.arange(count + 4) - 2.0, 3).astype(np.float32)
    moved = np.moveaxis(values, axis, 0)
    spread = basis @ np.ascontiguousarray(moved).reshape(count, -1)
    return np.moveaxis(spread.reshape(-1, *moved.shape[1:]), 0, axis)
