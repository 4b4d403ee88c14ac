"""A trained network that segments CT: loaded once, then applied to volume after volume."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from covid_monai.catalog.config import read_config
from covid_monai.catalog.metadata import input_channels
from covid_monai.environment import device_setting
from covid_monai.errors import InputError, InputWarning, collecting_warnings, plain_input_errors
from covid_monai.inference.components import check_volume
from covid_monai.inference.mask_record import Backend, Origin
from covid_monai.inference.prediction import Prediction
from covid_monai.run.crops import warn_of_whole_slices
from covid_monai.run.trained import SHIPPED, Trained, find_trained
from covid_monai.studies import Study
from covid_monai.transforms.grid import check_affine, orientation_of

if TYPE_CHECKING:
    import nibabel

    from covid_monai.inference.segment import Segmenter

CT: TypeAlias = "str | os.PathLike[str] | Study | nibabel.Nifti1Image | tuple[ArrayLike, ArrayLike]"
"""A NIfTI file, a study, a nibabel image, or an array in HU with its affine (4x4, to RAS in mm)."""


class Model:
    """A trained network with its bundle's chain, made by :func:`load`.

    Attributes:
        bundle: the bundle's name.
        class_names: what it tells apart, background first.
        trained_on: what the weights were trained on, in words, as far as it is known.
    """

    def __init__(
        self,
        class_names: list[str],
        segmenter: "Segmenter",
        origin: Origin,
        reading: Mapping[str, Any],
        *,
        trained_on: tuple[str, ...] = (),
        trained_on_crops: bool = False,
        crops_volumes: bool = False,
        min_volume_ml: float = 0.0,
    ) -> None:
        self.bundle = origin.bundle
        self.class_names = class_names
        self.origin = origin
        self.trained_on = trained_on
        self._segmenter = segmenter
        self._reading = reading
        self._trained_on_crops, self._crops_volumes = trained_on_crops, crops_volumes
        self._min_volume_ml = min_volume_ml

    @property
    def backend(self) -> Backend:
        """What computes the network, and how precisely."""
        return self.origin.backend

    @property
    def device(self) -> str:
        """Where the network runs, such as ``cpu`` or ``cuda:0``."""
        return str(self._segmenter.device)

    def __repr__(self) -> str:
        return f"Model of {self.bundle} on {self._segmenter.device}: {', '.join(self.class_names)}"

    def predict(
        self, ct: CT, *, probability: bool = False, progress: Callable[[int, int], object] | None = None
    ) -> Prediction:
        """Segment a CT, or any part of its slices.

        What the reader warns of is raised as :class:`covid_monai.errors.InputWarning` and kept in the prediction.

        Args:
            ct: a NIfTI file, what :func:`covid_monai.studies.read_study` gives, a nibabel image, or (array in HU,
                affine to RAS in mm); (X, Y, Z), or (X, Y) for a slice. An array without a unit axis is taken as it
                is; its last axis need not be the patient's.
            probability: keep the probability of lesion too, which takes twice the memory of a CT.
            progress: called with the number of slices that are done, and the number of all slices.

        Raises:
            InputError: the image cannot be read, or does not look like CT in HU.
        """
        from covid_monai.inference.slabs import segment_volume
        from covid_monai.transforms.reader import HounsfieldReader

        path = Path(ct) if isinstance(ct, (str, os.PathLike)) else None
        study = ct if isinstance(ct, Study) else None
        reading = self._reading if study is None else _of_study(self._reading)
        where = str(path or "the image")
        with plain_input_errors(), collecting_warnings() as messages:
            grid = {key: reading[key] for key in ("orientation", "grid_tolerance")}
            image = _as_image((study.hu, study.affine) if study is not None else ct, grid)
            volume = HounsfieldReader(**reading).read_hounsfield(path or image, where=where)
            segmented = segment_volume(self._segmenter, volume, where, probability=probability, progress=progress)
            cropped = self._crops_volumes and image.ndim == 3 and min(image.shape) > 1
            if self._trained_on_crops and not cropped:
                warn_of_whole_slices(image, where)
        for message in messages:
            warnings.warn(message, InputWarning, stacklevel=2)
        return Prediction(
            image,
            segmented,
            self.class_names,
            origin=self.origin,
            source=path,
            study=study,
            warnings=tuple(messages),
            min_volume_ml=self._min_volume_ml,
        )


def load(
    run: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = SHIPPED,
    *,
    device: str | None = None,
    backend: str = "auto",
    precision: str | None = None,
    roi_size: tuple[int, int] | None = None,
    intensity: str = "checked",
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    mirrored: bool = False,
    min_volume_ml: float = 0.0,
    settings: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> Model:
    """Read a run's weights once, for any number of volumes.

    Args:
        run: ``shipped`` for the model of the package, a run (:class:`covid_monai.Run`), its folder, or others; see
            :func:`covid_monai.run.trained.find_trained`. Of several, such as the folds of a cross-validation, the
            logits are averaged (:class:`covid_monai.inference.averaging.AveragedNetwork`).
        device: such as ``cpu`` or ``cuda:0``; the bundle's choice if None, which is the processor for OpenVINO.
        backend: what computes the network: ``torch``, ``openvino``, or ``auto``, the faster one that is installed
            (:func:`covid_monai.inference.backends.use_backend`).
        precision: ``float32`` or ``bfloat16``, for either back end, or ``int8``, which OpenVINO alone computes and the
            weights must bring along, as the shipped ones do; the bundle's choice if None: bfloat16 where the device
            multiplies it in hardware.
        roi_size: height and width of the part of the resized slice that the network sees at a time, which then
            slides over the slice; None takes the slice whole.
        intensity: how the values of images are read, a mode of :mod:`covid_monai.transforms.intensity`; ``checked``
            refuses what does not look like HU.
        orientation: where the axes run, such as ``LPS``, for images that do not say: x to the left, y to the back (P),
            z to the head (S). None assumes LAS for them, with a warning.
        grid_tolerance: by how many mm the two affines of a NIfTI header, sform and qform, may differ; None for 0.1. The
            sform is taken.
        mirrored: average over each slice and its mirror image, left to right; it takes twice the time.
        min_volume_ml: connected lesions of less than this volume in mL are left out of the mask
            (:func:`covid_monai.inference.components.without_small_components`).
        settings: further overrides of the bundle's inference configuration.
        trust: whether the run may contain executable configuration; see :func:`covid_monai.run.folder.read_run`.

    Raises:
        InputError: a run or its weights cannot be used, several are not built alike, a setting is not the bundle's, or
            the back end cannot be used.
    """
    runs = [run] if isinstance(run, (str, os.PathLike)) else list(run)
    trained = [find_trained(each_run, settings=settings, trust=trust) for each_run in runs]
    from covid_monai.inference.averaging import build_averaged, check_alike
    from covid_monai.inference.backends import check_choice, use_backend
    from covid_monai.inference.quantised import find_quantised

    check_choice(backend, precision)
    check_alike(trained)
    source = trained[0].bundle
    reading = {
        "intensity": intensity,
        "orientation": orientation_of(orientation) if orientation else None,
        "grid_tolerance": grid_tolerance,
    }
    # bundles copied out of earlier releases do not have all of them
    given: dict[str, Any] = {key: value for key, value in reading.items() if value is not None}
    if roi_size is not None:
        given["roi_size"] = list(roi_size)
    beyond = {"mirrored": mirrored, "min_volume_ml": check_volume(min_volume_ml)}
    own = {key: value for key, value in (settings or {}).items() if key != "precision" or precision is None}
    noted = {**own, **given, **{key: value for key, value in beyond.items() if value}}
    terms = "; ".join(dict.fromkeys(each_run.terms for each_run in trained if each_run.terms)) or None
    chosen = {**own, **given}
    quantised = find_quantised(trained, chosen, mirrored=mirrored) if precision == "int8" else None
    if precision is not None:
        # torch's, which int8 is compared with
        chosen["precision"] = "float32" if quantised is not None else precision
    if device is not None or backend == "openvino" or quantised is not None:
        chosen["device"] = device_setting(device or "cpu")

    with plain_input_errors():
        segmenter, names = build_averaged(trained, chosen, mirrored=mirrored)
        computed = use_backend(segmenter, backend, channels=input_channels(source), quantised=quantised)
        weights = "+".join(sorted(each_run.sha256 for each_run in trained))
        origin = Origin(source.name, weights, noted, computed, terms)
        return Model(
            names,
            segmenter,
            origin,
            reading,
            trained_on=tuple(dict.fromkeys(each_run.data for each_run in trained)),
            trained_on_crops=any(each_run.on_crops for each_run in trained),
            crops_volumes=_crops_volumes(trained[0]),
            min_volume_ml=min_volume_ml,
        )


def _crops_volumes(trained: Trained) -> bool:
    """Whether the chain crops volumes to the lungs itself; slices alone stay as they are."""
    config = {**read_config(trained.bundle, "inference"), **trained.settings}
    return config.get("crop", "none") != "none"


def _of_study(reading: Mapping[str, Any]) -> dict[str, Any]:
    """How a study is read: it is in HU already, whatever its files hold, and its axes are known."""
    intensity = reading["intensity"]
    judged = intensity if intensity in ("checked", "auto") else "hu"
    return {"intensity": judged, "orientation": None, "grid_tolerance": None}


def _as_image(ct: CT, options: Mapping[str, Any]) -> "nibabel.Nifti1Image":
    import nibabel

    from covid_monai.transforms.nifti import image_in_memory, open_nifti

    if isinstance(ct, (str, os.PathLike)):
        return open_nifti(ct, allow_shear=True, **options)
    if isinstance(ct, tuple):
        array, affine = (np.asarray(each) for each in ct)
        if affine.shape != (4, 4):
            raise InputError(f"the affine has shape {affine.shape}; it must be 4x4, from voxels to RAS in mm")
        if array.dtype.kind not in "biuf":
            raise InputError(f"the array holds {array.dtype}; give numbers in HU")
        check_affine(affine, "the image", allow_shear=True)
        ct = nibabel.Nifti1Image(
            array if array.dtype == np.int16 else array.astype(np.float32), affine.astype(np.float64)
        )
    return image_in_memory(ct, allow_shear=True, **options)
