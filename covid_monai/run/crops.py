"""Networks that were trained on crops, and whole slices given to them.

A crop of the lungs has tissue at its border, where a whole slice has the air around the patient. A network that has
never seen this air, nor the body's outline, may find lesions there.
"""

import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from covid_monai.data.manifest import Dataset
from covid_monai.errors import InputWarning
from covid_monai.transforms.nifti import grid_shape, open_nifti

if TYPE_CHECKING:
    import nibabel

# share of the border that is as dark as the darkest of the slice: crops of public data have 0.26 at most, whole slices
# 0.8 at least (docs/intensities.md)
_LEAST_DARK_BORDER = 0.5
_DARKEST = 0.05


def trained_on_crops(dataset: Dataset) -> bool:
    """Whether most slices of a data set are crops: smaller than their canvas, or, without one, of differing sizes.

    Raises:
        InputError: an image is missing or no NIfTI file.
    """
    shapes = [grid_shape(open_nifti(dataset.folder / case.image))[:2] for case in dataset.cases]
    differing = {
        source
        for source in {case.source for case in dataset.cases}
        if len(
            {
                shape
                for case, shape in zip(dataset.cases, shapes, strict=True)
                if case.source == source and case.canvas is None and case.volume is None
            }
        )
        > 1
    }
    crops = [
        tuple(shape) != tuple(case.canvas.shape)
        if case.canvas is not None
        else case.volume is None and case.source in differing
        for case, shape in zip(dataset.cases, shapes, strict=True)
    ]
    return 2 * sum(crops) > len(crops)


def warn_of_whole_slices(image: "nibabel.Nifti1Image", where: str) -> None:
    """Warn where an image shows the air around the patient, for a network that was trained on crops.

    Args:
        image: (X, Y, Z) or (X, Y), in any orientation, on any scale where air is dark.
        where: the file, for the message.
    """
    from nibabel import io_orientation

    axis = int(np.flatnonzero(io_orientation(image.affine)[:, 0] == 2)[0])
    values = np.asanyarray(image.dataobj)
    middle = values if values.ndim == 2 else np.take(values, values.shape[axis] // 2, axis=axis)
    if _border_is_air(middle):
        warnings.warn(
            f"{where} shows whole slices, while the network was trained on crops of the lungs: the mask may be wrong "
            "outside of the lungs; crop the image to the lungs, or train on whole slices",
            InputWarning,
            stacklevel=2,
        )


def _border_is_air(picture: npt.NDArray) -> bool:
    low, high = np.percentile(picture, (1, 99))
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return bool(low < high and np.mean(border <= low + _DARKEST * (high - low)) > _LEAST_DARK_BORDER)
