"""Reading a mask that any tool wrote, as integer labels with their place in the world."""

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.scoring.grids import LabelImage

_NIFTI = (".nii.gz", ".nii")
_ITK = (".seg.nrrd", ".nrrd", ".nhdr", ".mha", ".mhd")
_PICTURES = (".png",)
ENDINGS = (*_NIFTI, *_ITK, *_PICTURES)

# ITK's coordinates are left, posterior, superior; NIfTI's right, anterior, superior
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def mask_ending(path: Path) -> str:
    """The ending of a mask's file name as it is written there, "" where it is none that can be read."""
    name = path.name.lower()
    length = next((len(ending) for ending in ENDINGS if name.endswith(ending)), 0)
    return path.name[len(name) - length :]


def mask_stem(path: Path) -> str:
    """The file's name without its ending, its accents composed (NFC) whichever way the file system stores them."""
    return unicodedata.normalize("NFC", path.name.removesuffix(mask_ending(path)))


def read_mask_file(path: Path, *, orientation: str | None = None, grid_tolerance: float | None = None) -> LabelImage:
    """Read a mask: NIfTI, NRRD, MetaImage (.mha, .mhd) or PNG.

    A picture's pixel (row, column) becomes the voxel (column, row, 0). Colours become the label 0xRRGGBB.

    Args:
        path: the file.
        orientation: of NIfTI files that do not say; see :func:`covid_monai.transforms.nifti.open_nifti`.
        grid_tolerance: between sform and qform; see :func:`covid_monai.transforms.nifti.open_nifti`.

    Raises:
        InputError: the file is missing, damaged, of another kind or of other dimensions, or holds NaN, negative
            labels, or values that are no integers, such as probabilities.
    """
    ending = mask_ending(path).lower()
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    affine: NDArray[np.float64] | None = None
    if ending in _NIFTI:
        values, affine = _read_nifti(path, orientation, grid_tolerance)
    elif ending in _ITK:
        values, affine = _read_itk(path)
    elif ending in _PICTURES:
        values = _read_picture(path)
    else:
        raise InputError(f"{path} is no mask that can be read; allowed endings: {', '.join(ENDINGS)}")
    return LabelImage(str(path), _labels(values, path), affine)


def _read_nifti(
    path: Path, orientation: str | None, grid_tolerance: float | None
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    from covid_monai.transforms.nifti import read_nifti

    image = read_nifti(path, orientation=orientation, grid_tolerance=grid_tolerance)
    return np.asanyarray(image.dataobj), image.affine


def _read_itk(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    try:
        import SimpleITK as sitk
    except ImportError as error:
        raise InputError(f"{path}: reading {mask_ending(path)} needs SimpleITK; pip install SimpleITK") from error
    # its warnings would come between our lines; what it cannot read, it raises
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path} is no readable {mask_ending(path)} file: it is empty, damaged or cut off") from error
    dimensions = image.GetDimension()
    if image.GetNumberOfComponentsPerPixel() != 1 or dimensions not in (2, 3):
        raise InputError(
            f"{path} has {dimensions} dimensions and {image.GetNumberOfComponentsPerPixel()} values a voxel; a mask "
            "is one label map, export it as such (segments that overlap need one file each)"
        )
    affine = np.eye(4)
    directions = np.reshape(image.GetDirection(), (dimensions, dimensions))
    affine[:dimensions, :dimensions] = directions * image.GetSpacing()
    affine[:dimensions, 3] = image.GetOrigin()
    if not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine)) < 1e-9:
        raise InputError(f"{path} has a broken grid: its axes do not span a volume")
    values = sitk.GetArrayFromImage(image).T
    return values.reshape((*values.shape, 1)[:3]), _LPS_TO_RAS @ affine


def _read_picture(path: Path) -> NDArray[Any]:
    from covid_monai.data.sources.pictures import read_mask

    return read_mask(path).T[:, :, None]


def _labels(values: NDArray[Any], path: Path) -> NDArray[np.integer]:
    if values.size == 0:
        raise InputError(f"{path} has no voxels (shape {values.shape})")
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        values = _whole_numbers(values, path)
    if values.dtype.kind not in "iu":
        raise InputError(f"{path} holds {values.dtype} values; a mask holds integer labels")
    if values.min() < 0:
        raise InputError(f"{path} holds the label {values.min()}; labels start at 0, the background")
    return values


def _whole_numbers(values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    if not np.all(np.isfinite(values)):
        raise InputError(f"{path} holds NaN or infinity; a mask holds integer labels, 0 for the background")
    odd = values != np.rint(values)
    if odd.any():
        raise InputError(
            f"{path} holds values such as {float(values[odd].flat[0]):.4g}, so it is no mask; "
            "where it holds probabilities, threshold them (>= 0.5) or save the label map"
        )
    if np.abs(values).max() > np.iinfo(np.int32).max:
        raise InputError(f"{path} holds values up to {np.abs(values).max():g}, which are no labels")
    return values.astype(np.int64)
