"""Which lung is the patient's right one."""

import numpy as np
import numpy.typing as npt

from covid_monai.lungs.lungs import LEFT, RIGHT
from covid_monai.lungs.morphology import Mask, components, signed_distance

# mm that are peeled off until lungs that touch come apart
_PEELED_MM = (0.0, 2.0, 4.0, 6.0, 9.0, 12.0)
# of the larger lung, what the smaller must have at least, and what is a lung's fragment
_LEAST_OTHER = 0.1
_LEAST_FRAGMENT = 0.002
# mm, beyond which a lung's depth makes no basins of its own
_DEEPEST_MM = 30.0
# a vertebra is about as broad
_BONE_HU = (0.0, 500.0)
_SPINE_MM = 25.0
# of the slices that show lung
_MOSTLY = 0.8
# of a lung that holds together, what must lie on either side for it to be two
_BOTH_SIDES = 0.2


def middle_of(
    airways: Mask, hu: npt.NDArray[np.float32], lungs: Mask, inside: Mask, spacing: npt.NDArray[np.float64]
) -> float:
    """The index along R between left and right: the trachea's, or without one that of the spine.

    Where the field has the skin of one side alone, its other edge is the middle, since half a spine is hard to see.

    Args:
        airways, lungs, inside: bool, on axes R, A, S, as is ``hu``; ``inside`` is the body.
    """
    from scipy.ndimage import uniform_filter1d

    if airways.any() or not lungs.any():
        return _across(airways) if airways.any() else (lungs.shape[0] - 1) / 2
    slices = lungs.any(axis=(0, 1))
    cut_left, cut_right = (inside[end][:, slices].any(axis=0).mean() for end in (0, -1))
    if max(cut_left, cut_right) > _MOSTLY and min(cut_left, cut_right) < 1 - _MOSTLY:
        return 0.0 if cut_left > cut_right else lungs.shape[0] - 1.0
    behind = np.arange(hu.shape[1]) < np.median(np.nonzero(lungs)[1])
    bone = np.clip(hu[:, behind][:, :, slices], *_BONE_HU)
    for axis in range(2):
        bone = uniform_filter1d(bone, max(1, round(_SPINE_MM / spacing[axis])), axis=axis, mode="nearest")
    # nothing in the back is as broad and dense as a vertebra
    return float(np.median(bone.max(axis=1).argmax(axis=0)))


def part_sides(lungs: Mask, middle: float, spacing: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Label each voxel of the lungs RIGHT or LEFT, on axes R, A, S.

    Lungs that touch are peeled until they come apart, and meet again where floods from both do: the watershed of the
    distance from their surface (Meyer 1994, doi:10.1016/0165-1684(94)90060-4).

    Args:
        middle: index along R between the sides: the trachea's, or the body's.
    """
    import SimpleITK

    if not lungs.any():
        return np.zeros(lungs.shape, np.uint8)
    depth = np.minimum(-signed_distance(lungs, spacing), _DEEPEST_MM)
    for peeled in _PEELED_MM:
        labels, sizes = components(lungs & (depth > peeled))
        centres = {number: _across(labels == number) for number in _two_largest(sizes)}
        if len({centre > middle for centre in centres.values()}) == 2:
            break
    else:
        labels, sizes = components(lungs)
        if _on_both_sides(labels == sizes.argmax(), middle):
            beyond = np.arange(lungs.shape[0]) > middle
            return np.where(lungs, np.where(beyond, RIGHT, LEFT)[:, None, None], 0).astype(np.uint8)
    markers = np.zeros(lungs.shape, np.uint8)
    for number in np.flatnonzero(sizes > _LEAST_FRAGMENT * sizes.max()):
        region = labels == number
        markers[region] = RIGHT if _across(region) > middle else LEFT
    flooded = SimpleITK.MorphologicalWatershedFromMarkers(
        SimpleITK.GetImageFromArray(-depth), SimpleITK.GetImageFromArray(markers), markWatershedLine=False
    )
    return np.where(lungs, SimpleITK.GetArrayFromImage(flooded), 0).astype(np.uint8)


def _on_both_sides(region: Mask, middle: float) -> bool:
    share = region[np.arange(region.shape[0]) > middle].sum() / max(1, region.sum())
    return bool(_BOTH_SIDES <= share <= 1 - _BOTH_SIDES)


def _two_largest(sizes: npt.NDArray[np.int_]) -> list[int]:
    order = np.argsort(sizes)[::-1][:2]
    return [int(number) for number in order if sizes[number] > _LEAST_OTHER * sizes.max()]


def _across(region: Mask) -> float:
    counts = region.sum(axis=(1, 2))
    return float(np.arange(len(counts)) @ counts / counts.sum())
