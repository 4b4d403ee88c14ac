"""Reading NIfTI files of finite numbers, or saying what is wrong with them."""

import unicodedata
import zlib
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from covid_monai.errors import InputError

if TYPE_CHECKING:
    import nibabel


Scalar = TypeVar("Scalar", bound=np.generic)

NIFTI_ENDINGS = (".nii.gz", ".nii")

SMALLEST_DETERMINANT = 1e-9
"""Of an affine in mm; below it the axes do not span a volume."""


def is_nifti(path: Path) -> bool:
    """Whether a file's name ends in .nii or .nii.gz, in any letter case, and is no hidden companion of another file."""
    return path.name.lower().endswith(NIFTI_ENDINGS) and not path.name.startswith(".")


def nifti_stem(path: Path) -> str:
    """The file's name without .nii or .nii.gz, its accents composed (NFC) whichever way the file system stores them."""
    name = unicodedata.normalize("NFC", path.name)
    return next((name[: -len(end)] for end in NIFTI_ENDINGS if name.lower().endswith(end)), name)


def open_nifti(path: str | PathLike[str]) -> "nibabel.Nifti1Image":
    """Open a NIfTI file of a volume (X, Y, Z) or a slice (X, Y); its values are not read yet.

    Raises:
        InputError: the file is missing, empty or not NIfTI, has other dimensions (a trailing one of length one is
            allowed), an affine whose axes do not span a volume, or two affines (sform, qform) that disagree.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    if not Path(path).is_file():
        raise InputError(f"{path} is not a file")
    try:
        image = nibabel.load(path)
    except (OSError, EOFError, ValueError, OverflowError, zlib.error, ImageFileError, HeaderDataError) as error:
        raise InputError(f"{path} is no readable NIfTI file: it is empty, damaged or of another kind") from error
    if not isinstance(image, nibabel.Nifti1Pair):
        raise InputError(f"{path} is not a NIfTI file but {type(image).__name__}: convert it to .nii.gz")
    check_grid(image, path)
    return image


def check_grid(image: "nibabel.Nifti1Image", path: str | PathLike[str]) -> None:
    """Refuse an image that has no one grid in space.

    Args:
        image: the image.
        path: what the errors call it.

    Raises:
        InputError: see :func:`open_nifti`.
    """
    if len(image.shape) < 2 or min(image.shape) < 1 or any(length != 1 for length in image.shape[3:]):
        raise InputError(f"{path} has shape {image.shape}: a volume has 3 axes; save one volume a file")
    if not np.all(np.isfinite(image.affine)) or abs(np.linalg.det(image.affine[:3, :3])) < SMALLEST_DETERMINANT:
        raise InputError(f"{path} has a broken affine: its axes do not span a volume")
    _refuse_two_affines(image, path)


def _refuse_two_affines(image: "nibabel.Nifti1Image", path: str | PathLike[str]) -> None:
    sform, qform = image.get_sform(coded=True)[0], image.get_qform(coded=True)[0]
    if sform is None or qform is None:
        return
    # a hundredth of a millimetre a voxel, and one of rounding at the origin, turn no patient round
    if np.abs(sform - qform)[:3, :3].max() > 0.01 or np.abs(sform - qform)[:3, 3].max() > 1:
        raise InputError(
            f"{path} has an sform and a qform that disagree, so left and right are not sure: set one of them"
        )


def grid_shape(image: "nibabel.Nifti1Image") -> tuple[int, int, int]:
    """The image's shape as (X, Y, Z), where a slice has Z = 1."""
    x, y, z = (*image.shape, 1)[:3]
    return x, y, z


def read_nifti(path: "str | PathLike[str] | nibabel.Nifti1Image") -> "nibabel.Nifti1Image":
    """Read a NIfTI file, or an image that is open already, as a volume (X, Y, Z), a slice as (X, Y, 1).

    Raises:
        InputError: see :func:`open_nifti`; or the file is truncated, or holds NaN, infinity or no real numbers.
    """
    import nibabel

    image = path if isinstance(path, nibabel.Nifti1Pair) else open_nifti(path)
    path = "the image" if image is path else path
    try:
        values = np.asanyarray(image.dataobj)
    # a damaged header can promise more than there is memory for
    except (MemoryError, OverflowError) as error:
        raise InputError(f"{path} says its shape is {image.shape}, which does not fit into memory") from error
    # a cut gzip stream ends early (EOFError, OSError), a cut plain file has too few values (ValueError)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path} is truncated or damaged ({_line(error)}): copy it again") from error
    if values.dtype.kind not in "biuf":
        raise InputError(f"{path} holds {values.dtype} values: real numbers are needed")
    if not np.all(np.isfinite(values)):
        raise InputError(f"{path} holds NaN or infinity: replace them, for example by -1024 HU")
    return nibabel.Nifti1Image(values.reshape(grid_shape(image)), image.affine, dtype=values.dtype)


def to_lps(
    values: npt.NDArray[Scalar], affine: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[Scalar], npt.NDArray[np.float64]]:
    """Turn a volume to LPS order, by permuting and flipping its axes; nothing is resampled.

    Args:
        values: (X, Y, Z) in any order of axes; an oblique volume goes to the nearest one.
        affine: 4x4, from voxels to RAS in mm (NIfTI's own).

    Returns:
        The values (X, Y, Z) with x to the patient's left, y to the back and z to the head, as a view; and their
        affine, to RAS in mm still.
    """
    from nibabel import orientations

    wanted = orientations.axcodes2ornt(("L", "P", "S"))
    change = orientations.ornt_transform(orientations.io_orientation(affine), wanted)
    return orientations.apply_orientation(values, change), affine @ orientations.inv_ornt_aff(change, values.shape)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
