"""MONAI's NIfTI reader for CT, which refuses what a network must not be fed."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from monai.data import NibabelReader
from monai.utils import ensure_tuple

from covid_monai.errors import InputError
from covid_monai.transforms.intensity import to_hu
from covid_monai.transforms.nifti import read_nifti

LARGEST_HU = 32767
"""Scanners store HU as 16-bit numbers."""

INTENSITIES = ("hu", "auto", "window", "anchors", "trusted")


class HounsfieldReader(NibabelReader):
    """Reads a NIfTI volume (X, Y, Z) or slice (X, Y) or (X, Y, 1) in HU; a slice comes out as (X, Y, 1).

    Args:
        intensity: ``"hu"`` refuses values that do not look like HU; ``"auto"``, ``"window"`` and ``"anchors"`` map
            8-bit values as :func:`covid_monai.transforms.intensity.to_hu` does; ``"trusted"`` takes values as they
            are, for data whose manifest vouches for them.

    Raises (when a file is read):
        InputError: the file is missing, truncated or not NIfTI, has other dimensions, holds NaN or infinite or
            non-numeric values, or no HU.
    """

    def __init__(self, intensity: str = "hu", **kwargs: Any) -> None:
        if intensity not in INTENSITIES:
            raise InputError(f"intensity is {intensity!r}; it can be one of {', '.join(INTENSITIES)}")
        super().__init__(**kwargs)
        self.intensity = intensity

    def read(self, data: Sequence[PathLike[str]] | PathLike[str], **kwargs: Any) -> Any:
        """Remember the file; it is opened by :meth:`get_data`, as ``LoadImage`` hides the errors of this method."""
        self.filenames = ensure_tuple(data)
        if len(self.filenames) != 1:
            raise InputError(f"got {len(self.filenames)} files for one image; give one")
        return Path(self.filenames[0])

    def get_data(self, img: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """The array in HU and MONAI's metadata, of a path or of a nibabel image."""
        if isinstance(img, nibabel.Nifti1Pair):
            # MONAI walks over images and file names together
            self.filenames = ("image in memory",)
        image = read_nifti(img)
        values = image.get_fdata(dtype=np.float32)
        if self.intensity != "trusted" and np.abs(values).max() > LARGEST_HU:
            raise InputError(f"{img} has values up to {np.abs(values).max():g}, which are no HU; repair or convert it")
        mode = {"hu": "auto", "trusted": "hu"}.get(self.intensity, self.intensity)
        hounsfield, kind = to_hu(values, mode, where=str(img))
        if self.intensity == "hu" and kind != "hu":
            raise InputError(
                f"{img} holds 8-bit grey values, not HU; say how to map them with intensity window, anchors or auto"
            )
        return super().get_data(nibabel.Nifti1Image(hounsfield.astype(np.float32), image.affine))
