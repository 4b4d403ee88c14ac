"""The slice with most lesion as a small picture, for an index and for readers without scripts."""

from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from covid_monai.palette import FINDING_COLOURS, LUNG_WINDOW
from covid_monai.study_page.labels import FINDINGS

_WIDTH = 320
_OPACITY = 0.45


def thumbnail_of(hu: NDArray[Any], codes: NDArray[np.uint8], pixel_mm: tuple[float, float]) -> bytes:
    """A slice (X, Y) of CT in the lung window with its labels, as WebP with pixels of true proportions.

    Args:
        hu: the slice in LPS order.
        codes: its labels; see :class:`covid_monai.study_page.labels.Painted`.
        pixel_mm: along x and y.
    """
    low, high = LUNG_WINDOW
    grey = np.clip((hu.T.astype(np.float32) - low) / (high - low), 0, 1)
    colours = np.zeros((len(FINDINGS) + 1, 3), np.float32)
    colours[1:] = [to_rgb(FINDING_COLOURS[name]) for name in FINDINGS]
    finding = (codes.T & 7).astype(np.intp)
    share = np.where(finding > 0, _OPACITY, 0.0)[..., None]
    pixels = (255 * ((1 - share) * grey[..., None] + share * colours[finding])).astype(np.uint8)
    height = max(1, round(_WIDTH * hu.shape[1] * pixel_mm[1] / (hu.shape[0] * pixel_mm[0])))
    with BytesIO() as buffer:
        Image.fromarray(pixels).resize((_WIDTH, height), Image.Resampling.BOX).save(
            buffer, format="WEBP", quality=80, method=4
        )
        return buffer.getvalue()
