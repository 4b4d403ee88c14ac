"""Slice by slice: intensity normalisation, and turned and scaled copies."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Rotate90, Zoom
from monai.utils import ensure_tuple_rep

from covid_monai.transforms.label_resizing import LARGEST_SHARE, by_largest_share


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


class AugmentedCopyd(MapTransform):
    """Turn and scale slices ``(C, H, W)`` about their centre on a canvas that stays.

    Reads ``quarter_turns`` and ``scaling`` of :func:`covid_monai.data.augmented_copies`. What comes in from outside
    the canvas is 0: air in the image, background in the label.

    Args:
        keys: of images and label maps.
        mode: interpolation of each key: MONAI's for images, and ``largest_share`` for label maps
            (:func:`covid_monai.transforms.label_resizing.by_largest_share`).
    """

    def __init__(self, keys: KeysCollection, mode: Sequence[str] | str) -> None:
        super().__init__(keys)
        self.mode = ensure_tuple_rep(mode, len(self.keys))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Turn and scale each key."""
        changed = dict(data)
        turns, scaling = changed["quarter_turns"], changed["scaling"]
        for key, mode in self.key_iterator(changed, self.mode):
            if turns:
                changed[key] = Rotate90(k=turns)(changed[key])
            if scaling != 1:
                shares = mode == LARGEST_SHARE
                zoom = Zoom(zoom=scaling, mode="bilinear" if shares else mode, padding_mode="constant", keep_size=True)
                changed[key] = by_largest_share(torch.as_tensor(changed[key]), zoom) if shares else zoom(changed[key])
        return changed
