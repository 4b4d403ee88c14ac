"""NRRD and MetaImage files by SimpleITK: their grid in RAS mm, and their voxels when they are asked for."""

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.transforms.grid import Affine, check_affine

if TYPE_CHECKING:
    import SimpleITK as sitk

ITK_FORMATS = {".nrrd": "nrrd", ".nhdr": "nrrd", ".mha": "metaimage", ".mhd": "metaimage"}
"""Formats by ending."""

_READERS = {"nrrd": "NrrdImageIO", "metaimage": "MetaImageIO"}
# where a header names the file of its voxels, which lies beside it
_VOXELS_ELSEWHERE = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_LONGEST_HEADER = 1 << 16

# ITK's coordinates are left, posterior, superior; NIfTI's right, anterior, superior
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class ItkFile:
    """An image file whose header was read.

    Attributes:
        path: the file.
        shape: (X, Y, Z); Z is 1 in an image of two dimensions.
        affine: 4x4, from voxels to RAS in mm.
        files: the file, and the one beside it that has the voxels, where there is one.
    """

    path: Path
    shape: tuple[int, int, int]
    affine: Affine
    files: tuple[Path, ...]

    def read(self) -> NDArray[Any]:
        """The voxels (X, Y, Z).

        Raises:
            InputError: the file is damaged or cut off.
        """
        import SimpleITK as sitk

        try:
            values: NDArray[Any] = sitk.GetArrayFromImage(_reader(self.path).Execute()).T
        except RuntimeError as error:
            raise _unreadable(self.path) from error
        return values.reshape(self.shape)


def open_itk(path: str | PathLike[str], *, holding: str, allow_shear: bool = False) -> ItkFile:
    """Read the header of an image of two or three dimensions with one value a voxel.

    Args:
        path: .nrrd, .nhdr, .mha or .mhd.
        holding: what it should hold, for the message about one of other dimensions.
        allow_shear: take axes that are not at right angles, with a warning.

    Raises:
        InputError: the file or the one with its voxels is missing, or it is damaged or of other dimensions, or has no
            grid in space.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    files = (path, *_voxels_elsewhere(path))
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path) from error
    dimensions, components = reader.GetDimension(), reader.GetNumberOfComponents()
    if components != 1 or dimensions not in (2, 3):
        raise InputError(f"{path} has {dimensions} dimensions and {components} values a voxel; {holding}")
    affine = np.eye(4)
    directions = np.reshape(reader.GetDirection(), (dimensions, dimensions))
    affine[:dimensions, :dimensions] = directions * reader.GetSpacing()
    affine[:dimensions, 3] = reader.GetOrigin()
    check_affine(affine, str(path), allow_shear=allow_shear)
    x, y, z = (*(int(length) for length in reader.GetSize()), 1)[:3]
    return ItkFile(path, (x, y, z), _LPS_TO_RAS @ affine, files)


def _reader(path: Path) -> "sitk.ImageFileReader":
    import SimpleITK as sitk

    # its warnings would come between our lines; what it cannot read, it raises
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    # ITK knows its own endings in small letters alone
    if path.suffix != path.suffix.lower() and path.stat().st_size:
        reader.SetImageIO(_READERS[ITK_FORMATS[path.suffix.lower()]])
    return reader


def _unreadable(path: Path) -> InputError:
    return InputError(f"{path} is no readable {path.suffix} file: it is empty, damaged or cut off")


def _voxels_elsewhere(path: Path) -> tuple[Path, ...]:
    with open(path, "rb") as file:
        named = _VOXELS_ELSEWHERE.search(file.read(_LONGEST_HEADER))
    if named is None or named[1].split()[0] in (b"LOCAL", b"LIST") or b"%" in named[1]:
        return ()
    beside = path.parent / named[1].decode(errors="replace")
    if not beside.is_file():
        raise InputError(f"{path} has its voxels in {beside}, which is missing: copy both files")
    return (beside,)
