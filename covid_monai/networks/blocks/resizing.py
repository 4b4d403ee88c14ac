"""Changing heights and widths: padding and cropping to what poolings divide, and un-pooling."""

import torch
from torch import Tensor
from torch.nn import functional

from covid_monai.networks.blocks.exporting import is_exported


def extend_to(features: Tensor, height: int, width: int) -> Tensor:
    """Repeat the last row and column of ``(N, C, H, W)`` up to ``height`` rows and ``width`` columns."""
    if not is_exported() and features.shape[2:] == (height, width):
        return features
    rows = torch.arange(height, device=features.device).clamp(max=features.shape[2] - 1)
    columns = torch.arange(width, device=features.device).clamp(max=features.shape[3] - 1)
    return features.index_select(2, rows).index_select(3, columns)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column of ``(N, C, H, W)`` until ``multiple`` divides height and width."""
    height, width = image.shape[2], image.shape[3]
    return extend_to(image, height + -height % multiple, width + -width % multiple)


def crop_to(features: Tensor, height: int, width: int) -> Tensor:
    """The first ``height`` rows and ``width`` columns of ``(N, C, H, W)``."""
    if not is_exported() and features.shape[2:] == (height, width):
        return features
    rows = torch.arange(height, device=features.device)
    columns = torch.arange(width, device=features.device)
    return features.index_select(2, rows).index_select(3, columns)


def pool_with_indices(features: Tensor) -> tuple[Tensor, Tensor]:
    """2x2 max pooling of ``(N, C, H, W)`` and the maxima's flat positions in each H x W map.

    Height and width must be even: the last row or column of an odd size would not be pooled.
    """
    pooled, indices = functional.max_pool2d(features, kernel_size=2, return_indices=True)
    return pooled, indices


def unpool(features: Tensor, indices: Tensor, like: Tensor) -> Tensor:
    """Put ``features`` at ``indices`` of maps of zeros as large as those of ``like`` (SegNet's up-sampling).

    A scatter, because ``torch.nn.functional.max_unpool2d`` has no deterministic implementation and does not
    export. The windows of :func:`pool_with_indices` do not overlap, so no position is written twice.
    """
    batch, channels = features.shape[0], features.shape[1]
    height, width = like.shape[2], like.shape[3]
    empty = features.new_zeros((batch, channels, height * width))
    filled = empty.scatter(2, indices.flatten(2), features.flatten(2))
    return filled.reshape(batch, channels, height, width)
