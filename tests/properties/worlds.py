"""Small volumes in LPS order that cannot be turned or mirrored without being seen."""

import numpy as np

WIDTH, HEIGHT, DEPTH = 40, 32, 3


def chest(depth: int = DEPTH) -> np.ndarray:
    """HU (X, Y, Z) of two lungs with a lesion in one; all are multiples of 8, so that 8 bits can hold them."""
    x, y, z = np.mgrid[:WIDTH, :HEIGHT, :depth].astype(np.float64)
    noise = np.random.default_rng(7).normal(0, 16, x.shape)
    volume = np.full(x.shape, -1000.0)
    volume[(x - 19.5) ** 2 / 19**2 + (y - 15.5) ** 2 / 15**2 < 1] = 40
    for centre in (11, 28):
        volume[(x - centre) ** 2 / 7**2 + (y - 15) ** 2 / 11**2 < 1] = -850
    volume[(x - 10 - z) ** 2 + (y - 18) ** 2 < 14 - 4 * z] = -400
    return np.clip(8 * np.rint((volume + noise) / 8), -1024, 1016)


def labels(depth: int = DEPTH) -> np.ndarray:
    """Labels (X, Y, Z): 1 is a box, 2 a single voxel, and both are far from the edges of x and y."""
    volume = np.zeros((9, 7, depth))
    volume[2:5, 3:5, : max(depth - 1, 1)] = 1
    volume[6, 2, 0] = 2
    return volume
