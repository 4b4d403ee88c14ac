"""The overlap losses that the papers compare: Dice, Tversky and focal Tversky."""

from monai.losses import TverskyLoss
from torch import Tensor

SMALLEST_BASE = 1e-6
"""1 - TI is not let below this: the gradient of a root is infinite at 0, which a perfect slice reaches."""


class FocalTverskyLoss(TverskyLoss):
    """``sum_c (1 - TI_c)^(1/gamma)``, averaged over the images of a batch.

    ``TI = TP / (TP + w_fp FP + w_fn FN)``. The papers give the two weights different letters: alpha weighs false
    negatives in Zhou et al. 2020 (eq. 7) and false positives in Budak et al. 2021 (eq. 7 and Table 1); hence the
    plain names here. With gamma 1 it is the Tversky loss; with both weights 0.5 as well it is the Dice loss.

    The terms are summed over the classes, as both papers print it, where MONAI's own losses take their mean.

    Args:
        false_positive_weight: weight of false positives, MONAI's alpha.
        false_negative_weight: weight of false negatives, MONAI's beta.
        gamma: at least 1; both papers use 4/3, which makes the exponent 0.75.
        softmax: the input is logits of exclusive classes; otherwise logits of independent ones (sigmoid).
        include_background: whether class 0 counts in the sum.
        batch: whether TI is taken over the whole batch instead of image by image.

    Raises:
        ValueError: gamma is below 1, or a weight is negative.
    """

    def __init__(
        self,
        false_positive_weight: float,
        false_negative_weight: float,
        gamma: float,
        *,
        softmax: bool = True,
        include_background: bool = True,
        batch: bool = False,
    ) -> None:
        if gamma < 1:
            raise ValueError(f"gamma is {gamma}; it must be 1 (Tversky loss) or more")
        if min(false_positive_weight, false_negative_weight) < 0:
            raise ValueError(f"weights are {false_positive_weight}, {false_negative_weight}; they must not be negative")
        super().__init__(
            include_background=include_background,
            to_onehot_y=softmax,
            softmax=softmax,
            sigmoid=not softmax,
            alpha=false_positive_weight,
            beta=false_negative_weight,
            reduction="none",
            batch=batch,
        )
        self.gamma = gamma

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of logits ``(N, C, H, W)`` against a label map ``(N, 1, H, W)``, as a float32 scalar.

        Computed in float32 whatever the input's type, as sums over a slice exceed what bfloat16 can count.
        """
        per_class = super().forward(input.float(), target)
        if self.gamma != 1:
            per_class = per_class.clamp(min=SMALLEST_BASE) ** (1 / self.gamma)
        images = 1 if self.batch else input.shape[0]
        return per_class.sum() / images


LOSSES = ("dice", "tversky", "focal_tversky")


def overlap_loss(
    name: str,
    false_positive_weight: float,
    false_negative_weight: float,
    gamma: float,
    *,
    softmax: bool = True,
    include_background: bool = True,
    batch: bool = False,
) -> FocalTverskyLoss:
    """A loss of the papers by its name: DL is ``"dice"``, TL ``"tversky"`` and FTL ``"focal_tversky"``.

    They are one function with fewer and fewer settings: Tversky ignores ``gamma``, Dice ignores the weights too.
    Settings as in :class:`FocalTverskyLoss`.

    Raises:
        ValueError: the name is not one of ``LOSSES``.
    """
    if name not in LOSSES:
        raise ValueError(f"loss is {name!r}; it can be one of {', '.join(LOSSES)}")
    if name == "dice":
        false_positive_weight = false_negative_weight = 0.5
    return FocalTverskyLoss(
        false_positive_weight=false_positive_weight,
        false_negative_weight=false_negative_weight,
        gamma=gamma if name == "focal_tversky" else 1.0,
        softmax=softmax,
        include_background=include_background,
        batch=batch,
    )
