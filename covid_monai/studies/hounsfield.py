"""Stored values of a DICOM slice to HU: its own slope and intercept, and padding to a mark that is below all air."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.studies.headers import ImageHeader, number_of

AIR = -1024
"""What padding and all that is below air becomes, in HU."""

PADDED = -3024
"""What stands for padding until a volume is known to be in HU; scanners write it too."""

HIGHEST = 31000.0
"""HU that extended scales reach (30710); what is above are negative constants, read without their sign."""

_TISSUE = (-1000.0, HIGHEST)
_PADDING_CONSTANTS = 3


def slope_of(header: ImageHeader) -> float:
    """The factor from stored values to HU; 1 where there is none."""
    return header.number("RescaleSlope") or 1.0


def intercept_of(header: ImageHeader) -> float | None:
    """What is added to stored values; None where there is none."""
    return header.number("RescaleIntercept")


def is_whole(header: ImageHeader) -> bool:
    """Whether HU of a slice are whole numbers."""
    return float(slope_of(header)).is_integer() and float(intercept_of(header) or 0.0).is_integer()


def rescaled(stored: NDArray[Any], header: ImageHeader) -> NDArray[np.float32]:
    """HU of a slice (rows, columns), ``PADDED`` where there is padding."""
    padding = _padding(stored, header)
    slope, intercept = slope_of(header), intercept_of(header) or 0.0
    hu = stored.astype(np.float32)
    if (slope, intercept) != (1.0, 0.0):
        hu = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    _mark_unsigned(hu)
    if padding is not None:
        hu[padding] = PADDED
    return hu


def marked_padding(values: NDArray[Any]) -> NDArray[Any]:
    """Values of a volume, with ``PADDED`` where there are negative constants that were stored without their sign."""
    if values.dtype.kind not in "iuf" or values.max() <= HIGHEST:
        return values
    signed = values.astype(np.float32 if values.dtype.kind == "f" else np.int64)
    _mark_unsigned(signed)
    return signed


def _mark_unsigned(values: NDArray[Any]) -> None:
    beyond = values > HIGHEST
    # 63536 is -2000 without its sign; many values are no padding but another scale
    if beyond.any() and len(np.unique(values[beyond])) <= _PADDING_CONSTANTS:
        values[beyond] = PADDED


def to_air(hu: NDArray[Any]) -> None:
    """Set padding, and all else that is below air, to air; in place."""
    np.maximum(hu, AIR, out=hu)


def _padding(stored: NDArray[Any], header: ImageHeader) -> NDArray[np.bool_] | None:
    """Where the values are those that the header names as padding."""
    value = header.number("PixelPaddingValue")
    if value is None:
        return None
    limit = number_of(header.values.get("PixelPaddingRangeLimit"))
    ends = [_as_stored(end, stored.dtype) for end in (value, value if limit is None else limit)]
    padded: NDArray[np.bool_] = (stored >= min(ends)) & (stored <= max(ends))
    slope, intercept = slope_of(header), intercept_of(header) or 0.0
    hu = [end * slope + intercept for end in ends]
    if _TISSUE[0] < max(hu) and min(hu) <= _TISSUE[1]:
        # a value that tissue has too is padding only where it fills a corner, outside a round field of view
        return _from_corners(padded)
    return padded


def _as_stored(value: float, kind: np.dtype[Any]) -> float:
    """A padding value as pixels have it: headers give it signed or unsigned, whatever the pixels are."""
    limits = np.iinfo(kind)
    if value > limits.max:
        return value - (1 << limits.bits)
    return value + (1 << limits.bits) if value < limits.min else value


def _from_corners(padded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import label

    parts, _ = label(padded)
    corners = {int(parts[row, column]) for row in (0, -1) for column in (0, -1)} - {0}
    return np.isin(parts, list(corners))
