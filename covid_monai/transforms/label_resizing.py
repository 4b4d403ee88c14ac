"""Label maps on other grids, in step with their images."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.transforms.utils import scale_affine
from torch import Tensor
from torch.nn import functional

LARGEST_SHARE = "largest_share"
"""The name of this interpolation, beside those of torch."""

TIE = 1e-5
"""Shares that differ by less are equal; weights of linear interpolation are rounded to about 1e-7."""

_SLICES_AT_ONCE = 16


def by_largest_share(labels: Tensor, interpolate: Callable[[Tensor], Tensor]) -> Tensor:
    """Interpolate a label map: each pixel gets the label that has the largest share of it.

    That is one-hot encoding, linear interpolation, and the class of the largest value. MONAI's ``nearest`` takes the
    pixel before, half a pixel off the image that linear interpolation makes: the way from 512 x 512 pixels to 369 x
    369 and back keeps a Dice of 0.956 with the mask drawn, ``nearest-exact`` 0.981, this 0.983
    (``tests/transforms/test_label_ceilings.py``). Of equal shares the higher label wins: a pixel that is half lesion
    is lesion, since without it half of every thin lesion would be lost.

    Args:
        labels: whole numbers in any shape that ``interpolate`` takes.
        interpolate: linear in its values; from the indicator of a label (0 or 1, float32) to its shares.

    Returns:
        labels of the interpolated shape, in the type of the ones given; nothing but labels that were there.
    """
    present = torch.unique(labels)
    if not len(present):
        raise ValueError(f"labels of shape {tuple(labels.shape)} hold nothing; give at least one pixel")
    return of_largest_share((label, interpolate((labels == label).float())) for label in present)


def of_largest_share(shares: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """The label that has the largest share of each pixel; of equal ones the last.

    Args:
        shares: labels, the lower ones first, and their shares of the pixels, from 0 to 1. Where none has a share, as
            outside of a rotated or smaller slice, the pixel is 0, background.

    Returns:
        labels in their own type and the shares' shape.
    """
    largest: Tensor | None = None
    chosen: Tensor | None = None
    for label, share in shares:
        if largest is None or chosen is None:
            largest, chosen = torch.full_like(share, TIE), torch.zeros_like(share, dtype=label.dtype)
        wins = share > largest - TIE
        chosen = torch.where(wins, label, chosen)
        largest = torch.where(wins, share.clamp(min=TIE), largest)
    if chosen is None:
        raise ValueError("there are no shares; give those of one label at least")
    return chosen


def resize_labels(labels: Tensor, spatial_size: Sequence[int]) -> Tensor:
    """Resize every slice of a label map as linear interpolation without anti-aliasing resizes an image.

    Args:
        labels: ``(1, X, Y, Z)``, whole numbers of any type.
        spatial_size: the new X and Y; Z stays.

    Returns:
        ``(1, *spatial_size, Z)`` by :func:`by_largest_share`; the affine of a MetaTensor follows.
    """
    width, height = (int(length) for length in spatial_size)
    if tuple(labels.shape[1:3]) == (width, height):
        return labels
    slices = labels.as_tensor() if isinstance(labels, MetaTensor) else labels
    slices = slices.permute(3, 0, 1, 2)

    def interpolate(shares: Tensor) -> Tensor:
        return functional.interpolate(shares, size=(width, height), mode="bilinear", align_corners=False)

    parts = [by_largest_share(part, interpolate) for part in slices.split(_SLICES_AT_ONCE)]
    resized = torch.cat(parts).permute(1, 2, 3, 0).contiguous()
    if not isinstance(labels, MetaTensor):
        return resized
    scale = scale_affine(list(labels.shape[1:]), list(resized.shape[1:]))
    placed = MetaTensor(resized, meta=labels.meta)
    placed.affine = labels.affine @ torch.as_tensor(scale, dtype=labels.affine.dtype, device=labels.affine.device)
    return placed


class ResizeLabelsd(MapTransform):
    """Resize label maps in step with their images, see :func:`resize_labels`.

    Args:
        keys: of label maps ``(1, X, Y, Z)``.
        spatial_size: the new X and Y; Z stays.
    """

    def __init__(self, keys: KeysCollection, spatial_size: Sequence[int]) -> None:
        super().__init__(keys)
        self.spatial_size = tuple(spatial_size)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Resize the label map of each key."""
        resized = dict(data)
        for key in self.key_iterator(resized):
            resized[key] = resize_labels(resized[key], self.spatial_size)
        return resized
