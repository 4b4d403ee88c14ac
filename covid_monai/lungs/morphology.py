"""Morphology in millimetres on anisotropic grids, by exact distances."""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def signed_distance(mask: Mask, spacing: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Distances in mm from a mask's surface, negative inside.

    After Maurer, Qi and Raghavan 2003 (doi:10.1109/TPAMI.2003.1177156).
    """
    import SimpleITK

    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(mask.transpose(2, 1, 0), dtype=np.uint8))
    image.SetSpacing([float(step) for step in spacing])
    distances = SimpleITK.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    return SimpleITK.GetArrayFromImage(distances).transpose(2, 1, 0)


def closed(mask: Mask, radius: float, spacing: npt.NDArray[np.float64]) -> Mask:
    """The morphological closing by a ball of ``radius`` mm; the field's edges count as open space."""
    found = _box_of(mask)
    if found is None:
        return mask.copy()
    width = [(int(np.ceil(radius / step)) + 1,) * 2 for step in spacing]
    grown = signed_distance(np.pad(mask[found], width), spacing) <= radius
    shrunk = signed_distance(grown, spacing) < -radius
    inner = tuple(slice(before, -after) for before, after in width)
    result = mask.copy()
    result[found] |= shrunk[inner]
    return result


def filled(mask: Mask) -> Mask:
    """Each axial slice with its holes filled: what is enclosed there by lung belongs to it."""
    from scipy.ndimage import binary_fill_holes

    result = mask.copy()
    for index in np.flatnonzero(mask.any(axis=(0, 1))):
        result[:, :, index] = binary_fill_holes(mask[:, :, index])
    return result


def components(mask: Mask) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int_]]:
    """Connected components by faces, and the voxels of each; entry 0, what is not in the mask, has none."""
    from scipy.ndimage import label

    labels, _ = label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels, sizes


def largest(mask: Mask) -> Mask:
    """The largest component; an empty mask where there is none."""
    labels, sizes = components(mask)
    return (labels == sizes.argmax()) & mask


def box_around(mask: Mask, reach_mm: float, spacing: npt.NDArray[np.float64]) -> tuple[slice, ...]:
    """The box of a mask that is not empty, with all that lies within ``reach_mm`` of it."""
    found = _box_of(mask)
    assert found is not None
    reach = [int(np.ceil(reach_mm / step)) for step in spacing]
    return tuple(slice(max(0, at.start - more), at.stop + more) for at, more in zip(found, reach, strict=True))


def _box_of(mask: Mask) -> tuple[slice, ...] | None:
    from scipy.ndimage import find_objects

    found = find_objects(mask.astype(np.uint8))
    return found[0] if found else None
