"""Building blocks, one a file, that MONAI and torch do not have."""

from covid_monai.networks.blocks.attention import MultiplicativeAttentionGate, SpatialChannelAttention
from covid_monai.networks.blocks.convolution import InstanceNorm, normalised_convolution
from covid_monai.networks.blocks.lsh.attention import LSHAttention
from covid_monai.networks.blocks.residual import DilatedResidualBlock, ResNeXtBlock
from covid_monai.networks.blocks.resizing import crop_to, extend_to, pad_to_multiple, pool_with_indices, unpool

__all__ = [
    "DilatedResidualBlock",
    "InstanceNorm",
    "LSHAttention",
    "MultiplicativeAttentionGate",
    "ResNeXtBlock",
    "SpatialChannelAttention",
    "crop_to",
    "extend_to",
    "normalised_convolution",
    "pad_to_multiple",
    "pool_with_indices",
    "unpool",
]
