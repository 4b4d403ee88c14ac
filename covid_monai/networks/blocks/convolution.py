"""3 x 3 convolutions with an instance normalisation that keeps the layout of its input."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from covid_monai.networks.blocks.exporting import is_exported


class InstanceNorm(nn.InstanceNorm2d):
    """The values of ``torch.nn.InstanceNorm2d`` with learned scale and shift, by batch normalisation of each image.

    On a CPU torch's own turns channels-last features into contiguous ones, and the convolutions around it turn them
    back: a training step of AU-Net at 256 x 256 takes a quarter less time without that. Nor is its gradient right
    for a batch of one channels-last image (torch 2.13; ``tests/networks/blocks/test_instance_norm.py`` shows it).
    Exported graphs and batches on a GPU have torch's own, which takes all images at once.

    Args:
        channels: of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True)

    def forward(self, features: Tensor) -> Tensor:
        """Normalised features ``(N, C, H, W)``, shaped and laid out like the ones given.

        Raises:
            ValueError: the features are single pixels, which have no spread to be divided by.
        """
        if is_exported() or (features.is_cuda and len(features) > 1):
            return functional.instance_norm(features, weight=self.weight, bias=self.bias, eps=self.eps)
        images = [
            functional.batch_norm(image, None, None, self.weight, self.bias, training=True, eps=self.eps)
            for image in features.split(1)
        ]
        return torch.cat(images) if len(images) > 1 else images[0]


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
