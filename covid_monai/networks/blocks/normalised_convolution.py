"""A 3x3 convolution with instance normalisation, and an activation where there is to be one."""

from collections import OrderedDict

from torch import nn

from covid_monai.networks.blocks.instance_norm import InstanceNorm


def normalised_convolution(
    in_channels: int,
    out_channels: int,
    stride: int = 1,
    dilation: int = 1,
    negative_slope: float | None = None,
) -> nn.Sequential:
    """A 3x3 convolution, padded so that a stride of 1 keeps the size, and what follows it.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        stride: of the convolution.
        dilation: of the convolution.
        negative_slope: of the leaky ReLU after the normalisation; none follows if None.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["convolution"] = nn.Conv2d(in_channels, out_channels, 3, stride, padding=dilation, dilation=dilation)
    layers["norm"] = InstanceNorm(out_channels)
    if negative_slope is not None:
        layers["activation"] = nn.LeakyReLU(negative_slope)
    return nn.Sequential(layers)
