"""Residual Attention U-Net: a ResNeXt encoder and LSH attention in the decoder (Chen et al. 2020)."""

import itertools
from collections.abc import Sequence

import torch
from monai.networks.blocks import Convolution
from torch import Tensor, nn
from torch.nn import functional

from covid_monai.networks.blocks import LSHAttention, ResNeXtBlock, extend_to


class ResidualAttentionUNet(nn.Module):
    """Chen's network; without attention it is the paper's M-A, with plain convolutions its M-R.

    Encoder levels are two ResNeXt blocks each, with 2x2 max pooling between them, and a bridge of two 3x3
    convolutions follows the last. A decoder level is a 2x2 transposed convolution that halves the channels, the
    encoder's features beside them, LSH attention over all pixels, whose output is added to what it attended to, and
    two 3x3 convolutions. Where pooling has dropped the last row or column of an odd size, the decoder repeats its own.

    Args:
        in_channels: channels of the input image.
        out_channels: classes, background included.
        channels: features per level, from fine to coarse, the bridge's last; each twice the one before.
        resnext: whether encoder levels are ResNeXt blocks; otherwise two 3x3 convolutions, as in U-Net.
        cardinality: groups of the ResNeXt blocks.
        attention: whether decoder levels have LSH attention.
        attention_heads: heads of the attention, each with ``channels / heads`` features a pixel.
        attention_rounds: rounds of hashing.
        attention_chunk: pixels in a chunk of the sorted ones; a pixel attends to its chunk and the one before.
        attention_within_bucket: whether a pixel attends to those of its own bucket alone, as the paper prints it.
        seed: of the hashing while training.

    Raises:
        ValueError: there are fewer than two levels, their channels do not double, or heads or cardinality do not
            divide them.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        resnext: bool = True,
        cardinality: int = 32,
        attention: bool = True,
        attention_heads: int = 8,
        attention_rounds: int = 4,
        attention_chunk: int = 64,
        attention_within_bucket: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if len(channels) < 2 or any(coarse != 2 * fine for fine, coarse in itertools.pairwise(channels)):
            raise ValueError(f"channels are {list(channels)}; give two levels or more, each with twice the one before")
        *encoder_channels, bridge_channels = channels
        self.encoders = nn.ModuleList(
            _residual_blocks(before, width, cardinality) if resnext else _convolutions(before, width)
            for before, width in itertools.pairwise([in_channels, *encoder_channels])
        )
        self.bridge = _convolutions(encoder_channels[-1], bridge_channels)
        self.decoders = nn.ModuleList(
            DecoderLevel(
                fine,
                # a level's own number, so that the levels hash differently
                LSHAttention(
                    2 * fine,
                    attention_heads,
                    attention_rounds,
                    attention_chunk,
                    seed=seed + level,
                    within_bucket=attention_within_bucket,
                )
                if attention
                else None,
            )
            for level, fine in enumerate(reversed(encoder_channels))
        )
        self.classifier = nn.Conv2d(channels[0], out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, out_channels, H, W)`` of images ``(N, in_channels, H, W)``, which four poolings must not use up.

        With five levels the smallest image is 16 x 16.
        """
        skips: list[Tensor] = []
        features = image
        for encoder in self.encoders:
            skip = encoder(features)
            skips.append(skip)
            features = functional.max_pool2d(skip, kernel_size=2)
        features = self.bridge(features)
        for decoder in self.decoders:
            features = decoder(features, skips.pop())
        logits: Tensor = self.classifier(features)
        return logits


class DecoderLevel(nn.Module):
    """A transposed convolution, the skip, attention with a residual, and two convolutions.

    Args:
        channels: of the skip and of the output; the input has twice as many.
        attention: over ``2 * channels`` features a pixel, or None.
    """

    def __init__(self, channels: int, attention: LSHAttention | None) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(2 * channels, channels, kernel_size=2, stride=2)
        self.attention = attention
        self.convolutions = _convolutions(2 * channels, channels)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Features like ``skip`` ``(N, channels, H, W)`` from ``features`` ``(N, 2 channels, H // 2, W // 2)``."""
        enlarged = extend_to(self.enlarge(features), skip.shape[2], skip.shape[3])
        joined = torch.cat([enlarged, skip], dim=1)
        if self.attention is not None:
            joined = joined + self.attention(joined)
        refined: Tensor = self.convolutions(joined)
        return refined


def _residual_blocks(before: int, width: int, cardinality: int) -> nn.Sequential:
    # two, since they stand in for U-Net's two 3x3 convolutions
    return nn.Sequential(ResNeXtBlock(before, width, cardinality), ResNeXtBlock(width, width, cardinality))


def _convolutions(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        *(
            Convolution(2, entering, width, bias=False, adn_ordering="NA", norm="BATCH", act="RELU")
            for entering in (before, width)
        )
    )
