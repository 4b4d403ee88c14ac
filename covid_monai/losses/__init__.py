"""The papers' losses, on those of MONAI and torch."""

from covid_monai.losses.cross_entropy import CrossEntropyLoss
from covid_monai.losses.generalised_dice import GeneralisedDiceLoss
from covid_monai.losses.marginal import MarginalLesionLoss
from covid_monai.losses.named import LOSSES, named_loss
from covid_monai.losses.overlap import FocalTverskyLoss, overlap_loss

__all__ = [
    "LOSSES",
    "CrossEntropyLoss",
    "FocalTverskyLoss",
    "GeneralisedDiceLoss",
    "MarginalLesionLoss",
    "named_loss",
    "overlap_loss",
]
