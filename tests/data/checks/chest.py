"""A chest of ellipses: two lungs that taper to the head, a heart between them, a spine behind."""

import numpy as np

SIZE = 96


def draw_chest(height: float = 0.5, seed: int = 0) -> np.ndarray:
    """One slice (SIZE, SIZE) of int16 HU in LPS order; ``height`` goes from 0, low in the chest, to 1, at the apex."""
    x, y = np.mgrid[:SIZE, :SIZE].astype(float)

    def ellipse(middle_x: float, middle_y: float, radius_x: float, radius_y: float) -> np.ndarray:
        return ((x - middle_x) / radius_x) ** 2 + ((y - middle_y) / radius_y) ** 2 < 1

    image = np.full((SIZE, SIZE), -1000.0)
    image[ellipse(48, 48, 45, 34)] = 40
    taper = 1 - 0.4 * height
    for side in (-1, 1):
        image[ellipse(48 + side * 22 * taper, 48, 17 * taper, 26 * taper)] = -850
    image[ellipse(52, 40, 14 * (1 - 0.5 * height), 12)] = 45
    image[ellipse(48, 72, 7, 6)] = 400
    image += np.random.default_rng(seed).normal(0, 15, image.shape)
    return image.astype(np.int16)
