"""A loss for labels of which some tell the kinds of lesion, and some only that there is one."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from covid_monai.losses.overlap import FocalTverskyLoss


class MarginalLesionLoss(nn.Module):
    """Focal Tversky loss of all lesions together, plus the cross-entropy of their kinds as far as these are known.

    The network's classes are exclusive: background, and the kinds of lesion, 1 to C - 1. A label of C says that a pixel
    is a lesion of a kind that nobody wrote down; its probability is the sum over the kinds (the marginal loss of Shi et
    al. 2021, "Marginal loss and exclusion loss for partially supervised multi-organ segmentation"). So slices with
    and without the kinds train one network, and those without say nothing about which kind it is.

    Args:
        false_positive_weight: see :class:`FocalTverskyLoss`; its TI is taken over the whole batch, since a slice
            without lesions has none of its own.
        false_negative_weight: see :class:`FocalTverskyLoss`.
        gamma: see :class:`FocalTverskyLoss`.
        cross_entropy_weight: the factor of the cross-entropy.

    Raises:
        ValueError: a weight is negative, or gamma below 1.
    """

    def __init__(
        self,
        *,
        false_positive_weight: float,
        false_negative_weight: float,
        gamma: float = 1.0,
        cross_entropy_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if cross_entropy_weight < 0:
            raise ValueError(f"cross_entropy_weight is {cross_entropy_weight}; it must not be negative")
        self.overlap = FocalTverskyLoss(
            false_positive_weight, false_negative_weight, gamma, include_background=False, batch=True
        )
        self.cross_entropy_weight = cross_entropy_weight

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of logits ``(N, C, H, W)`` against a label map ``(N, 1, H, W)`` of 0 to C, as a float32 scalar."""
        logits = input.float()
        lesion_or_not = torch.stack([logits[:, 0], logits[:, 1:].logsumexp(dim=1)], dim=1)
        overlap = self.overlap(lesion_or_not, (target > 0).to(target.dtype))
        of_any_lesion = lesion_or_not.log_softmax(dim=1)[:, 1:]
        log_probabilities = torch.cat([logits.log_softmax(dim=1), of_any_lesion], dim=1)
        # pixel by pixel, as CUDA has no deterministic loss of whole maps
        flat = log_probabilities.movedim(1, -1).reshape(-1, log_probabilities.shape[1])
        of_kinds = functional.nll_loss(flat, target.reshape(-1).long())
        loss: Tensor = overlap + self.cross_entropy_weight * of_kinds
        return loss
