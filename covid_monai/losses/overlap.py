"""One name for each overlap loss that the papers compare."""

from covid_monai.losses.focal_tversky import FocalTverskyLoss

LOSSES = ("dice", "tversky", "focal_tversky")


def overlap_loss(
    name: str,
    false_positive_weight: float,
    false_negative_weight: float,
    gamma: float,
    softmax: bool = True,
    include_background: bool = True,
    batch: bool = False,
) -> FocalTverskyLoss:
    """The papers' DL, TL or FTL: ``"dice"``, ``"tversky"`` or ``"focal_tversky"``.

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
