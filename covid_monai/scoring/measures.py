"""Which measures there are: their names, headings, digits and direction."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """A measure of a mask against its reference.

    Attributes:
        heading: what it is called in a table, with its unit.
        digits: behind the decimal point, where it is shown.
        higher_is_better: whether a better mask has a higher value.
        of_surfaces: whether it is measured on surfaces, and so only where the spacing is real; else it is a ratio of
            counts of pixels, 0..1.
        highest: its upper end; the lower one is 0.
    """

    heading: str
    digits: int = 3
    higher_is_better: bool = True
    of_surfaces: bool = False
    highest: float = 1.0


MEASURES = {
    "dice": Measure("Dice"),
    "iou": Measure("IoU"),
    "sensitivity": Measure("Sensitivity"),
    "specificity": Measure("Specificity"),
    "precision": Measure("Precision"),
    "accuracy": Measure("Accuracy"),
    "hd95_mm": Measure("HD95 (mm)", digits=1, higher_is_better=False, of_surfaces=True, highest=math.inf),
    "surface_dice": Measure("Surface Dice", of_surfaces=True),
}
"""By their names in ``scores.csv`` and ``scores.json``, in the order of tables."""
