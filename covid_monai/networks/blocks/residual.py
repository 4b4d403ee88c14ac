"""Residual blocks: the dilated one of AU-Net, and the aggregated one of ResNeXt."""

from monai.networks.blocks import Convolution
from torch import Tensor, nn

from covid_monai.networks.blocks.convolution import normalised_convolution

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


class ResNeXtBlock(nn.Module):
    """A bottleneck whose 3x3 convolution is split into groups, around which the input is added.

    ``y = ReLU(x + sum_i T_i(x))`` (Xie et al. 2017, eq. 3), in its form with grouped convolution (fig. 3c): 1x1 to
    the bottleneck's width, 3x3 in ``cardinality`` groups, 1x1 to ``out_channels``, each with batch normalisation.
    Where the numbers of channels differ the input passes a 1x1 convolution with batch normalisation.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; the bottleneck is half as wide.
        cardinality: groups of the 3x3 convolution; they must divide the bottleneck's width.

    Raises:
        ValueError: they do not.
    """

    def __init__(self, in_channels: int, out_channels: int, cardinality: int) -> None:
        super().__init__()
        width = out_channels // 2
        if width % cardinality:
            raise ValueError(
                f"cardinality is {cardinality} and the bottleneck of {out_channels} channels {width} wide; "
                "it must divide that width"
            )
        self.transformations = nn.Sequential(
            _convolution(in_channels, width, 1, act="RELU"),
            _convolution(width, width, 3, act="RELU", groups=cardinality),
            _convolution(width, out_channels, 1, act=None),
        )
        self.shortcut = (
            nn.Identity() if in_channels == out_channels else _convolution(in_channels, out_channels, 1, act=None)
        )
        self.activation = nn.ReLU()

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(N, out_channels, H, W)`` of ``(N, in_channels, H, W)``."""
        activated: Tensor = self.activation(self.transformations(features) + self.shortcut(features))
        return activated


def _convolution(before: int, after: int, kernel: int, act: str | None, groups: int = 1) -> Convolution:
    return Convolution(
        2,
        before,
        after,
        kernel_size=kernel,
        groups=groups,
        bias=False,
        adn_ordering="NA",
        norm="BATCH",
        act=act,
    )
