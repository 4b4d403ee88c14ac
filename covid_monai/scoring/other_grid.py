"""A mask scored on another grid than its own, such as the one that a paper scored on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError

if TYPE_CHECKING:
    from monai.data import MetaTensor
    from torch import Tensor


@dataclass(frozen=True)
class OnOtherGrid:
    """Prediction and reference of a case on another grid, (X, Y, Z) in LPS order.

    Attributes:
        prediction: the class of each pixel.
        reference: likewise.
        probability: of the lesion, whatever its class, 0 to 1.
        spacing: of the pixels along x, y, z in mm.
    """

    prediction: NDArray[np.uint8]
    reference: NDArray[np.uint8]
    probability: NDArray[np.float32]
    spacing: tuple[float, float, float]


def checked_grid(size: int | Sequence[int]) -> tuple[int, int]:
    """The size of a grid as two numbers of pixels; one number stands for a square.

    Raises:
        InputError: it is neither a whole number over 0 nor two of them.
    """
    lengths = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, Sequence) else ()
    whole = all(isinstance(length, int) and not isinstance(length, bool) and length > 0 for length in lengths)
    if isinstance(size, bool) or len(lengths) != 2 or not whole:
        raise InputError(f"the grid to score on is {size!r}; give its size in pixels, such as 512 or [512, 512]")
    return lengths[0], lengths[1]


def on_other_grid(probabilities: "Tensor", reference: "MetaTensor", size: tuple[int, int]) -> OnOtherGrid:
    """Bring a network's probabilities and the mask that was drawn to a grid of ``size`` pixels a slice.

    The probabilities are interpolated (linear) before the class is chosen, as on the way to the image's own grid;
    where the network computes on this very grid they stay as they are. The mask is resized as labels are for
    training (:func:`covid_monai.transforms.label_resizing.resize_labels`). Slices stay where they are.

    Args:
        probabilities: (classes, X, Y, Z), of the network, in LPS order.
        reference: (1, X, Y, Z), on its own grid in its own order of axes, with its affine.
        size: the new X and Y.
    """
    from monai.transforms import Orientation
    from nibabel.affines import voxel_sizes
    from torch.nn import functional

    from covid_monai.transforms.label_resizing import resize_labels

    slices = probabilities.as_tensor() if hasattr(probabilities, "as_tensor") else probabilities
    slices = slices.permute(3, 0, 1, 2)
    if tuple(slices.shape[2:]) != size:
        slices = functional.interpolate(slices, size=size, mode="bilinear", align_corners=False)
    resized: Any = resize_labels(Orientation(axcodes="LPS", labels=None)(reference), size)
    x, y, z = voxel_sizes(resized.affine.cpu().numpy())
    return OnOtherGrid(
        prediction=slices.argmax(1).permute(1, 2, 0).cpu().numpy().astype(np.uint8),
        reference=resized[0].cpu().numpy().astype(np.uint8),
        probability=(1 - slices[:, 0]).permute(1, 2, 0).cpu().numpy(),
        spacing=(float(x), float(y), float(z)),
    )
