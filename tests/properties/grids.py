"""Grids in the world, drawn from their parts, so that every part of the right answer is known without a reader."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

# the sign of each world axis (right, anterior, superior) in an LPS grid
LPS = np.array([-1, -1, 1])
ORIENTATIONS = [(axes, signs) for axes in permutations(range(3)) for signs in product((1, -1), repeat=3)]
"""All 48: the world axis that each axis of the file runs along, and in which direction."""


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a file lie.

    Attributes:
        axes: the world axis (0 right, 1 anterior, 2 superior) that each axis of the file runs along, about.
        signs: 1 where it runs right, anterior or superior, else -1.
        spacing: in mm, along the file's axes.
        turn: by how many degrees the grid is turned about ``turn_axis`` in the world, less than 40.
        turn_axis: unit vector.
        shear: by how many degrees the file's third axis leans towards its second.
        origin: of voxel (0, 0, 0), in mm.
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    signs: tuple[int, int, int] = (-1, -1, 1)
    spacing: tuple[float, float, float] = (0.75, 0.75, 5.0)
    turn: float = 0.0
    turn_axis: tuple[float, float, float] = (1.0, 0.0, 0.0)
    shear: float = 0.0
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def directions(self) -> np.ndarray:
        """Unit vectors of the file's axes as columns, RAS."""
        unturned = np.zeros((3, 3))
        for axis, (world, sign) in enumerate(zip(self.axes, self.signs, strict=True)):
            unturned[world, axis] = sign
        angle = np.radians(self.shear)
        unturned[:, 2] = np.cos(angle) * unturned[:, 2] + np.sin(angle) * unturned[:, 1]
        return _rotation(self.turn_axis, np.radians(self.turn)) @ unturned

    @property
    def affine(self) -> np.ndarray:
        """From voxels to RAS in mm."""
        affine = np.eye(4)
        affine[:3, :3] = self.directions * self.spacing
        affine[:3, 3] = self.origin
        return affine

    def stored(self, world: np.ndarray) -> np.ndarray:
        """A volume in LPS order as a file with this grid stores it."""
        turned = np.transpose(world, self.axes)
        return np.flip(turned, [axis for axis in range(3) if self._flipped(axis)])

    def to_lps(self, stored: np.ndarray) -> np.ndarray:
        """What :meth:`stored` gives, back in LPS order."""
        flipped = np.flip(stored, [axis for axis in range(3) if self._flipped(axis)])
        return np.transpose(flipped, np.argsort(self.axes))

    def lps_affine(self, world_shape: tuple[int, ...]) -> np.ndarray:
        """The affine, to RAS in mm, of the volume in LPS order."""
        affine, lps = self.affine, np.eye(4)
        lps[:3, 3] = affine[:3, 3]
        for axis, world in enumerate(self.axes):
            column = affine[:3, axis]
            if self._flipped(axis):
                lps[:3, 3] += (world_shape[world] - 1) * column
                column = -column
            lps[:3, world] = column
        return lps

    def _flipped(self, axis: int) -> bool:
        return self.signs[axis] != LPS[self.axes[axis]]


def assumed_grid(axes: str, spacing: tuple[float, float, float], shape: tuple[int, ...]) -> Grid:
    """The grid of axes that run to ``axes``, such as LAS, with the middle of the stored shape at the origin."""
    worlds = tuple(next(k for k, pair in enumerate(("RL", "AP", "SI")) if letter in pair) for letter in axes)
    signs = tuple(1 if letter in "RAS" else -1 for letter in axes)
    origin = [0.0] * 3
    for world, sign, length, count in zip(worlds, signs, spacing, shape, strict=True):
        origin[world] = -sign * length * (count - 1) / 2
    return Grid(axes=worlds, signs=signs, spacing=spacing, origin=tuple(origin))


def quaternion(directions: np.ndarray) -> tuple[list[float], float]:
    """The vector part (b, c, d) of right-angled directions, and qfac: -1 where they are left-handed."""
    from scipy.spatial.transform import Rotation

    qfac = float(np.sign(np.linalg.det(directions)))
    b, c, d, a = Rotation.from_matrix(directions * [1, 1, qfac]).as_quat()
    sign = -1.0 if a < 0 else 1.0
    return [sign * b, sign * c, sign * d], qfac


def right_angled(directions: np.ndarray) -> np.ndarray:
    """The nearest right-angled directions (polar decomposition), as a quaternion can say them."""
    left, _, right = np.linalg.svd(directions)
    return left @ right


def corners_apart(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> float:
    """How far in mm the corners of a grid lie apart under two affines, at most."""
    corners = np.array([[*corner, 1] for corner in product(*((0, count - 1) for count in shape))])
    return float(np.linalg.norm((corners @ (first - second).T)[:, :3], axis=1).max())


def _rotation(axis: tuple[float, float, float], angle: float) -> np.ndarray:
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
