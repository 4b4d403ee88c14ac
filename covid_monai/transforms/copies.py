"""Turning and scaling a slice as its entry in the datalist says."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, Rotate90, Zoom
from monai.utils import ensure_tuple_rep


class AugmentedCopyd(MapTransform):
    """Turn and scale slices ``(C, H, W)`` about their centre on a canvas that stays.

    Reads ``quarter_turns`` and ``scaling`` of :func:`covid_monai.data.augmented_copies`. What comes in from outside
    the canvas is 0: air in the image, background in the label.

    Args:
        keys: of images and label maps.
        mode: interpolation of each key.
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
                zoom = Zoom(zoom=scaling, mode=mode, padding_mode="constant", keep_size=True)
                changed[key] = zoom(changed[key])
        return changed
