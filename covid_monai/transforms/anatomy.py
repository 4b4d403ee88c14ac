"""How a slice lies, told from its anatomy: two lungs side by side, the spine behind the gap between them.

These are rules of thumb about chests, not a fit to any data set. How often they err on real slices is told in
``docs/data-measurements.md``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from covid_monai.transforms.scale import WINDOW

_SIZE = 128
# in pixels; smaller pictures show no anatomy
_SMALLEST = 32
_SLICES_LOOKED_AT = 9
# between lung and tissue, wherever a rough scale puts both
_AIR_HU = (-800.0, -150.0)
_LEAST_LUNG = 0.05
# of the image, below which a dark spot is a bronchus or bowel
_LEAST_SPOT = 0.005
# a gap is sought in the middle of the lungs; beside it more of a column is lung by this share of its height
_GAP_WITHIN = (0.3, 0.7)
_LEAST_DEPTH = 0.4
_LEAST_BALANCE = 0.75
_LEAST_MIRRORED = 0.5


@dataclass(frozen=True)
class Anatomy:
    """How a slice that shows both lungs lies.

    Attributes:
        turned: the lungs lie one behind the other instead of side by side: a quarter turn, or swapped axes.
        spine_behind: evidence for a spine behind the gap (positive) or before it (negative), in 1000 HU; 0 if turned.
        width: of both lungs together, in pixels; 0 if turned.
        spread: mean distance of a lung's pixel from the gap, in pixels; 0 if turned.
    """

    turned: bool
    spine_behind: float
    width: float
    spread: float


def look_at_anatomy(image: npt.NDArray) -> Anatomy | None:
    """Look at one slice, (X, Y) or (X, Y, 1) in LPS order, HU or roughly so, finite.

    Returns:
        None where two lungs cannot be told apart: outside of the lungs, in half a chest, in a soft-tissue window.
    """
    picture, step = _shrunk(image.reshape(image.shape[:2]))
    lungs = _lungs(picture)
    if lungs.mean() < _LEAST_LUNG:
        return None
    box = tuple(slice(int(at.min()), int(at.max()) + 1) for at in np.nonzero(lungs))
    picture, lungs = picture[box], lungs[box]
    gap, gap_if_turned = _gap(lungs), _gap(lungs.T)
    if (gap is None) == (gap_if_turned is None):
        return None
    if gap is None:
        return Anatomy(turned=True, spine_behind=0.0, width=0.0, spread=0.0)
    columns = lungs.sum(axis=1)
    spread = float(np.abs(np.arange(len(columns)) - gap) @ columns / columns.sum())
    return Anatomy(False, _spine_behind(picture, gap), float(step * len(columns)), step * spread)


def shows_air_bright(image: npt.NDArray) -> bool:
    """Whether a slice or volume is inverted: lungs are found in its negative, and none in itself.

    Of a volume (X, Y, Z) some slices along the last axis are looked at. Slices without lungs, half chests and
    soft-tissue windows tell nothing, so that False is no proof.

    Args:
        image: (X, Y), (X, Y, 1) or (X, Y, Z), HU or roughly so, finite.
    """
    stack = image.reshape(*image.shape[:2], -1) if image.ndim > 1 else image[:, None, None]
    if min(stack.shape[:2]) < _SMALLEST:
        return False
    step = -(-stack.shape[2] // _SLICES_LOOKED_AT)
    votes = [_bright_air_in(stack[:, :, index]) for index in range(step // 2, stack.shape[2], step)]
    return votes.count(True) > votes.count(False)


def _bright_air_in(picture: npt.NDArray) -> bool | None:
    """Whether air is bright in one slice; None where it tells nothing."""
    # around the body there is air, and no body is as dark as the darkest value
    if np.mean(_border(picture) == picture.min()) > 0.5:
        return False
    if look_at_anatomy(picture) is not None:
        return False
    return True if look_at_anatomy(WINDOW[0] + WINDOW[1] - np.clip(picture, *WINDOW)) is not None else None


def _border(picture: npt.NDArray) -> npt.NDArray:
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _shrunk(image: npt.NDArray) -> tuple[npt.NDArray[np.float32], int]:
    """The slice in the lung window at no more than ``_SIZE`` pixels, and how many pixels one of its stands for."""
    from scipy.ndimage import uniform_filter

    picture = np.clip(image.astype(np.float32), *WINDOW)
    step = -(-max(picture.shape) // _SIZE)
    if step > 1:
        picture = uniform_filter(picture, step)[step // 2 :: step, step // 2 :: step]
    return picture, step


def _lungs(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """What is dark inside the body: air that reaches a corner of the picture is outside."""
    from scipy.ndimage import label, sum_labels

    low, high = np.percentile(picture, (2, 98))
    spots, count = label(picture < np.clip((low + high) / 2, *_AIR_HU))
    edge = max(1, min(picture.shape) // 20)
    ends = (slice(None, edge), slice(-edge, None))
    outside = np.unique(np.concatenate([spots[x, y].ravel() for x in ends for y in ends]))
    large = np.flatnonzero(sum_labels(spots > 0, spots, np.arange(count + 1)) > _LEAST_SPOT * picture.size)
    return np.isin(spots, np.setdiff1d(large, [0, *outside]))


def _gap(lungs: npt.NDArray[np.bool_]) -> int | None:
    """The place along the first axis that parts the lungs in two that mirror each other, if there is one."""
    from scipy.ndimage import uniform_filter1d

    columns = lungs.mean(axis=1)
    length = len(columns)
    first, last = (int(share * length) for share in _GAP_WITHIN)
    gap = first + int(np.argmin(uniform_filter1d(columns, max(1, length // 10))[first : last + 1]))
    depth = (
        min(columns[:gap].max(initial=0), columns[gap + 1 :].max(initial=0)) - columns[max(0, gap - 1) : gap + 2].mean()
    )
    balance = 2 * min(columns[:gap].sum(), columns[gap:].sum()) / columns.sum()
    reach = min(gap, length - gap)
    mirrored = 2 * (lungs[gap - reach : gap] & lungs[gap : gap + reach][::-1]).sum() / lungs.sum()
    clear = depth >= _LEAST_DEPTH and balance >= _LEAST_BALANCE and mirrored >= _LEAST_MIRRORED
    return gap if clear else None


def _spine_behind(picture: npt.NDArray[np.float32], gap: int) -> float:
    """How much brighter it is behind than before, around the gap: bone stands behind, air may lie before the heart."""
    width, depth = picture.shape
    wide = picture[max(0, gap - width // 6) : gap + width // 6 + 1]
    narrow = picture[max(0, gap - width // 20) : gap + width // 20 + 1]
    part = max(1, int(0.4 * depth))
    bone = _brightest_fifth(wide[:, -part:]) - _brightest_fifth(wide[:, :part])
    end = max(1, depth // 5)
    # a junction of both lungs before the heart is dark, whatever the scale; behind there never is one
    line = narrow[:, -end:].mean() - narrow[:, :end].mean()
    return float(bone + 0.3 * line) / 1000


def _brightest_fifth(values: npt.NDArray[np.float32]) -> float:
    ordered = np.sort(values, axis=None)
    return float(ordered[int(0.8 * len(ordered)) :].mean())
