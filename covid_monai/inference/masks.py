"""Writing what was computed for an image on that image's grid."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.files import replacing
from covid_monai.transforms.nifti import nifti_stem

if TYPE_CHECKING:
    import nibabel


def save_on_grid(image: "nibabel.Nifti1Image", values: NDArray[Any], path: Path) -> Path:
    """Write ``values``, as many as ``image`` has, as NIfTI with the shape, affine and header of ``image``.

    Returns:
        ``path``.

    Raises:
        InputError: the folder cannot be written.
    """
    import nibabel

    header = image.header.copy()
    header.set_data_dtype(values.dtype)
    # the input's rescaling of stored values is not the mask's
    header.set_slope_inter(1, 0)
    with replacing(path) as temporary:
        nibabel.save(nibabel.Nifti1Image(values.reshape(image.shape), image.affine, header), temporary)
    return path


class SaveMasks:
    """An evaluator's handler that writes each prediction as ``<name>.nii.gz``, uint8, on its image's grid.

    It stands in for MONAI's ``SaveImaged``, which drops or adds a dimension where a slice is H x W x 1.

    Args:
        folder: for the masks.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def attach(self, engine: Any) -> None:
        """Listen to ``engine``, whose batches were loaded from NIfTI files."""
        from ignite.engine import Events

        engine.add_event_handler(Events.ITERATION_COMPLETED, self._save_batch)

    def _save_batch(self, engine: Any) -> None:
        import nibabel
        from monai.utils import CommonKeys, ImageMetaKey

        for batch, output in zip(engine.state.batch, engine.state.output, strict=True):
            image = Path(batch[CommonKeys.IMAGE].meta[ImageMetaKey.FILENAME_OR_OBJ])
            mask = output[CommonKeys.PRED][0].cpu().numpy().astype(np.uint8)
            save_on_grid(nibabel.load(image), mask, self.folder / f"{nifti_stem(image)}.nii.gz")
