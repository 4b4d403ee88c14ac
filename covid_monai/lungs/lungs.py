"""What is known of a CT's lungs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RIGHT, LEFT = 1, 2
"""Labels of the patient's right and left lung."""

SIDES = {RIGHT: "right", LEFT: "left"}
"""The side of each label."""

EDGES = ("left", "right", "back", "front", "bottom", "top")
"""The ends of the axes R, A, S: the patient's left is where R is lowest."""


@dataclass(frozen=True)
class Lungs:
    """The lungs of one CT, on the CT's own grid.

    Attributes:
        labels: uint8 (i, j, k), 0 outside, 1 the patient's right lung, 2 the left one: closed cavities, with lesions
            and vessels in them; trachea, main bronchi and mediastinum are outside.
        airways: bool (i, j, k), trachea and main bronchi; all False where none was found.
        carina: (3,) RAS mm, where the trachea parts; None where it was not found.
        cut: the edges of the field that cut a lung, of "top", "bottom", "right", "left", "front", "back", in the
            patient's directions.
        absent: the sides, of "right" and "left", where no aerated lung was found; what is measured of it is unknown,
            not zero.
        warnings: what may not be as it seems, each a line.
    """

    labels: npt.NDArray[np.uint8]
    airways: npt.NDArray[np.bool_]
    carina: npt.NDArray[np.float64] | None
    cut: frozenset[str]
    absent: frozenset[str]
    warnings: tuple[str, ...]
