"""A-SegNet: SegNet with attention gates on its skip connections (Budak et al. 2021)."""

import itertools
from collections.abc import Sequence

import torch
from monai.networks.blocks import Convolution
from torch import Tensor, nn

from covid_monai.networks.blocks import (
    MultiplicativeAttentionGate,
    crop_to,
    pad_to_multiple,
    pool_with_indices,
    unpool,
)

GATE_MERGES = ("concatenate", "add")
GATE_INPUTS = ("features", "pooled")


class ASegNet(nn.Module):
    """SegNet whose skips pass an attention gate; without attention it is the paper's SegNet baseline.

    Every encoder level is a row of 3x3 convolutions with batch normalisation and ReLU, then 2x2 max pooling. A
    decoder level puts its input back at the pooling's indices, joins what the gate lets through of the encoder's
    features, and convolves. The gate listens to the previous decoder level (the bottleneck, for the deepest); what it
    weighs are the encoder's features before pooling, or those after it, which are then put back at their indices too.
    Sizes that the poolings do not divide are padded with the image's border, and the output is cropped back.

    Args:
        in_channels: channels of the input image.
        out_channels: classes, background included.
        channels: features per level, from fine to coarse.
        convolutions: convolutions per level, from fine to coarse.
        attention: whether there are gates and skips; False is SegNet, which has neither.
        decoder_relu: whether decoder convolutions are followed by ReLU. The paper's decoders "do not have a
            nonlinear effect".
        gate_merge: ``"concatenate"`` or ``"add"`` the gate's output to the un-pooled features.
        gate_input: what a gate weighs: the encoder level's ``"features"``, or its ``"pooled"`` ones ("the output of
            the maximum pooling is fed to the input of both the next encoder and the corresponding decoder").

    Raises:
        ValueError: the levels of ``channels`` and ``convolutions`` differ, or ``gate_merge`` or ``gate_input`` is
            unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int],
        convolutions: Sequence[int],
        attention: bool = True,
        decoder_relu: bool = False,
        gate_merge: str = "concatenate",
        gate_input: str = "features",
    ) -> None:
        super().__init__()
        if len(channels) != len(convolutions):
            raise ValueError(
                f"channels names {len(channels)} levels and convolutions {len(convolutions)}; give one number a level"
            )
        if gate_merge not in GATE_MERGES:
            raise ValueError(f"gate_merge is {gate_merge!r}; it can be one of {', '.join(GATE_MERGES)}")
        if gate_input not in GATE_INPUTS:
            raise ValueError(f"gate_input is {gate_input!r}; it can be one of {', '.join(GATE_INPUTS)}")
        self.stride = 2 ** len(channels)
        finer_to_coarser = list(zip([in_channels, *channels[:-1]], channels, convolutions, strict=True))
        self.encoders = nn.ModuleList(
            _convolutions([before] + [width] * count, relu=True) for before, width, count in finer_to_coarser
        )
        # the finest decoder keeps its width, as there is no finer level to hand on to
        finer_to_coarser[0] = (channels[0], *finer_to_coarser[0][1:])
        self.decoders = nn.ModuleList(
            DecoderLevel(width, handed_on, count, attention, decoder_relu, gate_merge, gate_input == "pooled")
            for handed_on, width, count in reversed(finer_to_coarser)
        )
        self.classifier = nn.Conv2d(channels[0], out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, out_channels, H, W)`` of images ``(N, in_channels, H, W)`` of any height and width."""
        height, width = image.shape[2], image.shape[3]
        skips: list[Tensor] = []
        indices: list[Tensor] = []
        features = pad_to_multiple(image, self.stride)
        for encoder in self.encoders:
            skip = encoder(features)
            features, index = pool_with_indices(skip)
            skips.append(skip)
            indices.append(index)
        for decoder in self.decoders:
            features = decoder(features, skips.pop(), indices.pop())
        return crop_to(self.classifier(features), height, width)


class DecoderLevel(nn.Module):
    """One un-pooling step: features back at their indices, joined by what the gate lets through of the skip.

    Args:
        width: channels of this level's input and skip.
        handed_on: channels of its output.
        convolutions: how many.
        attention, relu, gate_merge: as ``attention``, ``decoder_relu`` and ``gate_merge`` of :class:`ASegNet`.
        gates_pooled: whether the gate weighs the skip's pooled features, which are then put back at their indices.
    """

    def __init__(
        self,
        width: int,
        handed_on: int,
        convolutions: int,
        attention: bool,
        relu: bool,
        gate_merge: str,
        gates_pooled: bool,
    ) -> None:
        super().__init__()
        self.gates_pooled = gates_pooled
        self.gate = MultiplicativeAttentionGate(width, width) if attention else None
        self.concatenates = attention and gate_merge == "concatenate"
        entering = 2 * width if self.concatenates else width
        self.convolutions = _convolutions([entering] + [width] * (convolutions - 1) + [handed_on], relu=relu)

    def forward(self, coarse: Tensor, skip: Tensor, indices: Tensor) -> Tensor:
        """Features ``(N, handed_on, H, W)`` from ``coarse`` ones and an encoder level's ``skip`` and ``indices``."""
        features = unpool(coarse, indices, like=skip)
        if self.gate is not None:
            if self.gates_pooled:
                # pooling has left what stands at the indices
                pooled = skip.flatten(2).gather(2, indices.flatten(2)).reshape(coarse.shape)
                gated = unpool(self.gate(pooled, coarse), indices, like=skip)
            else:
                gated = self.gate(skip, coarse)
            features = torch.cat([features, gated], dim=1) if self.concatenates else features + gated
        return self.convolutions(features)


def _convolutions(channels: Sequence[int], relu: bool) -> nn.Sequential:
    return nn.Sequential(
        *(
            Convolution(2, before, after, adn_ordering="NA", norm="BATCH", act="RELU" if relu else None)
            for before, after in itertools.pairwise(channels)
        )
    )
