"""Stored intensities to Hounsfield units (HU).

Published slices are often 8-bit pictures. Their grey value is a linear map of HU whose two numbers are lost.
Chen et al. 2020 restore them per image from two tissues of known HU: air at -1000 and fat at -100 ("reverse
normalisation"). Where these two peaks cannot be told, the 256 grey values are spread over a lung window.

How stored values are read is a *mode*, under the same names in importers, the reader, bundles and options:

- ``auto``: integers in 0..255 are grey values, mapped by anchors where they are found and else by the window, unless
  they are inverted or show another window than the lung's; all others are HU, as ``checked``.
- ``checked``: HU. They are refused where their histogram fits another scale (:mod:`covid_monai.transforms.scale`), and
  taken with a warning where it fits none.
- ``hu``: HU on the user's word, taken as they are, with a warning where another scale fits. ``trusted`` is its name in
  release 0.1.
- ``window``: grey values, mapped by the window.
- ``anchors``: grey values, mapped by the peaks of air and fat.
- ``offset1024``, ``offset1000``: HU stored with 1024 or 1000 added, as without the rescale intercept of DICOM.
- ``inverted``: grey values or HU with air bright (DICOM's MONOCHROME1); turned round, then read as by ``auto``.

In the bundles of release 0.1 ``hu`` was the reader's name for ``checked``. Copies of these bundles go on working: their
``hu`` now takes values as they are, and the reader warns where such values look like grey values.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from covid_monai.errors import InputError, InputWarning
from covid_monai.transforms.anatomy import shows_air_bright
from covid_monai.transforms.scale import HU, WINDOW, judge_scale, refuse_constant, without_padding

AIR_HU = -1000.0
FAT_HU = -100.0
OUTSIDE_HU = -1024
"""What a slice is surrounded with when it is put on a larger canvas."""

OFFSETS = {"offset1024": 1024, "offset1000": 1000}
"""What was added to HU, by mode."""

MODES = ("auto", "checked", "hu", "window", "anchors", *OFFSETS, "inverted")
"""How stored values are read; see above."""

LARGEST_HU = 32767
"""Scanners store HU as 16-bit numbers."""

LOWEST_PADDING = -65536
"""The lowest 16-bit number, from which a mode may subtract an offset."""

GREY_MODES = ("auto", "window", "anchors", "inverted")
"""Modes that read 8-bit grey values."""

OLD_MODES = {"trusted": "hu"}
"""Modes by their names in release 0.1."""

KINDS = ("hu", "anchored", "window")
"""What a manifest says of values: true HU; mapped to HU by the mode ``anchors``; mapped by the mode ``window``.

The window is ``WINDOW``, unless the source publishes the one that its 8-bit values were made with.
"""

SOURCE_WINDOWS = {"zenodo_3757476": (-1250.0, 250.0)}
"""HU of grey values 0 and 255 by the names of the sources that publish them."""

# what a chest CT shows once its scale is right; an anchored map that says otherwise is not believed
_LUNG_HU = (-950.0, -600.0)
_SOFT_TISSUE_HU = (-20.0, 120.0)

# the importers of published sets and the bundles have no such option, so the commands that have it are named
_TAKEN_AS_HU = "if they are HU, take them as they are (`data prepare nifti` and `predict` have --intensity hu)"
_MAPPED = "`data prepare slices`, `data prepare nifti` and `predict` have --intensity window"

# grey values that leave the upper half empty, or are mostly black, were not made with a lung window
_LEAST_BRIGHTEST = 128
_MOST_BLACK = 0.55


@dataclass(frozen=True)
class GreyToHU:
    """A linear map: HU = intercept + slope * grey value (0..255)."""

    intercept: float
    slope: float


def window_map(window: tuple[float, float]) -> GreyToHU:
    """The map that puts grey values 0 and 255 at the ends of a window in HU."""
    return GreyToHU(window[0], (window[1] - window[0]) / 255)


WINDOW_MAP = window_map(WINDOW)


def mode_named(name: str) -> str:
    """A mode by its present name, for a present or an old one.

    Raises:
        InputError: there is no such mode.
    """
    mode = OLD_MODES.get(name, name)
    if mode not in MODES:
        raise InputError(f"intensity is {name!r}; it can be one of {', '.join(MODES)}")
    return mode


def to_hu(values: npt.NDArray, mode: str, where: str, window: tuple[float, float] = WINDOW) -> tuple[npt.NDArray, str]:
    """Bring one image or volume to HU.

    Args:
        values: stored values, any shape, finite.
        mode: one of ``MODES``, or an old name.
        where: the file, for the error message.
        window: HU of grey values 0 and 255, where a source publishes its own window.

    Returns:
        The values in HU, int16 where all are integers in its range (mapped grey values are rounded), else
        float32; and the kind: ``hu``, ``anchored`` or ``window``.

    Raises:
        InputError: there is no such mode; or the values fit another scale than the mode's, are one and the same, are
            no grey values (``window``, ``anchors``), or have no clear anchors (``anchors``).

    Warns:
        InputWarning: the values are taken as the mode says, and their histogram does not show that it is right.
    """
    mode = mode_named(mode)
    if mode == "hu":
        _warn_of_other_scales(values, where)
        return _smallest_type(values), "hu"
    refuse_constant(values, where)
    if mode == "inverted":
        return to_hu(_turned_round(values), "auto", f"{where}, turned round,", window)
    if mode in OFFSETS:
        hu = values.astype(np.float64) - OFFSETS[mode]
        _check_hu(hu, f"{where}, {OFFSETS[mode]} subtracted,")
        return _smallest_type(hu), "hu"
    if mode == "checked" or (mode == "auto" and not looks_8_bit(values)):
        _check_hu(values, where)
        return _smallest_type(values), "hu"
    return _grey_to_hu(values, mode, where, window)


def refuse_beyond_hu(values: npt.NDArray, mode: str, where: str) -> None:
    """Refuse values in HU that no scanner stores, unless the user vouches for them by the mode ``hu``.

    Raises:
        InputError: there are such values.
    """
    if mode != "hu" and (values.max() > LARGEST_HU or values.min() < LOWEST_PADDING):
        raise InputError(
            f"{where} has values {values.min():g} to {values.max():g}, which are no HU (up to {LARGEST_HU}, and "
            f"padding down to {LOWEST_PADDING}); repair or convert it"
        )


def _check_hu(values: npt.NDArray, where: str) -> None:
    spread = f"{where} has values {values.min():g} to {values.max():g}"
    if looks_8_bit(values):
        raise InputError(f"{where} holds 8-bit grey values, not HU; map them to HU by a lung window ({_MAPPED})")
    inner = without_padding(values)
    if inner.size < values.size and looks_8_bit(inner) and inner.min() < inner.max():
        raise InputError(
            f"{spread}: 8-bit grey values and padding, not HU; set the padding to 0 and map them by a lung window "
            f"({_MAPPED})"
        )
    judged = judge_scale(values)
    if judged.scale is None:
        warnings.warn(
            f"{spread}, taken as HU though {judged.reason}; where they are another scale, convert them to HU or give "
            "`intensity`",
            InputWarning,
            stacklevel=3,
        )
    elif judged.scale is not HU:
        raise InputError(f"{spread}, which look like {judged.scale.name}, not HU: {judged.advice()}; {_TAKEN_AS_HU}")


def _warn_of_other_scales(values: npt.NDArray, where: str) -> None:
    spread = f"{where} has values {values.min():g} to {values.max():g}, taken as HU by intensity hu"
    if values.min() == values.max():
        warnings.warn(f"{spread}: the image is constant", InputWarning, stacklevel=3)
    elif looks_8_bit(values):
        warnings.warn(
            f"{spread}; they look like 8-bit grey values, which intensity window maps to HU", InputWarning, stacklevel=3
        )
    else:
        judged = judge_scale(values)
        if judged.scale is not None and judged.scale is not HU:
            warnings.warn(
                f"{spread}; they look like {judged.scale.name}: {judged.advice()}", InputWarning, stacklevel=3
            )


def _turned_round(values: npt.NDArray) -> npt.NDArray:
    return 255 - values.astype(np.int16) if looks_8_bit(values) else -values.astype(np.float64)


def _grey_to_hu(grey: npt.NDArray, mode: str, where: str, window: tuple[float, float]) -> tuple[npt.NDArray, str]:
    if not looks_8_bit(grey):
        raise InputError(
            f"{where} has values {grey.min():g} to {grey.max():g}: the mapping {mode!r} is for 8-bit values (integers "
            f"0 to 255); {_TAKEN_AS_HU}"
        )
    _look_for_bright_air(grey, mode, where)
    anchored = None if mode == "window" else find_anchors(grey)
    if anchored is None and mode == "anchors":
        raise InputError(f"{where} has no clear peaks of air and fat; map it by a lung window ({_MAPPED})")
    if anchored is None and mode == "auto":
        _refuse_other_windows(grey, where)
    grey_map, kind = (window_map(window), "window") if anchored is None else (anchored, "anchored")
    # a grey step is several HU, so that rounding loses nothing
    return np.rint(grey_map.intercept + grey_map.slope * grey.astype(np.float64)).astype(np.int16), kind


def _look_for_bright_air(grey: npt.NDArray, mode: str, where: str) -> None:
    if not shows_air_bright(WINDOW_MAP.intercept + WINDOW_MAP.slope * grey.astype(np.float32)):
        return
    seen = f"{where} shows lungs brighter than the body: an inverted picture"
    if mode != "window":
        raise InputError(
            f"{seen}, which `intensity` {mode} does not take; --intensity inverted turns it round "
            "(`data prepare slices`, `data prepare nifti` and `predict` have it), or invert it before"
        )
    warnings.warn(
        f"{seen}, mapped as it is by intensity window; intensity inverted turns it round", InputWarning, stacklevel=4
    )


def looks_8_bit(values: npt.NDArray) -> bool:
    """Whether all values are integers in 0..255, as in 8-bit pictures; HU of a chest never are."""
    return bool(values.min() >= 0 and values.max() <= 255 and _all_integers(values))


def find_anchors(grey: npt.NDArray) -> GreyToHU | None:
    """The map that puts the peaks of air at -1000 HU and of fat at -100 HU (Chen et al. 2020), or None.

    The histogram of a chest slice has up to four peaks, in order: air (airways, outside), lung, fat, soft
    tissue. All four have to stand out, with nothing clipped at the dark end, and lung and soft tissue have to
    land at plausible HU; otherwise there is no map, since a wrong scale is worse than a known rough one.

    Args:
        grey: integers in 0..255, any shape.
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    counts = np.bincount(grey.astype(np.int64).ravel(), minlength=256).astype(np.float64)
    share = counts / counts.sum()
    if share[0] > 0.005:
        return None
    # 0 and 255 also collect what was clipped; they are no peaks of a tissue
    share[[0, 255]] = 0.0
    smooth = gaussian_filter1d(share, 1.5)
    dark = find_peaks(smooth[:128], prominence=0.0002)[0]
    bright = find_peaks(smooth[128:], prominence=0.0005)[0] + 128
    if len(dark) < 2 or len(bright) < 2:
        return None
    lung = dark[np.argmax(smooth[dark])]
    soft_tissue = bright[np.argmax(smooth[bright])]
    air, fat = dark[dark < lung], bright[bright < soft_tissue]
    if not len(air) or not len(fat):
        return None
    slope = (FAT_HU - AIR_HU) / (float(fat[-1]) - float(air[0]))
    anchored = GreyToHU(AIR_HU - slope * float(air[0]), slope)
    plausible = _within(anchored, lung, _LUNG_HU) and _within(anchored, soft_tissue, _SOFT_TISSUE_HU)
    return anchored if plausible else None


def _refuse_other_windows(grey: npt.NDArray, where: str) -> None:
    black = float(np.mean(grey == 0))
    if grey.max() < _LEAST_BRIGHTEST or black > _MOST_BLACK:
        raise InputError(
            f"{where} has grey values up to {grey.max():g} and {black:.0%} black: that is no lung window, "
            f"its HU cannot be told; leave it out, or map it all the same ({_MAPPED})"
        )


def _within(grey_map: GreyToHU, grey: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= grey_map.intercept + grey_map.slope * grey <= limits[1]


def _smallest_type(values: npt.NDArray) -> npt.NDArray:
    limits = np.iinfo(np.int16)
    fits = values.min() >= limits.min and values.max() <= limits.max and _all_integers(values)
    return values.astype(np.int16 if fits else np.float32, copy=False)


def _all_integers(values: npt.NDArray) -> bool:
    return values.dtype.kind in "biu" or bool(np.all(values == np.rint(values)))
