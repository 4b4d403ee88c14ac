"""What the page paints over the CT: a byte a voxel, with what was found there and which lung it is in."""

import gzip
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.lungs import Lungs
from covid_monai.measurements.definitions import Mask, Unknown
from covid_monai.measurements.geometry import SliceGeometry
from covid_monai.measurements.lesions import without_specks
from covid_monai.measurements.region import BY_CLASSES, CONSOLIDATION, GROUND_GLASS, Region, find_region
from covid_monai.studies import Study
from covid_monai.transforms.grid import to_lps

FINDINGS = ("ground_glass", "consolidation", "lesion", "effusion", "not_counted")
"""What the lower three bits hold, from 1; ``lesion`` where the mask does not tell kinds of it apart."""

SIDE_BITS = 3
"""Where the side begins: 1 the patient's right lung, 2 the left one."""


@dataclass(frozen=True)
class Painted:
    """The labels of a study.

    Attributes:
        codes: uint8 (X, Y, Z) in LPS order: an index of :data:`FINDINGS` from 1, and the side above it.
        divided: whether ground-glass and consolidation are told apart.
    """

    codes: NDArray[np.uint8]
    divided: bool

    def of(self, finding: str) -> Mask:
        """The voxels of a finding."""
        return np.asarray(self.codes & 7 == FINDINGS.index(finding) + 1)

    @property
    def counted(self) -> Mask:
        """The voxels of lesion that volumes and shares count."""
        kind = self.codes & 7
        return np.asarray((kind >= 1) & (kind <= 3))

    @property
    def lungs(self) -> NDArray[np.uint8]:
        """1 in the right lung, 2 in the left one."""
        return np.asarray(self.codes >> SIDE_BITS)


def painted(
    study: Study,
    mask: NDArray[Any],
    lungs: NDArray[np.uint8],
    *,
    classes: dict[int, str],
    settings: dict[str, Any],
) -> Painted:
    """The labels of a study, told apart as its measurements did.

    Lesion that was measured has its kind where the mask has classes for kinds; what lies outside the lungs, and specks
    under the floor, is ``not_counted``.

    Args:
        study: the CT.
        mask: (i, j, k), values of ``classes``.
        lungs: (i, j, k), 1 right, 2 left, without airways.
        classes: what the values of the mask are.
        settings: of the measurements, as their document has them.
    """
    of_lungs = Lungs(lungs, np.zeros(lungs.shape, bool), None, frozenset(), frozenset(), ())
    region = find_region(
        study.hu,
        mask,
        of_lungs,
        classes=classes,
        ground_glass_below=settings["ground_glass_below_hu"],
        true_hu=study.intensity == "hu",
    )
    geometry = SliceGeometry(study.hu.shape, study.affine, study.extents)
    no_volumes = Unknown("the spacing is a placeholder") if study.placeholder_spacing else None
    counted, _ = without_specks(region, geometry, floor_ml=settings["floor_ml"], no_volumes=no_volumes)
    codes, _ = to_lps(_codes(region, counted, lungs), study.affine)
    return Painted(np.ascontiguousarray(codes), region.division == BY_CLASSES)


def _codes(region: Region, counted: Region, lungs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    code = {name: number for number, name in enumerate(FINDINGS, start=1)}
    codes = np.where(region.effusion, code["effusion"], 0).astype(np.uint8)
    codes[region.outside | (region.lesion > 0)] = code["not_counted"]
    if region.division == BY_CLASSES:
        codes[counted.lesion == GROUND_GLASS] = code["ground_glass"]
        codes[counted.lesion == CONSOLIDATION] = code["consolidation"]
    else:
        # kinds by a threshold of HU are no shapes to look at
        codes[counted.lesion > 0] = code["lesion"]
    return np.asarray(codes | (lungs << SIDE_BITS), dtype=np.uint8)


def packed(codes: NDArray[np.uint8], size: tuple[int, int, int]) -> bytes:
    """Codes (X, Y, Z) for the page: x first, then y, then slices, a byte each, gzip.

    Args:
        codes: on the grid of the CT.
        size: of the pictures, whose pixels have the code at their centres.
    """
    columns, rows = (
        np.minimum(((np.arange(shown) + 0.5) * own / shown).astype(int), own - 1)
        for shown, own in zip(size[:2], codes.shape[:2], strict=True)
    )
    shown = codes[np.ix_(columns, rows, np.arange(codes.shape[2]))]
    # a time in the header would make other bytes each time
    return gzip.compress(shown.transpose(2, 1, 0).tobytes(), compresslevel=6, mtime=0)
