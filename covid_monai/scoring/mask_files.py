"""Reading a mask that any tool wrote, as integer labels with their place in the world."""

import unicodedata
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, InputWarning
from covid_monai.exchange.reading import SEG_ENDINGS, read_segmentation
from covid_monai.scoring.grids import LabelImage
from covid_monai.transforms.itk import ITK_FORMATS, open_itk

_NIFTI = (".nii.gz", ".nii")
_ITK = (".seg.nrrd", *ITK_FORMATS)
_PICTURES = (".png",)
_LOSSY = (".jpg", ".jpeg")
ENDINGS = (*_NIFTI, *_ITK, *_PICTURES, *SEG_ENDINGS)

_ONE_LABEL_MAP = "a mask is one label map, export it as such (segments that overlap need one file each)"


def mask_ending(path: Path) -> str:
    """The ending of a mask's file name as it is written there, "" where it is none that can be read."""
    name = path.name.lower()
    length = next((len(ending) for ending in ENDINGS if name.endswith(ending)), 0)
    return path.name[len(name) - length :]


def mask_stem(path: Path) -> str:
    """The file's name without its ending, its accents composed (NFC) whichever way the file system stores them."""
    return unicodedata.normalize("NFC", path.name.removesuffix(mask_ending(path)))


def read_mask_file(
    path: Path,
    *,
    labels: Mapping[int, int] | None = None,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
) -> LabelImage:
    """Read a mask: NIfTI, NRRD, MetaImage (.mha, .mhd), PNG or DICOM-SEG (.dcm).

    The labels of a DICOM-SEG are its segment numbers; segments of the lungs are left out.
    A picture's pixel (row, column) becomes the voxel (column, row, 0). Colours become the label 0xRRGGBB.

    Args:
        path: the file.
        labels: the class of each label, by which a picture is read whose labels can be colours or indices of a palette;
            None where every label over 0 is one class.
        orientation: of NIfTI files that do not say; see :func:`covid_monai.transforms.nifti.open_nifti`.
        grid_tolerance: between sform and qform; see :func:`covid_monai.transforms.nifti.open_nifti`.

    Raises:
        InputError: the file is missing, damaged, of another kind or of other dimensions, or holds values that are no
            labels (:func:`covid_monai.data.sources.mask_values.whole_labels`).
    """
    from covid_monai.data.sources.mask_pictures import read_mask
    from covid_monai.data.sources.mask_values import read_nifti_mask, whole_labels

    ending = mask_ending(path).lower()
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    affine: NDArray[np.float64] | None = None
    coloured = False
    if ending in SEG_ENDINGS:
        segmented = read_segmentation(path)
        if not segmented.evenly_spaced:
            message = f"{path} has unevenly spaced planes; they count as slices in a row, at their mean distance in mm"
            warnings.warn(message, InputWarning, stacklevel=2)
        planes = None if segmented.evenly_spaced else segmented.places
        return LabelImage(str(path), segmented.labels, segmented.affine, partial=True, planes=planes)
    if ending in _NIFTI:
        values, affine = read_nifti_mask(path, orientation=orientation, grid_tolerance=grid_tolerance)
    elif ending in _ITK:
        image = open_itk(path, holding=_ONE_LABEL_MAP)
        values, affine = image.read(), image.affine
    elif ending in _PICTURES:
        picture = read_mask(path, labels, argument="labels")
        values, coloured = picture.labels.T[:, :, None], picture.coloured
    else:
        raise InputError(f"{path} is no mask that can be read{_why(path)}; allowed endings: {', '.join(ENDINGS)}")
    if values.size == 0:
        raise InputError(f"{path} has no voxels (shape {values.shape}): write the mask again")
    return LabelImage(str(path), whole_labels(values, str(path)), affine, coloured)


def is_lossy(path: Path) -> bool:
    """Whether a file's name says that it is a JPEG."""
    return path.name.lower().endswith(_LOSSY)


def _why(path: Path) -> str:
    if not is_lossy(path):
        return ""
    return ": JPEG changes a mask's values; export it as PNG, or threshold it (values > 127) and save that as PNG"
