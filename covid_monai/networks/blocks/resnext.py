"""The aggregated residual block of ResNeXt."""

from monai.networks.blocks import Convolution
from torch import Tensor, nn


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
