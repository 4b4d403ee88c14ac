"""The region R that all shares are of, and what was found in it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.measurements.definitions import FINDINGS, Mask
from covid_monai.measurements.geometry import Array

NOTHING, GROUND_GLASS, CONSOLIDATION, UNDIVIDED = range(4)
"""Values of :attr:`Region.lesion`; undivided is ground-glass or consolidation, nobody knows which."""

BY_CLASSES, BY_HU, NOT_DIVIDED = "by the mask's classes", "by HU", "not divided"


class Cavities(Protocol):
    """Where the lungs are, on the grid of a CT."""

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(i, j, k): 0 outside, 1 the closed cavity of the right lung, 2 of the left."""

    @property
    def airways(self) -> Mask:
        """(i, j, k): trachea and main bronchi."""


class LungRegions(Cavities, Protocol):
    """What the measurements need to know of the lungs; :class:`covid_monai.lungs.Lungs` has it."""

    @property
    def carina(self) -> Array | None:
        """RAS in mm; None where none was found."""

    @property
    def cut(self) -> Collection[str]:
        """The edges of the field that cut a lung: top, bottom, right, left, front, back."""

    @property
    def absent(self) -> Collection[str]:
        """The sides, right or left, that have no lung."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What about the lungs is not sure."""


@dataclass(frozen=True)
class Region:
    """R and what lies in it, on the grid of the CT.

    Attributes:
        lung: uint8 (i, j, k): R, 1 in the right lung, 2 in the left, 0 elsewhere.
        lesion: uint8 (i, j, k): ground-glass 1, consolidation 2, undivided lesion 3; 0 outside R.
        outside: lesion outside R.
        effusion: the mask's effusion, wherever it lies.
        division: what ground-glass and consolidation were told apart by.
        findings: what the mask has classes for.
    """

    lung: NDArray[np.uint8]
    lesion: NDArray[np.uint8]
    outside: Mask
    effusion: Mask
    division: str
    findings: frozenset[str]


def find_region(
    hu: NDArray[Any],
    mask: NDArray[np.generic],
    lungs: Cavities,
    *,
    classes: Mapping[int, str],
    ground_glass_below: float,
    true_hu: bool,
) -> Region:
    """R, the closed cavity of both lungs without central airways and effusion, and the lesions in it.

    Args:
        hu: (i, j, k).
        mask: (i, j, k), values of ``classes``, 0 elsewhere.
        lungs: on the same grid.
        classes: what each value of the mask is, of :data:`covid_monai.measurements.definitions.FINDINGS`.
        ground_glass_below: HU under which voxels of the class ``lesion`` are ground-glass; from there on they are
            consolidation.
        true_hu: whether the intensities are HU rather than mapped to them from grey values; they divide lesions
            only if so.

    Raises:
        InputError: shapes differ, the mask holds other values, or a class is none of the findings.
    """
    check_parts(hu, mask, lungs, classes)
    finding = {name: _voxels_of(mask, classes, name) for name in FINDINGS}
    lesion = np.zeros_like(hu, np.uint8)
    lesion[finding["lesion"]] = UNDIVIDED
    if true_hu:
        lesion[finding["lesion"]] = np.where(hu[finding["lesion"]] < ground_glass_below, GROUND_GLASS, CONSOLIDATION)
    lesion[finding["ground_glass"]] = GROUND_GLASS
    lesion[finding["consolidation"]] = CONSOLIDATION
    lung = np.where(lungs.airways | finding["effusion"], 0, lungs.labels).astype(np.uint8)
    outside = (lesion > 0) & (lung == 0)
    lesion[lung == 0] = NOTHING
    names = frozenset(classes.values())
    division = BY_CLASSES if "lesion" not in names else BY_HU if true_hu else NOT_DIVIDED
    return Region(lung, lesion, outside, finding["effusion"], division, names)


def classes_of(names: Collection[str]) -> dict[int, str]:
    """The findings of a model's or a mask's class names, by their values.

    Args:
        names: such as ``["background", "ground-glass", "consolidation", "pleural effusion"]``, background first.

    Raises:
        InputError: a name is none that can be measured.
    """
    return {value: _finding_of(name) for value, name in enumerate(names) if value}


def _finding_of(name: str) -> str:
    words = name.strip().lower().replace("-", "_").replace(" ", "_")
    finding = words.removeprefix("pleural_").removesuffix("_opacity").removesuffix("_opacities")
    if finding not in FINDINGS:
        allowed = ", ".join(each.replace("_", "-") for each in FINDINGS)
        raise InputError(f"the class {name!r} cannot be measured; a mask's classes are {allowed}")
    return finding


def _voxels_of(mask: NDArray[np.generic], classes: Mapping[int, str], name: str) -> Mask:
    found = np.zeros_like(mask, bool)
    for value, finding in classes.items():
        if finding == name:
            found |= mask == value
    return found


def check_parts(hu: NDArray[Any], mask: NDArray[np.generic], lungs: Cavities, classes: Mapping[int, str]) -> None:
    """Refuse parts that do not belong together.

    Raises:
        InputError: shapes differ, the mask holds a value that ``classes`` does not have, or a class is none of the
            findings.
    """
    shapes = {"mask": mask.shape, "lungs": lungs.labels.shape, "airways": lungs.airways.shape}
    for what, shape in shapes.items():
        if shape != hu.shape:
            raise InputError(f"the CT has the shape {hu.shape}, the {what} {shape}; all have to lie on one grid")
    if unfit := set(classes.values()) - set(FINDINGS):
        raise InputError(f"`classes` has {sorted(unfit)}; what can be measured is {', '.join(FINDINGS)}")
    if not classes or 0 in classes:
        raise InputError(f"`classes` is {dict(classes)}; give what each value over 0 means, as in {{1: 'lesion'}}")
    if unknown := [value for value in np.unique(mask.ravel(order="K")).tolist() if value != 0 and value not in classes]:
        raise InputError(
            f"the mask holds the values {unknown[:5]}, `classes` has {sorted(classes)}; say what they mean, or set "
            "them to 0"
        )
