"""The papers' networks, usable alone: ``from covid_monai.networks import ASegNet``."""

from covid_monai.networks.a_segnet import ASegNet

__all__ = ["ASegNet"]
