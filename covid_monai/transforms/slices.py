"""Intensity normalisation slice by slice."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform


class NormalizeSlicesd(MapTransform):
    """Give every axial slice mean 0 and standard deviation 1 (z-score), in slices and in volumes alike.

    MONAI's ``NormalizeIntensityd`` takes a volume as a whole, so that a slice would look otherwise in its volume than
    alone. A slice of one value, such as air above the patient, becomes 0.

    Args:
        keys: of images ``(C, X, Y, Z)``.
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Normalise the image of each key."""
        normalised = dict(data)
        for key in self.key_iterator(normalised):
            image = normalised[key]
            mean = image.mean(dim=(1, 2), keepdim=True)
            deviation = image.std(dim=(1, 2), keepdim=True, correction=0)
            normalised[key] = (image - mean) / torch.where(deviation > 0, deviation, 1.0)
        return normalised
