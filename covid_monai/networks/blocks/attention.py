"""Attention of A-SegNet's skip connections and of AU-Net's levels."""

import torch
from monai.networks.blocks import ChannelSELayer
from torch import Tensor, nn
from torch.nn import functional


class MultiplicativeAttentionGate(nn.Module):
    """Weigh skip features by how well they agree with a coarser gating signal.

    ``alpha = sigmoid(psi(relu(W_g g * x + b_g)) + b_psi)`` and the output is ``alpha * x``; ``W_g`` and ``psi``
    are 1x1 convolutions, ``psi`` to one map. After Budak et al. 2021, "Attention Gate Module"; the paper's own
    formula is not in the text that is publicly readable, so this is a reconstruction from its description
    (multiplicative attention, ReLU then sigmoid, the two 1x1 transformations and their biases).

    Args:
        skip_channels: channels of the skip features ``x``.
        gate_channels: channels of the gating signal ``g``.
    """

    def __init__(self, skip_channels: int, gate_channels: int) -> None:
        super().__init__()
        self.gating = nn.Conv2d(gate_channels, skip_channels, kernel_size=1, bias=False)
        self.gating_bias = nn.Parameter(torch.zeros(skip_channels, 1, 1))
        self.psi = nn.Conv2d(skip_channels, 1, kernel_size=1)

    def attention(self, skip: Tensor, gate: Tensor) -> Tensor:
        """The weights alpha ``(N, 1, H, W)`` in 0..1 for ``skip`` ``(N, C, H, W)``, of which ``gate`` is coarser."""
        gating = functional.interpolate(self.gating(gate), size=skip.shape[2:], mode="bilinear", align_corners=False)
        return torch.sigmoid(self.psi(torch.relu(gating * skip + self.gating_bias)))

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        """``alpha * skip``, shaped like ``skip``."""
        return self.attention(skip, gate) * skip


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
