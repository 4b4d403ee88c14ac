"""The papers' losses, on those of MONAI and torch."""

from covid_monai.losses.cross_entropy import CrossEntropyLoss
from covid_monai.losses.overlap import LOSSES, FocalTverskyLoss, overlap_loss

__all__ = ["LOSSES", "CrossEntropyLoss", "FocalTverskyLoss", "overlap_loss"]
