"""A CT as 8-bit pictures in which the window can still be chosen: WebP, slice by slice, HU on a bent scale."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HU_KNOTS = (-1024, -200, 260, 1300)
LEVEL_KNOTS = (0, 118, 234, 255)
"""The grey level of each of these HU, straight lines between: 7 HU a level in lung, 4 in soft tissue, 50 in bone.

The lung window (width 1500) has 6 HU a level of a screen; soft tissue needs finer steps. Together they fill 8 bits.
"""

QUALITY = 85
"""Of WebP: half the bytes of JPEG at 90, with errors below the noise of a scanner (docs/study-page.md has them)."""

MOST_BYTES = 10_200_000
"""Of all slices: 13.6 MB as text in the page, which has room for the mask below 15 MB."""

MOST_VOXELS = 80_000_000
"""A byte each in the browser's memory, and as many again for the mask; 300 slices of 512 x 512 are fewer."""

LONGEST_SIDES = (512, 448, 384, 320, 256, 192, 128)
"""Of the pictures, in pixels; the largest that keeps to the bounds is taken, or the CT's own where that is less."""

_SAMPLED = 9


@dataclass(frozen=True)
class ShownVolume:
    """The pictures of a CT.

    Attributes:
        slices: WebP files, grey, from the feet to the head.
        size: pixels along x and y, and the number of slices.
        pixel_mm: along x and y; in pixels of the CT where its spacing is not known.
        reduced: pixels of the CT along a side of one that is shown; 1 where they are the same.
    """

    slices: tuple[bytes, ...]
    size: tuple[int, int, int]
    pixel_mm: tuple[float, float]
    reduced: float


def to_levels(hu: NDArray[Any]) -> NDArray[np.uint8]:
    """HU as 8-bit grey levels."""
    return np.rint(np.interp(hu, HU_KNOTS, LEVEL_KNOTS)).astype(np.uint8)


def shown_volume(hu: NDArray[Any], spacing: tuple[float, float, float]) -> ShownVolume:
    """The pictures of a CT (X, Y, Z) in LPS order, averaged over larger pixels where it would be too large.

    Args:
        hu: in HU.
        spacing: along x, y and z in mm.
    """
    columns, rows, count = hu.shape
    longest = max(columns, rows)
    sizes = [_size(columns, rows, side) for side in (min(longest, LONGEST_SIDES[0]), *LONGEST_SIDES) if side <= longest]
    sampled = np.unique(np.linspace(0, count - 1, _SAMPLED).astype(int))
    for size in sizes:
        fits = size[0] * size[1] * count <= MOST_VOXELS
        expected = np.mean([len(_encoded(hu[:, :, k], size)) for k in sampled]) * count if fits else np.inf
        if expected > MOST_BYTES and size != sizes[-1]:
            continue
        slices = tuple(_encoded(hu[:, :, k], size) for k in range(count))
        if sum(map(len, slices)) <= MOST_BYTES or size == sizes[-1]:
            break
    pixel = (spacing[0] * columns / size[0], spacing[1] * rows / size[1])
    return ShownVolume(slices, (*size, count), pixel, columns / size[0])


def _size(columns: int, rows: int, longest: int) -> tuple[int, int]:
    scale = longest / max(columns, rows)
    return max(1, round(columns * scale)), max(1, round(rows * scale))


def _encoded(image: NDArray[Any], size: tuple[int, int]) -> bytes:
    hu = Image.fromarray(np.ascontiguousarray(image.T, dtype=np.float32))
    # levels are averaged as HU, before they are bent
    reduced = hu if hu.size == size else hu.resize(size, Image.Resampling.BOX)
    with BytesIO() as buffer:
        Image.fromarray(to_levels(np.asarray(reduced))).save(buffer, format="WEBP", quality=QUALITY, method=3)
        return buffer.getvalue()
