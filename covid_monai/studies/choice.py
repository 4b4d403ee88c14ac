"""Which series of a study is taken: an axial CT that shows the most of the lungs.

Of series that show the same (within a tenth of the most), the first by these counts:

1. without gaps between its slices;
2. original rather than derived;
3. slices 1 to 3 mm apart, or as near to that as there is;
4. the thinner ones;
5. the lower series number.

The kernel does not count: soft and sharp ones are read alike.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from covid_monai.studies.dicom import slices_in_hu
from covid_monai.studies.kinds import is_derived
from covid_monai.studies.series import FoundSeries
from covid_monai.studies.study import slice_distance

_LOOKED_AT = 12
_LUNG_BELOW = -400.0
# of a slice, in mm^2: more than gas in the bowel or the stomach mostly has
_LEAST_LUNG = 2000.0
_AS_MUCH = 0.9
_USUAL_DISTANCE = (1.0, 3.0)


def choose(series: Sequence[FoundSeries]) -> tuple[FoundSeries | None, str]:
    """The series of a study that is taken, and why; None with the reason where all are refused."""
    candidates = [each for each in series if each.refused is None]
    if not candidates:
        return None, _why_none(series)
    if len(candidates) == 1:
        return candidates[0], "the only axial CT" + (f" of {len(series)} series" if len(series) > 1 else "")
    seen = [lung_length(each) for each in candidates]
    lengths = seen if any(seen) else [each.length for each in candidates]
    enough = _AS_MUCH * max(lengths)
    ranked = sorted(
        range(len(candidates)),
        key=lambda index: (
            lengths[index] < enough,
            *(criterion(candidates[index]) for criterion in _CRITERIA.values()),
        ),
    )
    first, second = candidates[ranked[0]], candidates[ranked[1]]
    shown = f"about {lengths[ranked[0]]:.0f} mm of lung" if any(seen) else f"{lengths[ranked[0]]:.0f} mm of the patient"
    reason = f"shows {shown}, the most of {len(candidates)} axial CT"
    if lengths[ranked[1]] >= enough:
        reason = f"shows {shown}, as others do, and {_difference(first, second)}"
    return first, reason


def lung_length(series: FoundSeries) -> float:
    """About how many mm of a series show lung, from a dozen of its slices."""
    if series.stack is None or not series.slices:
        return 0.0
    count = min(_LOOKED_AT, len(series.slices))
    indices = np.linspace(0, len(series.slices) - 1, count).round().astype(int)
    spacing = series.slices[0].spacing or (1.0, 1.0)
    pixel = spacing[0] * spacing[1]
    looked_at = slices_in_hu([series.slices[index] for index in indices])
    with_lung = sum(not isinstance(hu, str) and _enclosed_air(hu) * pixel >= _LEAST_LUNG for _, hu in looked_at)
    # a gap shows nothing
    seen = len(series.slices) * float(np.median(series.stack.extents))
    return with_lung / count * seen


def _enclosed_air(hu: NDArray[np.float32]) -> int:
    """Pixels of air and lung that no way leads from to the border of the slice."""
    from scipy.ndimage import label

    parts, count = label(hu < _LUNG_BELOW)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[np.unique(border)] = 0
    sizes[0] = 0
    return int(sizes.sum())


def _has_gap(series: FoundSeries) -> int:
    return int(any("gap" in oddity for oddity in series.oddities))


def _is_derived(series: FoundSeries) -> int:
    return int(is_derived(series.slices[0]))


def _off_usual(series: FoundSeries) -> float:
    distance = _distance(series)
    nearest = float(np.clip(distance, *_USUAL_DISTANCE))
    return abs(float(np.log(distance / nearest)))


def _distance(series: FoundSeries) -> float:
    return slice_distance(series.stack.affine) if series.stack is not None else 1.0


def _number(series: FoundSeries) -> int:
    return series.number or 0


_CRITERIA: dict[str, Callable[[FoundSeries], float]] = {
    "has no gaps": _has_gap,
    "is original, not derived": _is_derived,
    "has slices 1 to 3 mm apart, or nearest to that": _off_usual,
    "has the thinner slices": _distance,
    "has the lowest series number": _number,
}


def _difference(first: FoundSeries, second: FoundSeries) -> str:
    return next(
        (words for words, criterion in _CRITERIA.items() if criterion(first) < criterion(second)), "was found first"
    )


def _why_none(series: Sequence[FoundSeries]) -> str:
    reasons = list(dict.fromkeys(each.refused for each in series if each.refused))
    return f"no axial CT: {'; '.join(reasons)}"
