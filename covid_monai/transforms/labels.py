"""From a data set's labels to a network's classes."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapLabelValued

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
