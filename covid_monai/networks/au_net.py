"""AU-Net: a U-Net of dilated residual blocks with scSE attention and deep supervision (Zhou et al. 2020, 2021)."""

import itertools
from collections.abc import Sequence

import torch
from monai.networks.blocks import UpSample
from torch import Tensor, nn
from torch.nn import functional

from covid_monai.networks.blocks import (
    DilatedResidualBlock,
    SpatialChannelAttention,
    crop_to,
    normalised_convolution,
    pad_to_multiple,
)

HEAD_ENLARGEMENTS = ("bilinear", "nearest")


class AUNet(nn.Module):
    """AU-Net; without attention it is the baseline of both versions of the paper.

    An encoder level is a 3x3 convolution (of stride 2 from the second level on, in place of pooling), a res_dil
    block and scSE; the next level and the skip read the attended features. A decoder level doubles the size, halves
    the channels by a 3x3 convolution, appends the skip, and passes scSE and a res_dil block. Segmentation layers on
    the finest decoder levels are enlarged and added up to the output ("deep supervision"; Isensee et al. 2017).
    Sizes that the strides do not divide are padded with the image's border, and the output is cropped back.

    Args:
        in_channels: channels of the input image.
        out_channels: classes, background included.
        channels: features per level, from fine to coarse; the paper's double from level to level.
        attention: whether there is scSE at every level of encoder and decoder.
        reduction: of scSE's channel part.
        heads: how many decoder levels, from fine to coarse, have a segmentation layer.
        negative_slope: of the leaky ReLU.
        head_enlargement: how the segmentation layers are enlarged before they are added: ``"bilinear"``, or
            ``"nearest"`` as in the Keras port of Isensee et al.'s network.

    Raises:
        ValueError: there are fewer than two levels, or more heads than decoder levels, or none, or
            ``head_enlargement`` is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        attention: bool = True,
        reduction: int = 2,
        heads: int = 3,
        negative_slope: float = 0.01,
        head_enlargement: str = "bilinear",
    ) -> None:
        super().__init__()
        if head_enlargement not in HEAD_ENLARGEMENTS:
            raise ValueError(
                f"head_enlargement is {head_enlargement!r}; it can be one of {', '.join(HEAD_ENLARGEMENTS)}"
            )
        self.head_enlargement = head_enlargement
        if len(channels) < 2:
            raise ValueError(f"channels are {list(channels)}; give at least two levels, such as [32, 64]")
        if not 1 <= heads < len(channels):
            raise ValueError(f"heads is {heads}; with {len(channels)} levels it can be 1 to {len(channels) - 1}")
        self.stride = 2 ** (len(channels) - 1)
        attend = reduction if attention else None
        self.encoders = nn.ModuleList(
            _encoder_level(before, width, 1 if level == 0 else 2, attend, negative_slope)
            for level, (before, width) in enumerate(itertools.pairwise([in_channels, *channels]))
        )
        self.decoders = nn.ModuleList(
            DecoderLevel(coarse, fine, attend, negative_slope)
            for coarse, fine in itertools.pairwise(reversed(channels))
        )
        self.coarsest_head, *finer_heads = (
            nn.Conv2d(width, out_channels, kernel_size=1) for width in reversed(channels[:heads])
        )
        self.finer_heads = nn.ModuleList(finer_heads)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, out_channels, H, W)`` of images ``(N, in_channels, H, W)``.

        Height or width must be over the coarsest level's stride, since a map of one pixel cannot be normalised: with
        five levels the smallest image is 17 x 1.
        """
        height, width = image.shape[2], image.shape[3]
        features = pad_to_multiple(image, self.stride)
        skips: list[Tensor] = []
        for encoder in self.encoders:
            features = encoder(features)
            skips.append(features)
        skips.pop()
        levels: list[Tensor] = []
        for decoder in self.decoders:
            features = decoder(features, skips.pop())
            levels.append(features)
        return crop_to(self._supervised(levels), height, width)

    def _supervised(self, levels: list[Tensor]) -> Tensor:
        coarsest = len(levels) - 1 - len(self.finer_heads)
        logits: Tensor = self.coarsest_head(levels[coarsest])
        for finer, head in enumerate(self.finer_heads, start=coarsest + 1):
            corners = None if self.head_enlargement == "nearest" else False
            enlarged = functional.interpolate(
                logits, scale_factor=2.0, mode=self.head_enlargement, align_corners=corners
            )
            logits = head(levels[finer]) + enlarged
        return logits


class DecoderLevel(nn.Module):
    """Up-sampling, a convolution that changes ``coarse`` channels to ``fine``, the skip, scSE, and res_dil."""

    def __init__(self, coarse: int, fine: int, reduction: int | None, negative_slope: float) -> None:
        super().__init__()
        self.enlarge = UpSample(2, mode="nontrainable", interp_mode="nearest", align_corners=None)
        self.convolution = normalised_convolution(coarse, fine, negative_slope=negative_slope)
        self.attention = nn.Identity() if reduction is None else SpatialChannelAttention(2 * fine, reduction)
        self.residual = DilatedResidualBlock(2 * fine, fine, negative_slope)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Features ``(N, fine, 2H, 2W)`` from ``(N, coarse, H, W)`` and an encoder level's ``skip``."""
        joined = torch.cat([self.convolution(self.enlarge(features)), skip], dim=1)
        refined: Tensor = self.residual(self.attention(joined))
        return refined


def _encoder_level(before: int, width: int, stride: int, reduction: int | None, negative_slope: float) -> nn.Sequential:
    level = nn.Sequential(
        normalised_convolution(before, width, stride, negative_slope=negative_slope),
        DilatedResidualBlock(width, width, negative_slope),
    )
    if reduction is not None:
        level.append(SpatialChannelAttention(width, reduction))
    return level
