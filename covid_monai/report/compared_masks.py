"""Masks of several tools on one study: read to one grid and one meaning, and the slices that are worth showing."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.inference.given_masks import labels_of_record, labels_on, with_classes
from covid_monai.measurements.definitions import FINDINGS, Mask
from covid_monai.report.preview import kept_apart, slices_with_lesion
from covid_monai.studies import Study, read_study
from covid_monai.transforms.grid import to_lps

LEAST_SHARE = 0.1
"""Slices whose reference has less than this share of the largest area in a slice are not among the worst: the Dice of
a few pixels says nothing."""

REFERENCE = "reference"


@dataclass(frozen=True)
class ComparedMask:
    """A mask of a tool, or the reference.

    Attributes:
        name: what the figure calls it.
        kinds: uint8 (X, Y, Z) in LPS order: an index of
            :data:`covid_monai.measurements.definitions.FINDINGS` from 1; 0 is background.
    """

    name: str
    kinds: NDArray[np.uint8]

    @property
    def lesion(self) -> Mask:
        """All classes as one."""
        return np.asarray(self.kinds > 0)

    @property
    def divided(self) -> bool:
        """Whether it tells kinds of lesion apart."""
        return bool(np.any((self.kinds > 0) & (self.kinds != FINDINGS.index("lesion") + 1)))


@dataclass(frozen=True)
class Comparison:
    """A study with masks on its grid.

    Attributes:
        hu: (X, Y, Z) in LPS order.
        spacing: along x, y and z in mm; None where it is not known.
        masks: of the tools.
        reference: what they are held against; None where there is none.
    """

    hu: NDArray[Any]
    spacing: tuple[float, float, float] | None
    masks: tuple[ComparedMask, ...]
    reference: ComparedMask | None

    def dice(self, mask: ComparedMask, k: int | None = None) -> float | None:
        """The Dice of all classes as one, of a slice or of the whole; None where both masks are empty there."""
        assert self.reference is not None
        at = slice(None) if k is None else slice(k, k + 1)
        found, truth = mask.lesion[..., at], self.reference.lesion[..., at]
        total = int(found.sum()) + int(truth.sum())
        return 2 * int((found & truth).sum()) / total if total else None


def read_comparison(
    study: str | os.PathLike[str],
    masks: Mapping[str, str | os.PathLike[str]],
    *,
    reference: str | os.PathLike[str] | None = None,
    labels: str | None = None,
    series: str | None = None,
    intensity: str = "checked",
    spacing_known: bool | None = None,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
) -> Comparison:
    """Read a study and masks on its grid.

    Args:
        study: as for :func:`covid_monai.studies.read_study`.
        masks: files by the names that the figure has: NIfTI, NRRD or MetaImage, their axes in any order.
        reference: what they are held against.
        labels: what the values of all masks are, such as ``1=ground-glass,2=consolidation``; None for what the records
            beside them say.
        series: the UID or name of the series to take.
        intensity: see :func:`covid_monai.studies.read_study`.
        spacing_known: see :func:`covid_monai.studies.read_study`.
        orientation: of NIfTI files that do not say.
        grid_tolerance: by how many mm the grids may differ.

    Raises:
        InputError: a file cannot be used, lies on another grid, or holds a value that has no class.
    """
    given = [*masks.values(), *([reference] if reference is not None else [])]
    for file in map(Path, given):
        if not file.is_file():
            raise InputError(f"{file} is not a file; give masks as NAME=FILE or FILE")
    grid: dict[str, Any] = {"orientation": orientation, "grid_tolerance": grid_tolerance}
    ct = read_study(study, series=series, intensity=intensity, spacing_known=spacing_known, **grid)
    hu, affine = to_lps(np.asarray(ct.hu), ct.affine)
    x, y, z = (float(length) for length in np.linalg.norm(affine[:3, :3], axis=0))
    return Comparison(
        hu,
        None if ct.placeholder_spacing else (x, y, z),
        tuple(_read_mask(name, Path(file), ct, labels, grid) for name, file in masks.items()),
        None if reference is None else _read_mask(REFERENCE, Path(reference), ct, labels, grid),
    )


def _read_mask(name: str, file: Path, study: Study, labels: str | None, grid: Mapping[str, Any]) -> ComparedMask:
    values = labels_on(study, file, **grid)
    mask, classes = with_classes(values, file, labels or labels_of_record(file))
    kinds = np.zeros(mask.shape, np.uint8)
    for value, finding in classes.items():
        kinds[mask == value] = FINDINGS.index(finding) + 1
    return ComparedMask(name, to_lps(kinds, study.affine)[0])


def slices_with_most(comparison: Comparison, count: int) -> list[int]:
    """Slices with most lesion in the reference, or in all masks where there is none; kept apart, from the feet."""
    shown = comparison.masks if comparison.reference is None else (comparison.reference,)
    # a voxel weighs as much as masks have it
    held = np.asarray(sum(mask.lesion.astype(np.int32) for mask in shown))
    return slices_with_lesion(held, count)


def worst_slices(comparison: Comparison, count: int) -> list[int]:
    """Slices with the lowest mean Dice of the masks, kept apart, from the feet.

    Those count whose reference has a tenth of the area of its largest slice at least.

    Raises:
        InputError: there is no reference, or it is empty.
    """
    if comparison.reference is None:
        raise InputError("the worst slices are those that differ most from a reference; give it as `reference`")
    area = comparison.reference.lesion.sum(axis=(0, 1))
    if not area.any():
        raise InputError("the reference is empty, so that no slice is the worst; choose `slices`")
    held = np.flatnonzero(area >= LEAST_SHARE * area.max()).tolist()
    means = {k: float(np.mean([comparison.dice(mask, k) for mask in comparison.masks])) for k in held}
    return kept_apart(sorted(held, key=lambda k: (means[k], k)), count)


def numbered_slices(comparison: Comparison, numbers: Sequence[int]) -> list[int]:
    """Slices by their numbers, from 1 at the feet, in the order that was asked for.

    Raises:
        InputError: the study has no such slice.
    """
    count = comparison.hu.shape[2]
    if unknown := [number for number in numbers if not 1 <= number <= count]:
        raise InputError(f"`slices` has {unknown[0]}; the study has slices 1 to {count}, counted from the feet")
    return [number - 1 for number in numbers]
