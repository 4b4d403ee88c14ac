"""On which scale values are stored, judged by the histogram of a chest CT.

A chest CT in Hounsfield units (HU) has air and lung at -1000 to -700 and soft tissue at 0 to 80. Where the stored
values show these two at other places, and a known map brings both to where they belong, the values are on that map's
scale: HU + 1024 without the rescale intercept, HU x 10, negated and so on. The bands below are wider than the tissues,
so that noise, contrast medium, fat and roughly restored scales fit too.

Padding is left out of the judgement: a few constants below air, which fill what the scanner did not see, and a few
stray voxels. A constant that happens to be air on one scale (-1024 around values stored as HU + 1024) is no evidence
for this scale as long as another one fits without it.

How often the judgement errs on public data is told in ``docs/intensities.md``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from covid_monai.errors import InputError

WINDOW = (-1024.0, 600.0)
"""The window for lungs in HU: HU of grey values 0 and 255 where no anchors are found."""

# in HU; below it lies padding
_LOWEST_AIR = -1100.0
_DARK_BELOW = -600.0
_TISSUE = (-150.0, 200.0)
# bone and contrast medium; above it metal and dense bone
_DENSE_ABOVE = 700.0
# where most of air, lung and soft tissue lie, to choose between scales
_TYPICAL_DARK = (-1030.0, -700.0)
_TYPICAL_TISSUE = (-20.0, 90.0)
_MOST_BONE = 0.1
_WEIGHT_OF_STRAY = 3.0
# a scale nearly as plausible as the best is named too
_RIVAL_WITHIN = 0.1
_AIR_FILL = (-1030.0, -950.0)

# shares of the voxels that are no padding
_LEAST_DARK = 0.01
_LEAST_TISSUE = 0.02
_MOST_DENSE = 0.15
# another scale than HU has to be plainer than HU
_LEAST_DARK_OTHERWISE = 0.03
_LEAST_TISSUE_OTHERWISE = 0.05
_LEAST_DARK_TURNED = 0.1
_MOST_STRAY = 0.03
_PADDING_CONSTANTS = 3
# resampling spreads padding by as much, in HU
_RINGING = 100.0

# voxels that are looked at
_SAMPLE = 1 << 16
# a chest spans more than this from its first to its last hundredth of voxels
_LEAST_SPAN = 60.0


@dataclass(frozen=True)
class Scale:
    """A linear scale: HU = intercept + slope * stored value.

    Attributes:
        mode: the mode of :mod:`covid_monai.transforms.intensity` that maps it, if there is one.
        advice: what the user does to such values where there is no mode.
    """

    name: str
    slope: float
    intercept: float
    mode: str | None = None
    advice: str = ""

    @property
    def to_hu(self) -> str:
        """What the user does to have HU."""
        return f"give --intensity {self.mode}" if self.mode else self.advice


HU = Scale("HU", 1.0, 0.0)

OTHER_SCALES = (
    Scale("HU + 1024 (as without the rescale intercept)", 1.0, -1024.0, mode="offset1024"),
    Scale("HU + 2048", 1.0, -2048.0, advice="subtract 2048"),
    Scale("HU + 4096", 1.0, -4096.0, advice="subtract 4096"),
    Scale("HU + 8192", 1.0, -8192.0, advice="subtract 8192"),
    Scale("HU + 32768", 1.0, -32768.0, advice="subtract 32768"),
    Scale("negated HU (air bright)", -1.0, 0.0, mode="inverted"),
    Scale("inverted 12-bit values (3071 - HU, air bright)", -1.0, 3071.0, advice="replace them by 3071 - value"),
    Scale("HU x 100", 0.01, 0.0, advice="divide by 100"),
    Scale("HU x 10", 0.1, 0.0, advice="divide by 10"),
    Scale("HU x 2", 0.5, 0.0, advice="divide by 2"),
    Scale("HU x 0.5", 2.0, 0.0, advice="multiply by 2"),
    Scale("HU x 0.1", 10.0, 0.0, advice="multiply by 10"),
    Scale("HU x 0.01", 100.0, 0.0, advice="multiply by 100"),
    Scale("HU / 1000", 1000.0, 0.0, advice="multiply by 1000"),
)
"""The scales that are told apart; an offset of 1000 is too close to 1024 for it."""

NORMALISED = Scale("values normalised to 0..1 or -1..1", 1.0, 0.0, advice="undo the normalisation")


@dataclass(frozen=True)
class Judgement:
    """What the histogram of an image says.

    Attributes:
        scale: the scale that fits; ``HU`` where HU does; None where none does.
        reason: why none fits, for a message; else empty.
        rivals: other scales that are nearly as plausible as ``scale``.
    """

    scale: Scale | None
    reason: str = ""
    rivals: tuple[Scale, ...] = ()

    def advice(self) -> str:
        """What to do with values on another scale than HU, for a message; several ways where it is not sure which."""
        if self.scale is None:
            return ""
        if not self.rivals:
            return self.scale.to_hu
        return "; ".join(f"if they are {scale.name}, {scale.to_hu}" for scale in (self.scale, *self.rivals))


def judge_scale(values: npt.NDArray) -> Judgement:
    """On which scale an image or volume is stored.

    Args:
        values: stored values, any shape, finite; a large volume is sampled.
    """
    levels, shares = _levels(values)
    if _fit(HU, levels, shares, _LEAST_DARK, _LEAST_TISSUE) is not None:
        return Judgement(HU)
    fits = {}
    for scale in OTHER_SCALES:
        # bone can pass for negated lung in a small part of a slice
        least_dark = _LEAST_DARK_OTHERWISE if scale.slope > 0 else _LEAST_DARK_TURNED
        if (fit := _fit(scale, levels, shares, least_dark, _LEAST_TISSUE_OTHERWISE)) is not None:
            fits[scale] = fit
    if fits:
        best = max(fits, key=lambda scale: fits[scale].plausible)
        as_hu = _typical(levels, shares) if _spans_tissues(levels, shares) else 0.0
        if fits[best].typical > as_hu:
            near = fits[best].plausible - _RIVAL_WITHIN
            return Judgement(best, rivals=tuple(each for each in fits if each != best and fits[each].plausible >= near))
    if levels[0] >= -1.0 and levels[-1] <= 1.0:
        return Judgement(NORMALISED)
    if _is_tissue_in_air(levels, shares):
        return Judgement(HU)
    return Judgement(None, _why_none(levels, shares))


def refuse_constant(values: npt.NDArray, where: str) -> None:
    """Refuse an image of one value: it shows nothing, and an empty mask would pass for a finding.

    Raises:
        InputError: all values are one and the same.
    """
    if values.min() == values.max():
        raise InputError(
            f"{where} has the value {values.min():g} everywhere: that is no CT; leave it out, or, to have an empty "
            "mask of it, take it as it is (--intensity hu)"
        )


def without_padding(values: npt.NDArray) -> npt.NDArray:
    """The values, flattened, without those constants that lie far below all others; for values on an unknown scale."""
    flat = values.ravel(order="K")
    # differences of integers may be too large for their type
    levels = np.unique(flat).astype(np.float64)
    for number in range(1, min(_PADDING_CONSTANTS, len(levels) - 1) + 1):
        span = levels[-1] - levels[number]
        if levels[number] - levels[number - 1] > max(span / 4, 1.0):
            return flat[flat >= levels[number]]
    return flat


def _levels(values: npt.NDArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The different values of a sample, ascending, and the share of each."""
    flat = values.ravel(order="K")
    # an odd step falls on all columns of the usual, even sizes
    step = (flat.size // _SAMPLE) | 1
    levels, counts = np.unique(flat[::step].astype(np.float64), return_counts=True)
    return levels, counts / counts.sum()


@dataclass(frozen=True)
class _Fit:
    """The share of voxels where air, lung and soft tissue typically are, and the same with the evidence of bone."""

    typical: float
    plausible: float


def _fit(scale: Scale, levels: npt.NDArray, shares: npt.NDArray, least_dark: float, least_tissue: float) -> _Fit | None:
    """How well the values fit a scale; None where they do not."""
    hu = scale.intercept + scale.slope * levels
    # padding is lowest as stored, so that it is brightest on a scale that is turned round
    outside = hu < _LOWEST_AIR
    beyond = outside if scale.slope > 0 else outside | (hu > -_AIR_FILL[1])
    padding = _padding(hu, beyond, shares)
    inside = ~outside & ~padding
    total = shares[inside].sum()
    stray = shares[outside & ~padding].sum()
    if total == 0 or stray > _MOST_STRAY * total:
        return None
    hu, shares = hu[inside], shares[inside] / total
    dark = shares[hu < _DARK_BELOW]
    tissue = shares[(hu >= _TISSUE[0]) & (hu <= _TISSUE[1])].sum()
    between = shares[(hu > _TISSUE[1]) & (hu <= _DENSE_ABOVE)].sum()
    dense = shares[hu > _DENSE_ABOVE].sum()
    # a constant can be a filling, so that the most frequent value is no evidence of air or lung
    evidence = dark.sum() - dark.max(initial=0.0)
    fits = evidence >= least_dark and tissue >= max(least_tissue, between) and dense <= _MOST_DENSE
    if not fits:
        return None
    typical = _typical(hu, shares)
    # bone is brighter than soft tissue, and nothing is darker than air: upside down it is the other way round
    return _Fit(typical, typical + float(min(between + dense, _MOST_BONE) - _WEIGHT_OF_STRAY * stray / total))


def _padding(hu: npt.NDArray, beyond: npt.NDArray, shares: npt.NDArray) -> npt.NDArray[np.bool_]:
    """Which levels are padding: the most frequent ones beyond air, and what lies round the first (ringing)."""
    padding = np.zeros(len(hu), bool)
    if beyond.any():
        candidates = np.flatnonzero(beyond)
        padding[candidates[np.argsort(shares[candidates])[-_PADDING_CONSTANTS:]]] = True
        counts, edges = np.histogram(hu[candidates], _bins(hu[candidates]), weights=shares[candidates])
        middle = edges[np.argmax(counts)] + _RINGING / 2
        padding |= beyond & (np.abs(hu - middle) <= _RINGING)
    return padding


def _bins(hu: npt.NDArray) -> npt.NDArray[np.float64]:
    return np.linspace(hu.min(), hu.max() + _RINGING, 2 + min(4096, int(np.ptp(hu) / _RINGING)))


def _typical(hu: npt.NDArray, shares: npt.NDArray) -> float:
    places = ((hu >= low) & (hu <= high) for low, high in (_TYPICAL_DARK, _TYPICAL_TISSUE))
    return float(sum(shares[place].sum() for place in places))


def _is_tissue_in_air(levels: npt.NDArray, shares: npt.NDArray) -> bool:
    """Whether all but a filling with air is soft tissue in HU, as below the lungs."""
    filled = shares[(levels >= _AIR_FILL[0]) & (levels <= _AIR_FILL[1])].sum()
    rest = levels > _AIR_FILL[1]
    tissue = shares[(levels >= _TISSUE[0]) & (levels <= _TISSUE[1])].sum()
    return bool(filled >= _LEAST_DARK and rest.any() and tissue >= 0.5 * shares[rest].sum())


def _spans_tissues(levels: npt.NDArray, shares: npt.NDArray) -> bool:
    low, high = _hundredths(levels, shares)
    return high - low >= _LEAST_SPAN


def _hundredths(levels: npt.NDArray, shares: npt.NDArray) -> tuple[float, float]:
    """The first and the last hundredth."""
    below = np.cumsum(shares)
    first, last = (levels[min(int(np.searchsorted(below, share)), len(levels) - 1)] for share in (0.01, 0.99))
    return float(first), float(last)


def _why_none(levels: npt.NDArray, shares: npt.NDArray) -> str:
    if not _spans_tissues(levels, shares):
        low, high = _hundredths(levels, shares)
        return f"nearly all values lie from {low:g} to {high:g}"
    if shares[levels < _DARK_BELOW].sum() < _LEAST_DARK:
        return f"there is hardly any air or lung (below {_DARK_BELOW:g} HU)"
    return f"there is hardly any soft tissue ({_TISSUE[0]:g} to {_TISSUE[1]:g} HU), or much that is no tissue"
