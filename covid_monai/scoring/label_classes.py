"""Which labels of a mask are which class."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covid_monai.data.sources.mask_values import label_in_words, names_colours, what_negative_labels_may_be
from covid_monai.errors import InputError

BACKGROUND = "background"
LESION = "lesion"

# more different values are grey levels or organs, which no one would call lesion as a whole
_MOST_LABELS = 16


@dataclass(frozen=True)
class LabelClasses:
    """The class of each label.

    Attributes:
        names: the classes, the background first.
        classes: label to index in ``names``; empty where every label over 0 is a lesion.
    """

    names: tuple[str, ...] = (BACKGROUND, LESION)
    classes: tuple[tuple[int, int], ...] = ()

    def apply(self, labels: NDArray[np.integer], where: str, *, coloured: bool = False) -> NDArray[np.uint8]:
        """Labels to indices of ``names``, in the same shape.

        Args:
            labels: integers, of any shape.
            where: the file, for the error.
            coloured: the labels are colours 0xRRGGBB.

        Raises:
            InputError: a label has no class.
        """
        found = [int(label) for label in np.unique(labels)]
        if not self.classes:
            if len(found) > _MOST_LABELS:
                raise InputError(
                    f"{where} holds {len(found)} different values (up to {label_in_words(found[-1], coloured)}): "
                    "threshold it where they are probabilities or grey levels, or name those that are lesions, as in "
                    "`labels` '1,2=lesion'"
                )
            if found[0] < 0:
                raise InputError(f"{where} {_negative(labels, found)}")
            return (labels != 0).astype(np.uint8)
        known = {0: 0, **dict(self.classes)}
        if unknown := [label for label in found if label not in known]:
            number = int(np.count_nonzero(labels == unknown[0]))
            named = label_in_words(unknown[0], coloured)
            others = [label_in_words(label, names_colours(known)) for label in known]
            may_be = f"; {what_negative_labels_may_be(found)}" if unknown[0] < 0 else ""
            raise InputError(
                f"{where} holds the label {named} in {number} voxels, `labels` has {', '.join(others)}{may_be}; "
                f"add {named}=CLASS, or {named}={BACKGROUND} to leave it out"
            )
        indices = np.array([known[label] for label in found], dtype=np.uint8)
        return indices[np.searchsorted(found, labels)]

    def described(self) -> dict[str, str]:
        """Label to class, as text."""
        if not self.classes:
            return {"every label over 0": LESION}
        return {str(label): self.names[index] for label, index in self.classes}


def _negative(labels: NDArray[np.integer], found: Sequence[int]) -> str:
    lesion = ",".join(str(label) for label in found if label > 0)
    number = np.count_nonzero(labels == found[0])
    negative = ",".join(str(label) for label in found if label < 0)
    # the other mask may well have the usual 1
    examples = f"{lesion}={LESION},{negative}={BACKGROUND}" if lesion else f"{negative},1={LESION}"
    return (
        f"holds the label {found[0]} in {number} voxels; labels start at 0, the background: "
        f"{what_negative_labels_may_be(found)}; say what it counts as by `labels`, such as '{examples}'"
    )


def parse_label_classes(text: str) -> LabelClasses:
    """Parse ``1=ground-glass,2=consolidation`` or ``1,2,3=lesion``; a colour is written ``0xff0000=lesion``.

    Raises:
        InputError: the text is something else, names a label twice, or has no class besides the background.
    """
    names = [BACKGROUND]
    classes: dict[int, int] = {}
    waiting: list[int] = []
    for part in text.split(","):
        label, equals, name = (piece.strip() for piece in part.partition("="))
        if not re.fullmatch(r"-?[0-9]+|0x[0-9a-fA-F]+", label) or (equals and not name):
            raise InputError(f"labels {text!r}: {part!r} is not LABEL=CLASS, such as 1=ground-glass or 1,2,3=lesion")
        waiting.append(int(label, 16 if label.startswith("0x") else 10))
        if not equals:
            continue
        if name not in names:
            names.append(name)
        for number in waiting:
            if number in classes:
                raise InputError(f"labels {text!r}: the label {number} has two classes; give it one")
            classes[number] = names.index(name)
        waiting = []
    if waiting:
        raise InputError(f"labels {text!r}: {waiting[-1]} has no class; end the list with =CLASS, as in 1,2,3=lesion")
    if len(names) == 1 or classes.get(0, 0):
        raise InputError(f"labels {text!r}: name at least one class besides the background, which the label 0 is")
    return LabelClasses(tuple(names), tuple(classes.items()))
