"""Mean and percentiles of HU, each voxel weighing as much as it holds."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.measurements.definitions import Mask, Number, Unknown
from covid_monai.measurements.geometry import SliceGeometry, slices_with

PERCENTILES = (5, 25, 50, 75, 95)

# beyond lie metal and what is not CT; they would make the histogram endless
_LOWEST, _HIGHEST = -2048, 8192


@dataclass(frozen=True)
class HUStatistics:
    """HU of a set of voxels.

    Attributes:
        mean: of their values.
        p5: the 5th percentile, to 1 HU: the lowest whole HU that this share of their volume does not exceed.
        p25: the 25th.
        p50: the median.
        p75: the 75th.
        p95: the 95th.
    """

    mean: Number
    p5: Number
    p25: Number
    p50: Number
    p75: Number
    p95: Number


def hu_statistics(
    hu: NDArray[Any], inside: Mask, geometry: SliceGeometry, *, empty: str, not_hu: Unknown | None = None
) -> HUStatistics:
    """The statistics of the voxels in ``inside``.

    Args:
        hu: (i, j, k).
        inside: (i, j, k).
        geometry: of the CT.
        empty: why there are none where no voxel is inside.
        not_hu: why the intensities are no HU; None where they are.
    """
    weights, total, volume = np.zeros(_HIGHEST - _LOWEST + 1), 0.0, 0.0
    for k in slices_with(inside) if not_hu is None else ():
        values = hu[:, :, k][inside[:, :, k]].astype(np.float64)
        bins = np.clip(np.rint(values), _LOWEST, _HIGHEST).astype(np.intp) - _LOWEST
        weights += np.bincount(bins, minlength=len(weights)) * geometry.voxel_ml[k]
        total += float(values.sum() * geometry.voxel_ml[k])
        volume += len(values) * float(geometry.voxel_ml[k])
    if volume == 0:
        reason = not_hu or Unknown(empty)
        return HUStatistics(*(reason for _ in fields(HUStatistics)))
    reached = np.cumsum(weights)
    shares = np.array(PERCENTILES) / 100 * reached[-1]
    # sums of floats may fall short of a share that they equal
    places = np.searchsorted(reached, shares * (1 - 1e-12))
    p5, p25, p50, p75, p95 = (float(place + _LOWEST) for place in places)
    return HUStatistics(total / volume, p5, p25, p50, p75, p95)
