"""The attention gate on the skip connections of A-SegNet."""

import torch
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
