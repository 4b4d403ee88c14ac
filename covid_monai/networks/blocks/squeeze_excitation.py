"""Concurrent spatial and channel squeeze and excitation (scSE), the attention of AU-Net."""

import torch
from monai.networks.blocks import ChannelSELayer
from torch import Tensor, nn


class SpatialChannelAttention(nn.Module):
    """The sum of features weighed by channel and features weighed by position.

    ``Z_f = Z_c + Z_s`` (Zhou et al. 2021, eqs. 4 to 7; Roy et al. 2018): for ``Z_c`` the mean of each channel
    passes two fully connected layers with a ReLU between them and a sigmoid; for ``Z_s`` a 1x1 convolution without
    bias gives one map, and a sigmoid its weights.

    Args:
        channels: of the features.
        reduction: by how much the first fully connected layer narrows; the paper's 32 to 16 to 32 is 2.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.channel_attention = ChannelSELayer(2, channels, r=reduction)
        self.spatial_attention = nn.Conv2d(channels, 1, kernel_size=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Weighed features ``(N, C, H, W)``, shaped like the ones given."""
        by_channel: Tensor = self.channel_attention(features)
        return by_channel + features * torch.sigmoid(self.spatial_attention(features))
