"""Source labels to our labels.

A source label is an integer: a mask's value, or 0xRRGGBB for the coloured pixels of an RGB mask.
"""

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from covid_monai.data.manifest import LABELS
from covid_monai.errors import InputError

# what other data sets call our labels, once written in lower case with single spaces
_OTHER_NAMES = {
    "ggo": 1,
    "ground glass": 1,
    "ground glass opacity": 1,
    "consolidations": 2,
    "effusion": 3,
    "infection": 4,
    "covid": 4,
    "covid 19": 4,
    "covid 19 lesion": 4,
    "covid lesion": 4,
}
_NUMBERS = {re.sub(r"[-_ ]+", " ", name): label for label, name in LABELS.items()} | _OTHER_NAMES
_ALLOWED = ", ".join(f"{label} {name}" for label, name in LABELS.items())


def parse_label_map(text: str) -> dict[int, int]:
    """Parse ``255=4`` or ``1=ground-glass,2=consolidation``; colours are written ``0xff0000=3``.

    Raises:
        InputError: the text is no list of SOURCE=LABEL, or LABEL is none of ours.
    """
    label_map = {}
    for pair in text.split(","):
        source, equals, ours = (part.strip() for part in pair.partition("="))
        label = int(ours) if ours.isdecimal() and int(ours) in LABELS else label_by_name(ours)
        if not equals or label is None or not re.fullmatch(r"[0-9]+|0x[0-9a-fA-F]+", source):
            raise InputError(f"label map {text!r}: {pair!r} is not SOURCE=LABEL, such as 255=4; labels: {_ALLOWED}")
        label_map[int(source, 16 if source.startswith("0x") else 10)] = label
    return label_map


def label_by_name(name: str) -> int | None:
    """Our label for the name that a data set gives it, or None."""
    return _NUMBERS.get(re.sub(r"[-_ ]+", " ", name.strip().lower()))


def map_labels(mask: npt.NDArray, label_map: Mapping[int, int], where: str) -> npt.NDArray[np.uint8]:
    """Replace source labels by ours; 0 is background unless the map says otherwise.

    Args:
        mask: source labels, any shape; floats are accepted where all are integers.
        label_map: source label to our label.
        where: the file, for the error message.

    Raises:
        InputError: a value is not finite, not an integer, or not in the map.
    """
    found = np.unique(mask)
    if found.dtype.kind not in "biuf" or not np.all(np.isfinite(found)) or np.any(found != np.rint(found)):
        raise InputError(f"{where} holds values that are not integers: a mask needs integer labels")
    known = {0: 0, **label_map}
    ours = np.zeros(mask.shape, dtype=np.uint8)
    for value in found.tolist():
        if value not in known:
            count = np.count_nonzero(mask == value)
            allowed = ", ".join(map(str, sorted(known)))
            raise InputError(
                f"{where} holds label {value:g} in {count} pixels, the label map has {allowed}: "
                f"add `label_map` {value:g}=LABEL ({_ALLOWED})"
            )
        ours[mask == value] = known[int(value)]
    return ours


def count_labels(labels: npt.NDArray[np.uint8]) -> dict[int, int]:
    """Number of pixels of each label over 0 that occurs."""
    found, counts = np.unique(labels, return_counts=True)
    return {int(label): int(count) for label, count in zip(found, counts, strict=True) if label}
