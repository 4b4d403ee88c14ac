"""Source labels to our labels.

A source label is an integer: a mask's value, or 0xRRGGBB for the coloured pixels of a picture.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from covid_monai.data.manifest import LABELS
from covid_monai.data.sources.mask_values import (
    label_in_words,
    names_colours,
    what_negative_labels_may_be,
    whole_labels,
)
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
        InputError: the text is no list of SOURCE=LABEL, LABEL is none of ours, or a source has two labels.
    """
    label_map: dict[int, int] = {}
    for pair in text.split(","):
        source, equals, ours = (part.strip() for part in pair.partition("="))
        label = int(ours) if ours.isdecimal() and int(ours) in LABELS else label_by_name(ours)
        if not equals or label is None or not re.fullmatch(r"-?[0-9]+|0x[0-9a-fA-F]+", source):
            raise InputError(f"label map {text!r}: {pair!r} is not SOURCE=LABEL, such as 255=4; labels: {_ALLOWED}")
        number = int(source, 16 if source.startswith("0x") else 10)
        if label_map.setdefault(number, label) != label:
            raise InputError(f"label map {text!r}: {source} stands for two labels; give it one")
    return label_map


def label_by_name(name: str) -> int | None:
    """Our label for the name that a data set gives it, or None."""
    return _NUMBERS.get(re.sub(r"[-_ ]+", " ", name.strip().lower()))


def map_labels(
    mask: npt.NDArray, label_map: Mapping[int, int], where: str, *, coloured: bool = False
) -> npt.NDArray[np.uint8]:
    """Replace source labels by ours; 0 is background unless the map says otherwise.

    Args:
        mask: source labels, any shape; see :func:`covid_monai.data.sources.mask_values.whole_labels`.
        label_map: source label to our label.
        where: the file, for the error message.
        coloured: the labels are colours 0xRRGGBB.

    Raises:
        InputError: a value is no label, or not in the map.
    """
    labels = whole_labels(mask, where)
    known = {0: 0, **label_map}
    found = {int(value): int(count) for value, count in zip(*np.unique(labels, return_counts=True), strict=True)}
    if unknown := {value: count for value, count in found.items() if value not in known}:
        raise InputError(f"{where} {_not_in_map(unknown, list(found), known, coloured)}")
    ours = np.zeros(labels.shape, dtype=np.uint8)
    for value in found:
        ours[labels == value] = known[value]
    return ours


# a mask has fewer labels; more are the shades of its edges
_MOST_UNKNOWN = 8


def _not_in_map(unknown: Mapping[int, int], found: Sequence[int], known: Mapping[int, int], coloured: bool) -> str:
    colours = names_colours(known)
    allowed = ", ".join(label_in_words(label, colours) for label in sorted(known))
    first, count = next(iter(unknown.items()))
    if len(unknown) > _MOST_UNKNOWN:
        some = ", ".join(label_in_words(label, coloured) for label in list(unknown)[:3])
        return (
            f"holds {len(unknown)} labels ({some}, ...) in {sum(unknown.values())} pixels that the label map "
            f"({allowed}) has not: so many are edges of a mask that was resized or smoothed, or no mask at all; resize "
            "it with the nearest neighbour, or threshold it"
        )
    names = {label: LABELS[ours].replace(" ", "-") for label, ours in known.items() if label or ours}
    entries = [f"{label_in_words(label, colours)}={name}" for label, name in names.items()]
    whole = ",".join([*entries, *(f"{label_in_words(label, coloured)}=LABEL" for label in unknown)])
    holding = f"holds label {label_in_words(first, coloured)} in {count} pixels, the label map has {allowed}"
    if first < 0:
        return f"{holding}: {what_negative_labels_may_be(found)}; say which by `label_map` {whole} ({_ALLOWED})"
    return f"{holding}: give `label_map` {whole} ({_ALLOWED})"


def count_labels(labels: npt.NDArray[np.uint8]) -> dict[int, int]:
    """Number of pixels of each label over 0 that occurs."""
    found, counts = np.unique(labels, return_counts=True)
    return {int(label): int(count) for label, count in zip(found, counts, strict=True) if label}
