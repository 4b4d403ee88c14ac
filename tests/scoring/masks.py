"""Small masks that tests of the scoring share."""

from typing import Any

import numpy as np
from scipy import ndimage


def blobs(shape: tuple[int, ...], seed: int, share: float = 0.3) -> np.ndarray[Any, Any]:
    """Smooth random regions, bool, about ``share`` of the pixels."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return field > np.quantile(field, 1 - share)


def label_map(shape: tuple[int, ...], seed: int, classes: int) -> np.ndarray[Any, Any]:
    """Independent random labels 0..classes - 1, uint8."""
    return np.random.default_rng(seed).integers(0, classes, size=shape).astype(np.uint8)
