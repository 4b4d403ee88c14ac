"""What of lungs is cut by the field's edges or absent."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from nibabel.orientations import apply_orientation

from covid_monai.lungs.lungs import EDGES, SIDES, Lungs
from covid_monai.lungs.morphology import Mask

# of both lungs, below which what is on a side is no lung
_LEAST_LUNG = 0.02
# of a lung's largest section in the same direction
_LEAST_CUT = 0.01


def described(
    labels: npt.NDArray[np.uint8],
    airways: Mask,
    carina: npt.NDArray[np.float64] | None,
    *,
    orientation: npt.NDArray[np.float64],
    cut: Iterable[str] = (),
    warnings: Iterable[str] = (),
) -> Lungs:
    """Lungs with what is absent and cut of them.

    Args:
        labels: (i, j, k) on the CT's grid; a side with hardly a voxel is taken out of them.
        airways: (i, j, k) on the CT's grid.
        orientation: nibabel's, of the CT's axes.
        cut: edges that are known to cut a lung, beside those where the array ends.
        warnings: what is known already.
    """
    sizes = {side: int((labels == side).sum()) for side in SIDES}
    absent = [side for side, size in sizes.items() if size <= _LEAST_LUNG * sum(sizes.values())]
    if any(sizes[side] for side in absent):
        labels = np.where(np.isin(labels, absent), 0, labels).astype(np.uint8)
    told = [*warnings, *(f"no {SIDES[side]} lung with air in it was found" for side in absent)]
    edges = set(cut) | _edges_of_array(labels > 0, orientation)
    if edges:
        told.append(f"the field cuts the lungs at its {', '.join(sorted(edges))}")
    sides = frozenset(SIDES[side] for side in absent)
    return Lungs(labels, airways & (labels == 0), carina, frozenset(edges), sides, tuple(told))


def against_outside(cavities: npt.NDArray[np.uint8], outside: Mask) -> set[str]:
    """The sides where lungs lie against what is outside of the body, on axes R, A, S: a round field cuts them there."""
    from scipy.ndimage import binary_dilation

    cut = set()
    for side in SIDES:
        lung = cavities == side
        contact = np.argwhere(binary_dilation(lung, np.ones((3, 3, 1), bool)) & outside)
        if len(contact) <= _LEAST_CUT * lung.sum() ** (2 / 3):
            continue
        away = contact[:, :2].mean(axis=0) - np.argwhere(lung)[:, :2].mean(axis=0)
        axis = int(np.argmax(np.abs(away)))
        cut.add(EDGES[2 * axis + int(away[axis] > 0)])
    return cut


def _edges_of_array(lungs: Mask, orientation: npt.NDArray[np.float64]) -> set[str]:
    """The edges of an array (i, j, k) where lungs end with it, in the patient's directions."""
    turned = apply_orientation(lungs, orientation)
    cut = set()
    for axis in range(3):
        sections = turned.sum(axis=tuple({0, 1, 2} - {axis}))
        for end, edge in zip((0, -1), EDGES[2 * axis : 2 * axis + 2], strict=True):
            if sections[end] > _LEAST_CUT * sections.max():
                cut.add(edge)
    return cut
