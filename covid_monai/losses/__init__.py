"""The papers' overlap losses, on MONAI's own."""

from covid_monai.losses.focal_tversky import FocalTverskyLoss
from covid_monai.losses.overlap import LOSSES, overlap_loss

__all__ = ["LOSSES", "FocalTverskyLoss", "overlap_loss"]
