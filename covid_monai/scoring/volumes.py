"""Slices of one volume, kept small until the volume's surface can be measured."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPACING_UNKNOWN = "spacing unknown"
ONE_SLICE = "one slice of the volume"
NO_INDEX = "slice index unknown"
NOT_CONSECUTIVE = "slices not consecutive"
UNEVEN = "slice positions uneven"
DIFFERENT_GRIDS = "slices of different size or spacing"

# relative; positions in headers are rounded to about a micrometre
_POSITION_TOLERANCE = 0.01


@dataclass(frozen=True)
class StackedSlice:
    """One slice's label maps, compressed: masks shrink a hundredfold, and a volume has hundreds of slices."""

    index: int
    shape: tuple[int, int]
    spacing: tuple[float, float, float] | None
    position_mm: float | None
    prediction: bytes
    reference: bytes


@dataclass(frozen=True)
class Stack:
    """Label maps (x, y, z), uint8, z ascending with the slice index, and the voxel size in mm."""

    prediction: NDArray[np.uint8]
    reference: NDArray[np.uint8]
    spacing: tuple[float, float, float]


def stacked_slice(
    index: int,
    prediction: NDArray[Any],
    reference: NDArray[Any],
    spacing: tuple[float, float, float] | None,
    position_mm: float | None,
) -> StackedSlice:
    """Keep label maps (x, y), labels up to 255; without spacing nothing is measured, so no pixel is kept."""
    keep = spacing is not None and index >= 0
    shape = (prediction.shape[0], prediction.shape[1])
    return StackedSlice(
        index=index,
        shape=shape,
        spacing=spacing,
        position_mm=position_mm,
        prediction=_packed(prediction) if keep else b"",
        reference=_packed(reference) if keep else b"",
    )


def stack(slices: list[StackedSlice]) -> Stack | str:
    """The slices as one volume, or why they are none.

    The slices' distance is the step between their positions where all are known, else the third spacing.
    """
    ordered = sorted(slices, key=lambda kept: kept.index)
    spacing = _volume_spacing(ordered)
    if isinstance(spacing, str):
        return spacing
    return Stack(
        prediction=np.stack([_unpacked(kept.prediction, kept.shape) for kept in ordered], axis=-1),
        reference=np.stack([_unpacked(kept.reference, kept.shape) for kept in ordered], axis=-1),
        spacing=spacing,
    )


def _volume_spacing(ordered: list[StackedSlice]) -> tuple[float, float, float] | str:
    first = ordered[0]
    spacings = [kept.spacing for kept in ordered if kept.spacing is not None]
    reason = ""
    if len(spacings) < len(ordered):
        reason = SPACING_UNKNOWN
    elif first.index < 0:
        reason = NO_INDEX
    elif len(ordered) == 1:
        reason = ONE_SLICE
    elif [kept.index for kept in ordered] != list(range(first.index, first.index + len(ordered))):
        reason = NOT_CONSECUTIVE
    elif any(kept.shape != first.shape for kept in ordered) or not np.allclose(spacings, spacings[0], rtol=1e-4):
        reason = DIFFERENT_GRIDS
    if reason:
        return reason
    step = _slice_step(ordered, spacings[0][2])
    return UNEVEN if step is None else (spacings[0][0], spacings[0][1], step)


def _slice_step(ordered: list[StackedSlice], thickness: float) -> float | None:
    """Distance of neighbouring slices in mm; None where their positions are not evenly spaced."""
    positions = [kept.position_mm for kept in ordered if kept.position_mm is not None]
    if len(positions) < len(ordered):
        return thickness
    steps = np.diff(positions)
    step = float(steps.mean())
    # a step against the others' direction is as uneven as a longer one
    if step == 0 or not np.allclose(steps, step, rtol=_POSITION_TOLERANCE):
        return None
    return abs(step)


def _packed(labels: NDArray[Any]) -> bytes:
    return zlib.compress(np.ascontiguousarray(labels, dtype=np.uint8).tobytes(), level=1)


def _unpacked(packed: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
    return np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(shape)
