"""What a measure is worth where a mask is empty."""

EMPTY_MASK_RULE = (
    "Reference and prediction both empty (both_empty): Dice, IoU and surface Dice are 1; sensitivity, "
    "precision and HD95 are undefined. Only the reference empty (reference_empty): Dice, IoU, surface Dice "
    "and precision are 0; sensitivity and HD95 are undefined. Only the prediction empty (missed): Dice, IoU, "
    "surface Dice and sensitivity are 0; precision and HD95 are undefined. An undefined value is left out of "
    "its mean; every mean says how many values it used and how many it left out, and why."
)

EMPTY_KINDS = ("both_empty", "reference_empty", "missed")


def empty_kind(prediction_empty: bool, reference_empty: bool) -> str:
    """One of ``EMPTY_KINDS``, or ``""`` where both masks have pixels."""
    if prediction_empty:
        return "both_empty" if reference_empty else "missed"
    return "reference_empty" if reference_empty else ""
