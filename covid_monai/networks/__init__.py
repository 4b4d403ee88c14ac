"""The papers' networks, usable alone: ``from covid_monai.networks import ASegNet``."""

from covid_monai.networks.a_segnet import ASegNet
from covid_monai.networks.au_net import AUNet
from covid_monai.networks.residual_attention_unet import ResidualAttentionUNet
from covid_monai.networks.unet import UNet

__all__ = ["ASegNet", "AUNet", "ResidualAttentionUNet", "UNet"]
