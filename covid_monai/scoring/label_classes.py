"""Which labels of a mask are which class."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

    def apply(self, labels: NDArray[np.integer], where: str) -> NDArray[np.uint8]:
        """Labels to indices of ``names``, in the same shape.

        Raises:
            InputError: a label has no class; the message names ``where``, the file.
        """
        found = [int(label) for label in np.unique(labels)]
        if not self.classes:
            if len(found) > _MOST_LABELS:
                raise InputError(
                    f"{where} holds {len(found)} different values (up to {found[-1]}): threshold it where they are "
                    "probabilities or grey levels, or name those that are lesions, as in `labels` '1,2=lesion'"
                )
            return (labels != 0).astype(np.uint8)
        known = {0: 0, **dict(self.classes)}
        if unknown := [label for label in found if label not in known]:
            number = int(np.count_nonzero(labels == unknown[0]))
            raise InputError(
                f"{where} holds the label {unknown[0]} in {number} voxels, labels has {', '.join(map(str, known))}; "
                f"add {unknown[0]}=CLASS, or {unknown[0]}={BACKGROUND} to leave it out"
            )
        indices = np.array([known[label] for label in found], dtype=np.uint8)
        return indices[np.searchsorted(found, labels)]

    def described(self) -> dict[str, str]:
        """Label to class, as text."""
        if not self.classes:
            return {"every label over 0": LESION}
        return {str(label): self.names[index] for label, index in self.classes}


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
        if not re.fullmatch(r"[0-9]+|0x[0-9a-fA-F]+", label) or (equals and not name):
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
