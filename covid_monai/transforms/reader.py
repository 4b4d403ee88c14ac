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
from covid_monai.transforms.grid import orientation_of
from covid_monai.transforms.intensity import mode_named, refuse_beyond_hu, to_hu
from covid_monai.transforms.nifti import read_nifti


class HounsfieldReader(NibabelReader):
    """Reads a NIfTI volume (X, Y, Z) or slice (X, Y) or (X, Y, 1) in HU; a slice comes out as (X, Y, 1).

    Args:
        intensity: a mode of :mod:`covid_monai.transforms.intensity`. ``checked`` refuses what is on another scale
            than HU; ``hu`` is for data whose manifest, or user, vouches for them.
        orientation: where the axes run, such as ``LPS``, for files that do not say;
            see :func:`covid_monai.transforms.nifti_affine.affine_of`.
        grid_tolerance: by how many mm sform and qform may differ; None for the least.

    Raises (when a file is read):
        InputError: the file is missing, truncated or not NIfTI, has other dimensions, holds NaN or infinite or
            non-numeric values, or values that the mode refuses.
    """

    def __init__(
        self,
        intensity: str = "checked",
        orientation: str | None = None,
        grid_tolerance: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.orientation = orientation_of(orientation) if orientation is not None else None
        self.grid_tolerance = grid_tolerance
        self.intensity = mode_named(intensity)

    def read(self, data: Sequence[PathLike[str]] | PathLike[str], **kwargs: Any) -> Any:
        """Remember the file; it is opened by :meth:`get_data`, as ``LoadImage`` hides the errors of this method."""
        self.filenames = ensure_tuple(data)
        if len(self.filenames) != 1:
            raise InputError(f"got {len(self.filenames)} files for one image; give one")
        return Path(self.filenames[0])

    def get_data(self, img: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """The array in HU, float32, and MONAI's metadata, of a path or of a nibabel image."""
        if isinstance(img, nibabel.Nifti1Pair):
            # MONAI walks over images and file names together
            self.filenames = ("image in memory",)
        image = self.read_hounsfield(img, where=str(self.filenames[0]))
        values = np.asanyarray(image.dataobj).astype(np.float32)
        return super().get_data(nibabel.Nifti1Image(values, image.affine))

    def read_hounsfield(
        self, source: "PathLike[str] | str | nibabel.Nifti1Image", *, where: str
    ) -> nibabel.Nifti1Image:
        """An image (X, Y, Z) in HU: int16 where all values are whole numbers in its range, else float32.

        Args:
            source: a path or an image in memory.
            where: the file, for error messages.
        """
        image = read_nifti(source, orientation=self.orientation, grid_tolerance=self.grid_tolerance, allow_shear=True)
        values = np.asanyarray(image.dataobj)
        if values.dtype.itemsize > 4:
            with np.errstate(over="ignore"):
                values = values.astype(np.float32)
        if self.intensity != "hu" and values.dtype.kind == "f" and not np.all(np.isfinite(values)):
            raise InputError(
                f"{where} has values {values.min():g} to {values.max():g}, which are no HU; repair or convert it"
            )
        hounsfield, _ = to_hu(values, self.intensity, where=where)
        refuse_beyond_hu(hounsfield, self.intensity, where)
        return nibabel.Nifti1Image(hounsfield, image.affine)
