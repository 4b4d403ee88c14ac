"""A drawn chest, coarse enough for seconds: skin, ribs, spine, two lungs, heart, trachea, main bronchi, stomach gas."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

AIR, LUNG, TISSUE, BONE, LESION = -1000, -850, 40, 600, 20
SPACING = 3.0
SHAPE = (120, 92, 84)
"""Voxels along R, A, S: 360 x 276 x 252 mm."""
CARINA = np.array([0.0, -8.0, 42.0])
"""RAS mm from the middle of the field."""


@dataclass
class Chest:
    """A drawn CT.

    Attributes:
        hu: (i, j, k), axes R, A, S.
        affine: of the middle of the field to RAS 0.
        truth: uint8, 1 right, 2 left, as drawn: lesions in, airways out.
        airways: bool.
        places: (3,) + shape, RAS mm of each voxel.
        noise: generator.
    """

    hu: npt.NDArray[np.float32]
    affine: npt.NDArray[np.float64]
    truth: npt.NDArray[np.uint8]
    airways: npt.NDArray[np.bool_]
    places: npt.NDArray[np.float64]

    def lesion(self, centre: tuple[float, float, float], radius: float, value: float = LESION) -> npt.NDArray[np.bool_]:
        """Draw a dense ball, only inside the lungs, and return it."""
        x, y, z = self.places
        ball = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 <= radius**2
        region = ball & (self.truth > 0)
        self.hu[region] = value
        return region


def draw_chest(*, noise: float = 15.0, gas: bool = True, without: str = "") -> Chest:
    """A chest with a rib cage; ``without`` is a side whose lung is tissue."""
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = -SPACING * (np.array(SHAPE) - 1) / 2
    grid = np.indices(SHAPE).reshape(3, -1)
    places = (affine[:3, :3] @ grid + affine[:3, 3:]).reshape(3, *SHAPE)
    x, y, z = places
    hu = np.full(SHAPE, AIR, np.float32)
    body = (x / 160) ** 2 + (y / 115) ** 2 <= 1
    hu[body] = TISSUE
    wall = (x / 140) ** 2 + (y / 96) ** 2
    ribs = body & (wall >= 1) & (wall <= 1.12) & (np.mod(z + 0.2 * y, 24) < 12)
    hu[ribs] = BONE
    hu[(x / 22) ** 2 + ((y + 92) / 16) ** 2 <= 1] = BONE
    truth = np.zeros(SHAPE, np.uint8)
    dome = 40 * np.exp(-((np.hypot(np.abs(x) - 65, y)) ** 2) / 60**2) - 95
    for label, side in ((1, 1), (2, -1)):
        if without == {1: "right", 2: "left"}[label]:
            continue
        lateral = side * x
        lung = (wall < 0.97) & (lateral > 16) & (z > dome) & (((lateral - 65) / 75) ** 2 + (z / 112) ** 2 < 1.05)
        heart = (((x + 15) / 60) ** 2 + ((y - 30) / 45) ** 2 + ((z + 35) / 55) ** 2) <= 1
        truth[lung & ~heart] = label
    hu[truth > 0] = LUNG
    airways = _airways(x, y, z)
    hu[_airways(x, y, z, wall=5.0) & (truth == 0)] = TISSUE
    hu[airways] = AIR
    truth[airways] = 0
    if gas:
        stomach = ((x + 60) / 28) ** 2 + ((y - 35) / 25) ** 2 + ((z + 108) / 13) ** 2 <= 1
        hu[stomach & (truth == 0)] = AIR
    hu += np.random.default_rng(0).normal(0, noise, SHAPE).astype(np.float32)
    return Chest(hu, affine, truth, airways, places)


def _airways(x: npt.NDArray, y: npt.NDArray, z: npt.NDArray, wall: float = 0.0) -> npt.NDArray[np.bool_]:
    trachea = (np.hypot(x, y + 8) <= 9 + wall) & (z >= CARINA[2])
    down = CARINA[2] + 6 - z
    bronchi = (np.hypot(np.abs(x) - 1.1 * down, y + 8) <= 7 + wall) & (down >= 0) & (down <= 26)
    return trachea | bronchi


def dice(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """The overlap of two masks."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))
