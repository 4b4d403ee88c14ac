"""The res_dil block of AU-Net."""

from torch import Tensor, nn

from covid_monai.networks.blocks.normalised_convolution import normalised_convolution

DILATIONS = (2, 4)
"""Rates of the two convolutions (Zhou et al. 2021, fig. 2). Together they see 13 x 13 pixels, not the 15 x 15 that the
paper states, which would take a convolution of rate 1 before them."""


class DilatedResidualBlock(nn.Module):
    """Two dilated 3x3 convolutions with instance normalisation, around which the input is added.

    Zhou et al. 2021, "Res dil block and deep supervision". The drawing of the block is not in the text that is
    publicly readable; here the sum is activated, as in a ResNet, and where the numbers of channels differ the input
    passes a 1x1 convolution before it is added.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        negative_slope: of the leaky ReLU.
    """

    def __init__(self, in_channels: int, out_channels: int, negative_slope: float) -> None:
        super().__init__()
        first, second = DILATIONS
        self.first = normalised_convolution(in_channels, out_channels, dilation=first, negative_slope=negative_slope)
        self.second = normalised_convolution(out_channels, out_channels, dilation=second)
        self.shortcut = (
            nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, kernel_size=1)
        )
        self.activation = nn.LeakyReLU(negative_slope)

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(N, out_channels, H, W)`` of ``(N, in_channels, H, W)``."""
        change = self.second(self.first(features))
        activated: Tensor = self.activation(change + self.shortcut(features))
        return activated
