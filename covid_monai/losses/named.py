"""All losses of the papers by the names that the bundles' settings give them."""

from torch import nn

from covid_monai.losses.cross_entropy import CrossEntropyLoss
from covid_monai.losses.generalised_dice import GeneralisedDiceLoss
from covid_monai.losses.overlap import LOSSES as OVERLAP_LOSSES
from covid_monai.losses.overlap import overlap_loss

LOSSES = (*OVERLAP_LOSSES, "generalised_dice", "cross_entropy")


def named_loss(
    name: str,
    *,
    false_positive_weight: float = 0.5,
    false_negative_weight: float = 0.5,
    gamma: float = 1.0,
    softmax: bool = True,
    include_background: bool = True,
    batch: bool = False,
) -> nn.Module:
    """A loss of logits ``(N, C, H, W)`` against a label map ``(N, 1, H, W)`` by its name.

    Settings are those of :func:`covid_monai.losses.overlap_loss`; each loss ignores what it does not have:
    ``generalised_dice`` the weights and ``gamma``, ``cross_entropy`` (Budak et al. 2021, eq. 3) everything.

    Raises:
        ValueError: the name is not one of ``LOSSES``, or it is ``cross_entropy`` and the classes are not exclusive.
    """
    if name in OVERLAP_LOSSES:
        return overlap_loss(
            name,
            false_positive_weight,
            false_negative_weight,
            gamma,
            softmax=softmax,
            include_background=include_background,
            batch=batch,
        )
    if name == "generalised_dice":
        return GeneralisedDiceLoss(softmax=softmax, include_background=include_background, batch=batch)
    if name == "cross_entropy":
        if not softmax:
            raise ValueError("loss cross_entropy is that of exclusive classes; set softmax to true")
        return CrossEntropyLoss()
    raise ValueError(f"loss is {name!r}; it can be one of {', '.join(LOSSES)}")
