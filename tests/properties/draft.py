"""A NIfTI file on the way to its bytes, with what a reader may make of it."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np

from tests.properties.grids import Grid, quaternion
from tests.properties.nifti_bytes import DATATYPES, SIZES, Header, gzip_members, nifti_bytes


class Verdict(IntEnum):
    """Whether something has to happen; of several reasons the strongest counts."""

    NO = 0
    MAY = 1
    MUST = 2


@dataclass
class Draft:
    """A file that is being made odd, step by step.

    Attributes:
        grid: where its voxels lie; the right answer.
        stored: the voxels in the file's order, as they are stored.
        refused: whether it has to be refused.
        warned: whether it has to be warned of, if it is taken.
        sheared: whether its axes are not at right angles.
        reasons: what is odd about it, for whoever reads a failing example.
        orientation: the option that says how its axes lie, if any.
        unit: mm per unit of the header.
    """

    version: int
    order: str
    grid: Grid
    stored: np.ndarray
    header: Header
    refused: Verdict = Verdict.NO
    warned: Verdict = Verdict.NO
    sheared: bool = False
    reasons: list[str] = field(default_factory=list)
    orientation: str | None = None
    unit: float = 1.0
    extensions: bytes = b""
    gap: bytes = b""
    trailing: bytes = b""
    ending: str = ".nii"
    members: int = 0

    @classmethod
    def plain(cls, version: int, order: str, grid: Grid, stored: np.ndarray, slope: float, intercept: float) -> "Draft":
        """A file with nothing odd about it, apart from forms, which :mod:`tests.properties.forms` adds."""
        header = Header(
            dim=[3, *stored.shape, 1, 1, 1, 1],
            datatype=DATATYPES[stored.dtype.name],
            bitpix=8 * stored.dtype.itemsize,
            pixdim=[1.0, *grid.spacing, 1.0, 1.0, 1.0, 1.0],
            vox_offset=SIZES[version] + 4,
            scl_slope=slope,
            scl_inter=intercept,
        )
        return cls(version, order, grid, stored, header)

    def judge(self, reason: str, *, refused: Verdict = Verdict.NO, warned: Verdict = Verdict.NO) -> None:
        """Note an oddity and what has to come of it."""
        self.reasons.append(reason)
        self.refused = max(self.refused, refused)
        self.warned = max(self.warned, warned)

    def set_sform(self, affine: np.ndarray, code: int = 1) -> None:
        self.header.sform_code = code
        self.header.srow = affine[:3].ravel().tolist()

    def set_qform(self, directions: np.ndarray, origin: np.ndarray, code: int = 1) -> None:
        self.header.qform_code = code
        self.header.quatern, self.header.pixdim[0] = quaternion(directions)
        self.header.qoffset = list(map(float, origin))

    def in_unit(self, factor: float) -> None:
        """Lengths that were written in mm, in a unit of ``factor`` mm."""
        header, self.unit = self.header, factor
        header.pixdim[1:4] = [length / factor for length in header.pixdim[1:4]]
        header.qoffset = [length / factor for length in header.qoffset]
        header.srow = [length / factor for length in header.srow]

    @property
    def start(self) -> int:
        """Of the voxels."""
        return SIZES[self.version] + 4 + len(self.extensions) + len(self.gap)

    def content(self) -> bytes:
        """The file's bytes, compressed where it is."""
        plain = nifti_bytes(
            self.header,
            self.stored,
            version=self.version,
            order=self.order,
            extensions=self.extensions,
            gap=self.gap,
        )
        plain += self.trailing
        return gzip_members(plain, self.members) if self.members else plain


@dataclass(frozen=True)
class OddFile:
    """A file and what may come of reading it.

    Attributes:
        choices: what was drawn, for whoever reads a failing example.
        ending: of its name.
        content: its bytes.
        grid: where its voxels lie, if it is taken.
        shape: of the file's axes, those beyond the third left out.
        refused, warned, sheared, orientation, reasons: see :class:`Draft`.
    """

    choices: tuple[str, ...]
    ending: str
    content: bytes
    grid: Grid
    shape: tuple[int, ...]
    refused: Verdict
    warned: Verdict
    sheared: bool
    orientation: str | None
    reasons: tuple[str, ...]

    def __repr__(self) -> str:
        taken = {
            Verdict.NO: "to be taken",
            Verdict.MAY: "may be taken or refused",
            Verdict.MUST: "to be refused",
        }[self.refused]
        warned = {Verdict.NO: "without a warning", Verdict.MAY: "", Verdict.MUST: "with a warning"}[self.warned]
        return (
            f"OddFile({self.ending}, {taken} {warned}; {'; '.join(self.reasons) or 'nothing odd'}; "
            f"{', '.join(self.choices)}; {self.grid})"
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # hypothesis would print every byte
        printer.text(repr(self))


def _other_byte(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 0xFF
    return bytes(changed)


def _cut_header(content: bytes) -> bytes:
    if content[:2] == b"\x1f\x8b":
        return gzip.compress(gzip.decompress(content)[:200])
    return content[:200]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "checksum": lambda content: _other_byte(content, -8),
    "length": lambda content: _other_byte(content, -4),
    "inside": lambda content: _other_byte(content, len(content) // 2),
    "no trailer": lambda content: content[:-6],
    "half": lambda content: content[: len(content) // 2],
    "no last byte": lambda content: content[:-1],
    "half a header": _cut_header,
    "empty": lambda content: b"",
}
"""Faults of copying and storing; the first four are found in gzip files alone."""


def with_shear(grid: Grid, degrees: float) -> Grid:
    """A grid whose third axis leans, as a tilted gantry leaves it."""
    return replace(grid, shear=degrees, turn=0.0)
