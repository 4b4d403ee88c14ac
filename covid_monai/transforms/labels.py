"""From a data set's labels to a network's classes, and from its probabilities to classes."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapLabelValued, MapTransform
from torch import Tensor

from covid_monai.errors import InputError


class LabelsToClassesd(MapLabelValued):
    """``MapLabelValued`` that refuses labels it was not told of, which would pass as classes of the same number.

    Args:
        keys: of the label maps.
        labels: the data set's labels over 0; 0 stays background.
        classes: the class of each of them.
        number_of_classes: of the network, background included.

    Raises:
        InputError: labels and classes differ in number, or a class is not the network's; when called, a label map
            holds another label.
    """

    def __init__(
        self, keys: KeysCollection, labels: Sequence[int], classes: Sequence[int], number_of_classes: int
    ) -> None:
        if len(labels) != len(classes):
            raise InputError(
                f"{len(labels)} lesion_labels and {len(classes)} lesion_classes; give a class to each label"
            )
        if not all(0 <= lesion_class < number_of_classes for lesion_class in classes):
            raise InputError(
                f"lesion_classes are {list(classes)}; the network has the classes 0 to {number_of_classes - 1}"
            )
        super().__init__(keys=keys, orig_labels=labels, target_labels=classes)
        self.known = {0, *labels}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Map the labels of each key."""
        for key in self.key_iterator(data):
            if unknown := {*torch.unique(torch.as_tensor(data[key])).int().tolist()} - self.known:
                where = getattr(data[key], "meta", {}).get("filename_or_obj", key)
                raise InputError(
                    f"{where} holds the labels {sorted(unknown)}, which lesion_labels {sorted(self.known - {0})} does "
                    "not name; add them, with a class for each in lesion_classes (0 for background)"
                )
        mapped: dict[Hashable, Any] = super().__call__(data)
        return mapped


class ProbabilitiesToClassesd(MapTransform):
    """The class of each voxel: background, or the likeliest kind of lesion where there is one at all.

    There is a lesion where the probabilities of all kinds together exceed the threshold. The likeliest class of all
    would be background where two kinds share a larger probability between them.

    Args:
        keys: of probabilities ``(C, ...)``, background first, which become ``(1, ...)`` classes.
        threshold: between 0 and 1.

    Raises:
        InputError: the threshold is not.
    """

    def __init__(self, keys: KeysCollection, threshold: float = 0.5) -> None:
        if not 0 < threshold < 1:
            raise InputError(f"threshold is {threshold}; it must lie between 0 and 1")
        super().__init__(keys)
        self.threshold = threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Classes in place of the probabilities of each key."""
        classes = dict(data)
        for key in self.key_iterator(classes):
            probabilities: Tensor = classes[key]
            # outside of a crop no class has a probability, background neither
            lesion = probabilities[1:].sum(dim=0, keepdim=True) > self.threshold
            classes[key] = torch.where(lesion, 1 + _likeliest(probabilities[1:]), torch.zeros_like(probabilities[:1]))
        return classes


def _likeliest(probabilities: Tensor) -> Tensor:
    """The first of the likeliest classes ``(1, ...)``, of the type of ``probabilities``; argmax is far slower."""
    highest, likeliest = probabilities[:1], torch.zeros_like(probabilities[:1])
    for kind in range(1, len(probabilities)):
        likelier = probabilities[kind : kind + 1] > highest
        highest = torch.where(likelier, probabilities[kind : kind + 1], highest)
        likeliest = torch.where(likelier, torch.full_like(likeliest, kind), likeliest)
    return likeliest
