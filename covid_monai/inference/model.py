"""A trained network that segments CT: loaded once, then applied to volume after volume."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from covid_monai.catalog.bundles import bundle_folder
from covid_monai.catalog.config import build_workflow, known_settings
from covid_monai.environment import device_setting
from covid_monai.errors import InputError, plain_input_errors
from covid_monai.inference.masks import save_on_grid
from covid_monai.run.folder import RunFolder, read_run
from covid_monai.weights import check_weights

if TYPE_CHECKING:
    import nibabel

    from covid_monai.inference.segment import Segmenter

CT: TypeAlias = "str | os.PathLike[str] | nibabel.Nifti1Image | tuple[ArrayLike, ArrayLike]"
"""A NIfTI file, a nibabel image, or an array in HU with its affine (4x4, to RAS in mm)."""


class Prediction:
    """What a model says of one CT: a class for each voxel, on the grid of the CT.

    Attributes:
        mask: uint8, of the shape of the CT; 0 is background, ``class_names`` has the others.
        affine: 4x4, from voxels to RAS in mm.
        class_names: by the values of ``mask``.
    """

    def __init__(self, image: "nibabel.Nifti1Image", segmented: Mapping[str, Any], class_names: list[str]) -> None:
        self._image = image
        self._probabilities = segmented["probability"]
        self.mask: NDArray[np.uint8] = segmented["pred"][0].cpu().numpy().astype(np.uint8).reshape(image.shape)
        self.affine: NDArray[np.float64] = np.asarray(image.affine, dtype=np.float64)
        self.class_names = class_names

    def __repr__(self) -> str:
        found = ", ".join(f"{np.count_nonzero(self.mask == k)} of {name}" for k, name in enumerate(self.class_names))
        return f"Prediction of {' x '.join(map(str, self.mask.shape))} voxels: {found}"

    @cached_property
    def probability(self) -> NDArray[np.float32]:
        """The probability of lesion of any class: float32 from 0 to 1, of the shape of ``mask``."""
        lesion = (1 - self._probabilities[0]).cpu().numpy().astype(np.float32)
        return lesion.reshape(self.mask.shape)

    def save(self, path: str | os.PathLike[str], *, probability: bool = False) -> Path:
        """Write the mask, or the probability of lesion, as NIfTI with the header of the CT.

        Raises:
            InputError: the file cannot be written.
        """
        return save_on_grid(self._image, self.probability if probability else self.mask, Path(path))


class Model:
    """A trained network with its bundle's chain, made by :func:`load`.

    Attributes:
        bundle: the bundle's name.
        class_names: what it tells apart, background first.
    """

    def __init__(self, bundle: str, class_names: list[str], segmenter: "Segmenter", intensity: str) -> None:
        self.bundle = bundle
        self.class_names = class_names
        self._segmenter = segmenter
        self._intensity = intensity

    def __repr__(self) -> str:
        return f"Model of {self.bundle} on {self._segmenter.device}: {', '.join(self.class_names)}"

    def predict(self, ct: CT) -> Prediction:
        """Segment a CT volume, a slab of its slices, or one slice.

        Args:
            ct: a NIfTI file, a nibabel image, or (array in HU, affine to RAS in mm); (X, Y, Z), or (X, Y) for a
                slice. An array without a unit axis is taken as it is; its last axis need not be the patient's.

        Raises:
            InputError: the image cannot be read, or does not look like CT in HU.
        """
        from monai.utils import CommonKeys

        with plain_input_errors():
            image = _as_image(ct)
            source = os.fspath(ct) if isinstance(ct, (str, os.PathLike)) else _as_tensor(image, self._intensity)
            item = self._segmenter({CommonKeys.IMAGE: source})
        return Prediction(image, item, self.class_names)


def load(
    run: str | os.PathLike[str],
    *,
    device: str | None = None,
    roi_size: tuple[int, int] | None = None,
    intensity: str = "checked",
    settings: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> Model:
    """Read a run's weights once, for any number of volumes.

    Args:
        run: a run (:class:`covid_monai.Run`) or its folder.
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None.
        roi_size: height and width of the part of the resized slice that the network sees at a time, which then
            slides over the slice; None takes the slice whole.
        intensity: how the values of images are read, a mode of :mod:`covid_monai.transforms.intensity`; ``checked``
            refuses what does not look like HU.
        settings: further overrides of the bundle's inference configuration.
        trust: whether the run may contain executable configuration; see :func:`covid_monai.run.folder.read_run`.

    Raises:
        InputError: the run or its weights cannot be used, or a setting is not the bundle's.
    """
    home, record = RunFolder(run), read_run(run, trust=trust)
    source = bundle_folder(record.bundle)
    chosen = {**(settings or {}), "checkpoint": str(home.weights), "intensity": intensity}
    if roi_size is not None:
        chosen["roi_size"] = list(roi_size)
    if device is not None:
        chosen["device"] = device_setting(device)
    check_weights(home)
    from covid_monai.inference.segment import build_segmenter

    with plain_input_errors():
        known = known_settings(source, "inference", record.settings)
        workflow = build_workflow(source, "inference", {**known, **chosen})
        workflow.initialize()
        parser = workflow.parser
        segmenter = build_segmenter(parser)
        names = list(map(str, parser.get_parsed_content("class_names")))
        return Model(source.name, names, segmenter, intensity)


def _as_image(ct: CT) -> "nibabel.Nifti1Image":
    import nibabel

    from covid_monai.transforms.nifti import SMALLEST_DETERMINANT, check_grid, open_nifti

    if isinstance(ct, (str, os.PathLike)):
        return open_nifti(ct)
    if isinstance(ct, tuple):
        array, affine = (np.asarray(each) for each in ct)
        if affine.shape != (4, 4):
            raise InputError(f"the affine has shape {affine.shape}; it must be 4x4, from voxels to RAS in mm")
        if not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine[:3, :3])) < SMALLEST_DETERMINANT:
            raise InputError("the image has a broken affine: its axes do not span a volume")
        if array.dtype.kind not in "biuf":
            raise InputError(f"the array holds {array.dtype}; give numbers in HU")
        ct = nibabel.Nifti1Image(array.astype(np.float32), affine.astype(np.float64))
    check_grid(ct, "the image")
    return ct


def _as_tensor(image: "nibabel.Nifti1Image", intensity: str) -> Any:
    from monai.data import MetaTensor

    from covid_monai.transforms.reader import HounsfieldReader

    return MetaTensor.ensure_torch_and_prune_meta(*HounsfieldReader(intensity=intensity).get_data(image))
