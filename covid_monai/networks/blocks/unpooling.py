"""Max pooling that remembers where its maxima stood, and the un-pooling that puts them back there."""

from torch import Tensor
from torch.nn import functional


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
