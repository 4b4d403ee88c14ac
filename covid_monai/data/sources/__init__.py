"""Importers: where cases come from. One importer a file; each is a :class:`Source`.

An importer reads one layout and yields axial slices in this project's terms: LPS order, HU, our labels. It
refuses what it cannot read with an ``InputError`` that names the file, before or while it is iterated.
:func:`covid_monai.data.writer.prepare` writes what it yields.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from covid_monai.data.manifest import Canvas


@dataclass(frozen=True)
class SourceSlice:
    """One axial slice as an importer hands it on.

    ``image`` is (X, Y, 1) in HU, int16 or float32; ``label`` is (X, Y, 1), uint8; ``affine`` is 4x4 in mm, as
    NIfTI has it. ``pixels`` counts the labels over 0 as they were in the source, before any change of grid.
    """

    case: str
    image: npt.NDArray
    label: npt.NDArray[np.uint8]
    affine: npt.NDArray[np.float64]
    pixels: dict[int, int]
    patient: str | None
    volume: str | None
    slice: int | None
    part: str | None
    intensity: str
    spacing_known: bool
    canvas: Canvas | None


def lone_slice(
    case: str,
    image: npt.NDArray,
    label: npt.NDArray[np.uint8],
    pixels: dict[int, int],
    index: int,
    intensity: str,
) -> SourceSlice:
    """A slice of an unknown patient and volume, of unknown spacing: 1 mm stands in for it."""
    return SourceSlice(
        case=case,
        image=image,
        label=label,
        affine=np.diag([-1.0, -1.0, 1.0, 1.0]),
        pixels=pixels,
        patient=None,
        volume=None,
        slice=index,
        part=None,
        intensity=intensity,
        spacing_known=False,
        canvas=None,
    )


class Source(Protocol):
    """What an importer offers; iterating it yields the slices, reading one file at a time."""

    @property
    def name(self) -> str:
        """Name of the data set, the cases' ``source``."""

    @property
    def licence(self) -> str:
        """Terms of use, one line; ``""`` where they are not known."""

    @property
    def label_map(self) -> dict[int, int]:
        """Source label to our label."""

    @property
    def inputs(self) -> Sequence[Path]:
        """The files that are read, on which nothing may be written."""

    @property
    def count(self) -> int | None:
        """Number of slices, or None where it is not known in advance."""

    def __iter__(self) -> Iterator[SourceSlice]:
        """Yield the slices."""
