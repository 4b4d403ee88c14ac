"""Building blocks, one a file, that MONAI and torch do not have."""

from covid_monai.networks.blocks.attention_gate import MultiplicativeAttentionGate
from covid_monai.networks.blocks.padding import crop_to, pad_to_multiple
from covid_monai.networks.blocks.unpooling import pool_with_indices, unpool

__all__ = ["MultiplicativeAttentionGate", "crop_to", "pad_to_multiple", "pool_with_indices", "unpool"]
