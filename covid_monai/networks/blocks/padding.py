"""Padding to the sizes that a network's poolings divide, and cropping back.

All select rows and columns instead of padding and slicing, whose strides would tie an exported graph to the
size it was traced with. What has its size already is given back as it is, memory layout and all, except in an
exported graph, which has to fit other sizes too.
"""

import torch
from torch import Tensor

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
