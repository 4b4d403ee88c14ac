"""Building blocks, one a file, that MONAI and torch do not have."""

from covid_monai.networks.blocks.attention_gate import MultiplicativeAttentionGate
from covid_monai.networks.blocks.dilated_residual import DilatedResidualBlock
from covid_monai.networks.blocks.instance_norm import InstanceNorm
from covid_monai.networks.blocks.lsh_attention import LSHAttention
from covid_monai.networks.blocks.normalised_convolution import normalised_convolution
from covid_monai.networks.blocks.padding import crop_to, extend_to, pad_to_multiple
from covid_monai.networks.blocks.resnext import ResNeXtBlock
from covid_monai.networks.blocks.squeeze_excitation import SpatialChannelAttention
from covid_monai.networks.blocks.unpooling import pool_with_indices, unpool

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
