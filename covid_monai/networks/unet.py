"""MONAI's U-Net (Ronneberger et al. 2015), so that exported graphs take any size."""

import torch
from monai.networks.nets import BasicUNet
from torch import Tensor

from covid_monai.networks.blocks import extend_to


class UNet(BasicUNet):
    """MONAI's ``BasicUNet`` in two dimensions: the same settings, the same weights, the same output to the bit.

    Its decoder repeats a row or column where pooling has dropped one. MONAI's decides that by the size at hand, and a
    graph exported from it holds for sizes of that kind only.
    """

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, out_channels, H, W)`` of images ``(N, in_channels, H, W)`` of any height and width."""
        first = self.conv_0(image)
        second = self.down_1(first)
        third = self.down_2(second)
        fourth = self.down_3(third)
        features = self.down_4(fourth)
        features = self.upcat_4.convs(_beside(fourth, self.upcat_4.upsample(features)))
        features = self.upcat_3.convs(_beside(third, self.upcat_3.upsample(features)))
        features = self.upcat_2.convs(_beside(second, self.upcat_2.upsample(features)))
        features = self.upcat_1.convs(_beside(first, self.upcat_1.upsample(features)))
        return self.final_conv(features)


def _beside(skip: Tensor, enlarged: Tensor) -> Tensor:
    return torch.cat([skip, extend_to(enlarged, skip.shape[2], skip.shape[3])], dim=1)
