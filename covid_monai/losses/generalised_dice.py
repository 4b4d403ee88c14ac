"""The generalised Dice loss, which weighs a class by how little of an image it fills."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class GeneralisedDiceLoss(nn.Module):
    """``1 - 2 sum_c w_c sum p t / sum_c w_c sum (p^2 + t^2)`` with ``w_c = 1 / (sum t)^2``, image by image.

    Sudre et al. 2017, in the form that MATLAB's ``dicePixelClassificationLayer`` documents: with squares in the
    denominator (Milletari et al. 2016). Unlike :class:`covid_monai.losses.FocalTverskyLoss` with weights of 0.5 it is
    one ratio over all classes, in which a small lesion weighs as much as a large background. A class that an image
    does not have takes the largest weight of those it has, as in MONAI's ``GeneralizedDiceLoss``, which this is if
    ``squared`` is False.

    Args:
        softmax: the input is logits of exclusive classes; otherwise logits of independent ones (sigmoid).
        include_background: whether class 0 counts in the sums.
        batch: whether the ratio is taken over the whole batch instead of image by image.
        squared: whether the denominator has the squares of the probabilities.
    """

    def __init__(
        self,
        *,
        softmax: bool = True,
        include_background: bool = True,
        batch: bool = False,
        squared: bool = True,
    ) -> None:
        super().__init__()
        self.softmax = softmax
        self.include_background = include_background
        self.batch = batch
        self.squared = squared

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of logits ``(N, C, H, W)`` against a label map ``(N, 1, H, W)``, as a float32 scalar from 0 to 1."""
        logits = input.float()
        if self.softmax:
            probability = logits.softmax(1)
            truth = functional.one_hot(target[:, 0].long(), logits.shape[1]).movedim(-1, 1).float()
        else:
            probability, truth = logits.sigmoid(), target.float()
        if not self.include_background and logits.shape[1] > 1:
            probability, truth = probability[:, 1:], truth[:, 1:]
        summed = (0, 2, 3) if self.batch else (2, 3)
        pixels = truth.sum(summed)
        weights = 1 / pixels.clamp(min=1).square()
        # of what is missing the weight would be infinite; where nothing is there, all weigh 1
        weights = torch.where(pixels > 0, weights, torch.where(pixels > 0, weights, 0.0).amax(-1, keepdim=True))
        weights = torch.where(weights > 0, weights, 1.0)
        size = (probability.square() if self.squared else probability) + truth
        overlap = (weights * (probability * truth).sum(summed)).sum(-1)
        union = (weights * size.sum(summed)).sum(-1)
        # no lesion and none found, without the background: nothing is missed
        ratio = (2 * overlap + SMALLEST) / (union + SMALLEST)
        return 1 - ratio.mean()


SMALLEST = 1e-8
"""Added to both sums, whose weights make them small: a lesion of 10,000 pixels has a weight of 1e-8."""
