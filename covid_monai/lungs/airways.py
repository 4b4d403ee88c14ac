"""Trachea and main bronchi by region growing from the neck, and the carina."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from covid_monai.lungs.body import Body, share_in_tissue
from covid_monai.lungs.morphology import Mask, box_around, components

# a trachea in one slice, with room for children, for sabre sheaths, and for spacings that are wrong by half
_TRACHEA_BELOW = -700
_TRACHEA_MM2 = (35.0, 700.0)
_LONGEST_TO_SHORTEST = 2.5
_LEAST_SHARE_OF_BOX = 0.5
_MOST_SHIFT_MM = 6.0
_MOST_CHANGE_OF_AREA = 2.0
_SHORTEST_MM = 20.0
# of the body's width, from its middle
_FROM_MIDLINE = 0.25
_IN_TISSUE = 0.6
# HU at which growing is tried, and the multiple of the trachea at which it has broken out into the lungs
_THRESHOLDS = range(-960, -540, 20)
_BROKEN_OUT = 4.5
_BRONCHI_MM = 100.0
_LEAST_BRONCHUS_MM2 = 20.0


@dataclass(frozen=True)
class Airways:
    """Trachea and bronchi on a working grid.

    Attributes:
        mask: bool, all False where no trachea was found.
        carina: (3,) index on the working grid, None where it was not found.
    """

    mask: Mask
    carina: npt.NDArray[np.float64] | None


@dataclass(frozen=True)
class _Section:
    """A round dark spot in one slice."""

    slice_index: int
    centre: npt.NDArray[np.float64]
    mm2: float
    mask: Mask
    box: tuple[slice, ...]

    def draw(self, onto: Mask) -> None:
        """Set its voxels in a volume."""
        onto[:, :, self.slice_index][self.box] |= self.mask


def find_airways(hu: npt.NDArray[np.float32], body: Body, spacing: npt.NDArray[np.float64]) -> Airways:
    """The airways in a volume with the axes R, A, S.

    The trachea is the longest column of round dark spots near the body's midline; from it a region grows at rising
    thresholds until it breaks out into the lungs; the one but last before is taken (Mori et al. 1996,
    "Recognition of bronchus in three-dimensional X-ray CT images", ICPR).
    """
    trachea = _trachea(hu, body, spacing)
    if trachea is None:
        return Airways(np.zeros(hu.shape, bool), None)
    seed = np.zeros(hu.shape, bool)
    for section in trachea:
        section.draw(seed)
    grown = _grown(hu, body.air, seed, spacing)
    return Airways(grown, _carina(grown, trachea, spacing))


def _grown(hu: npt.NDArray[np.float32], air: Mask, seed: Mask, spacing: npt.NDArray[np.float64]) -> Mask:
    """The trachea with the bronchi that it grows into, within ``_BRONCHI_MM`` of it."""
    from scipy.ndimage import label

    box = box_around(seed, _BRONCHI_MM, spacing)
    start, within, values = seed[box], air[box], hu[box]
    before = grown = start
    for threshold in _THRESHOLDS:
        labels, count = label(within & (values < threshold))
        reached = np.zeros(count + 1, bool)
        reached[labels[start]] = True
        reached[0] = False
        region = reached[labels]
        if region.sum() > _BROKEN_OUT * start.sum():
            break
        before, grown = grown, region | start
    # noise seeps through walls shortly before they give way
    result = np.zeros(seed.shape, bool)
    result[box] = before
    return result


def _trachea(hu: npt.NDArray[np.float32], body: Body, spacing: npt.NDArray[np.float64]) -> list[_Section] | None:
    """The sections of the trachea from above; None where nothing looks like one."""
    columns: list[list[_Section]] = []
    for index in reversed(range(hu.shape[2])):
        for section in _sections(body.air[:, :, index] & (hu[:, :, index] < _TRACHEA_BELOW), index, spacing):
            above = [column for column in columns if _continues(column[-1], section, spacing)]
            if above:
                max(above, key=len).append(section)
            else:
                columns.append([section])
    long_enough = [column for column in columns if len(column) * spacing[2] >= _SHORTEST_MM]
    for column in sorted(long_enough, key=len, reverse=True):
        if _central(column, body) and share_in_tissue(_drawn(column, hu.shape), hu, spacing) > _IN_TISSUE:
            return column
    return None


def _sections(dark: Mask, index: int, spacing: npt.NDArray[np.float64]) -> list[_Section]:
    from scipy.ndimage import find_objects

    labels, sizes = components(dark)
    found = []
    for number, box in enumerate(find_objects(labels), start=1):
        mm2 = float(sizes[number] * spacing[0] * spacing[1])
        extents = [(at.stop - at.start) * step for at, step in zip(box, spacing[:2], strict=True)]
        is_round = max(extents) <= _LONGEST_TO_SHORTEST * min(extents) and mm2 >= _LEAST_SHARE_OF_BOX * np.prod(extents)
        if _TRACHEA_MM2[0] <= mm2 <= _TRACHEA_MM2[1] and is_round:
            centre = np.array([(at.start + at.stop - 1) / 2 for at in box])
            found.append(_Section(index, centre, mm2, labels[box] == number, box))
    return found


def _continues(above: _Section, below: _Section, spacing: npt.NDArray[np.float64]) -> bool:
    shift = np.abs((above.centre - below.centre) * spacing[:2]).max()
    change = max(above.mm2, below.mm2) / min(above.mm2, below.mm2)
    next_to = above.slice_index == below.slice_index + 1
    return bool(next_to and shift <= _MOST_SHIFT_MM and change <= _MOST_CHANGE_OF_AREA)


def _central(column: list[_Section], body: Body) -> bool:
    across = np.flatnonzero(body.inside.any(axis=(1, 2)))
    middle, width = (across[0] + across[-1]) / 2, across[-1] - across[0]
    return bool(abs(np.mean([section.centre[0] for section in column]) - middle) <= _FROM_MIDLINE * width)


def _drawn(column: list[_Section], shape: tuple[int, ...]) -> Mask:
    drawn = np.zeros(shape, bool)
    for section in column:
        section.draw(drawn)
    return drawn


def _carina(airways: Mask, trachea: list[_Section], spacing: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """The middle between the bronchi where, from above, the airway is first in two."""
    for index in range(trachea[len(trachea) // 2].slice_index, -1, -1):
        labels, sizes = components(airways[:, :, index])
        bronchi = np.flatnonzero(sizes * spacing[0] * spacing[1] >= _LEAST_BRONCHUS_MM2)
        if len(bronchi) == 0:
            return None
        if len(bronchi) >= 2:
            larger = sorted(bronchi, key=lambda number: sizes[number])[-2:]
            between = np.mean([np.mean(np.nonzero(labels == number), axis=1) for number in larger], axis=0)
            return np.array([*between, index + 0.5])
    return None
