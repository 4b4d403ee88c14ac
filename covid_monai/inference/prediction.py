"""What a model says of one CT, and what can be measured of it."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.files import protecting, replacing
from covid_monai.inference.components import without_small_components
from covid_monai.inference.mask_record import Origin, write_record
from covid_monai.inference.masks import write_on_grid
from covid_monai.measurements.definitions import FLOOR_ML, FLOOR_PERCENT, GROUND_GLASS_BELOW_HU

if TYPE_CHECKING:
    import nibabel

    from covid_monai.inference.slabs import Segmented
    from covid_monai.lungs import Lungs
    from covid_monai.measurements import Measurements
    from covid_monai.studies import Study


@dataclass(frozen=True)
class PredictedFile:
    """What became of one input.

    Attributes:
        image: the input; of a study the folder, archive or file that it lies in.
        mask: its mask; None where there is none, and ``error`` says why.
        probability: the map of the probability of lesion, where it was asked for.
        kept: whether the mask was there already, made from this image with this model and these settings.
        warnings: what about the input is not as sure as one may believe.
        error: why there is no mask.
        study: the key that stands for a study in all that is written; None for an image.
        measurements: the document with what was measured of a study.
        page: a study's page, where it was asked for.
    """

    image: Path
    mask: Path | None = None
    probability: Path | None = None
    kept: bool = False
    warnings: tuple[str, ...] = ()
    error: str | None = None
    study: str | None = None
    measurements: Path | None = None
    page: Path | None = None


def measure_study(
    study: "Study",
    mask: NDArray[Any],
    lungs: "Lungs",
    *,
    classes: Mapping[int, str],
    ground_glass_below: float,
    floor_ml: float,
    floor_percent: float,
) -> "Measurements":
    """Measure a study with a mask on its grid; see :func:`covid_monai.measurements.measure`."""
    from covid_monai.measurements import measure

    return measure(
        study.hu,
        study.affine,
        mask,
        lungs,
        extents=study.extents,
        classes=classes,
        true_hu=study.intensity == "hu",
        placeholder_spacing=study.placeholder_spacing,
        ground_glass_below=ground_glass_below,
        floor_ml=floor_ml,
        floor_percent=floor_percent,
    )


class Prediction:
    """What a model says of one CT: a class for each voxel, on the grid of the CT.

    Of a :class:`covid_monai.studies.Study` it gives lungs and measurements too, found when they are asked for.

    Attributes:
        mask: uint8, of the shape of the CT; 0 is background, ``class_names`` has the others.
        affine: 4x4, from voxels to RAS in mm.
        class_names: by the values of ``mask``.
        origin: the model and the settings that it was made with.
        source: the file of the CT; None for an image in memory.
        study: the CT, where it was given as a study.
        warnings: what about the CT is not as sure as one may believe.
        seconds: what each stage took: lungs, where the model crops to them, prepare, network, invert.
    """

    def __init__(
        self,
        image: "nibabel.Nifti1Image",
        segmented: "Segmented",
        class_names: list[str],
        *,
        origin: Origin,
        source: Path | None = None,
        study: "Study | None" = None,
        warnings: tuple[str, ...] = (),
        min_volume_ml: float = 0.0,
    ) -> None:
        self._image = image
        self._probability, self._lungs = segmented.probability, segmented.lungs
        self.seconds = segmented.seconds
        self.affine: NDArray[np.float64] = np.asarray(image.affine, dtype=np.float64)
        mask: NDArray[np.uint8] = segmented.mask.reshape(image.shape)
        self.mask = without_small_components(mask, self.affine, min_volume_ml=min_volume_ml)
        self.class_names = class_names
        self.origin, self.source, self.study, self.warnings = origin, source, study, warnings

    def __repr__(self) -> str:
        found = ", ".join(f"{np.count_nonzero(self.mask == k)} of {name}" for k, name in enumerate(self.class_names))
        return f"Prediction of {' x '.join(map(str, self.mask.shape))} voxels: {found}"

    @property
    def probability(self) -> NDArray[np.float32]:
        """The probability of lesion of any class: float32 from 0 to 1, of the shape of ``mask``.

        Raises:
            InputError: it was not kept.
        """
        if self._probability is None:
            raise InputError("the probability of lesion was not kept; predict with `probability=True`")
        return self._probability.reshape(self.mask.shape)

    @cached_property
    def lungs(self) -> "Lungs":
        """The lungs of the study (:func:`covid_monai.lungs.find_lungs`).

        Raises:
            InputError: the CT was not given as a study.
        """
        from covid_monai.lungs import find_lungs

        study = self._given_study()
        return self._lungs or find_lungs(study.hu, study.affine)

    @cached_property
    def measurements(self) -> "Measurements":
        """What is measured of the study, by the settings that docs/measurements.md has; see :meth:`measure`."""
        return self.measure()

    def measure(
        self,
        *,
        ground_glass_below: float = GROUND_GLASS_BELOW_HU,
        floor_ml: float = FLOOR_ML,
        floor_percent: float = FLOOR_PERCENT,
    ) -> "Measurements":
        """Measure the study with the mask and :attr:`lungs`; see :func:`covid_monai.measurements.measure`.

        Raises:
            InputError: the CT was not given as a study, or the model has classes that cannot be measured.
        """
        from covid_monai.measurements import classes_of

        return measure_study(
            self._given_study(),
            self.mask,
            self.lungs,
            classes=classes_of(self.class_names),
            ground_glass_below=ground_glass_below,
            floor_ml=floor_ml,
            floor_percent=floor_percent,
        )

    def _given_study(self) -> "Study":
        if self.study is None:
            raise InputError(
                "lungs and measurements are those of a study: predict `covid_monai.studies.read_study(path)`, which "
                "takes DICOM, NIfTI, NRRD and MetaImage"
            )
        return self.study

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        probability: str | os.PathLike[str] | None = None,
    ) -> Path:
        """Write the mask as NIfTI on the grid of the CT, and a JSON file of the same name beside it.

        The JSON (:mod:`covid_monai.inference.mask_record`) has the names of the classes, their voxels, the warnings,
        and what the mask was made from and with. Nothing of the CT's header but its grid is kept.

        Args:
            path: of the mask, such as ``masks/patient.nii.gz``.
            overwrite: replace a mask that is there.
            probability: of a second file, for the probability of lesion (float32), if it was kept.

        Returns:
            the path of the mask.

        Raises:
            InputError: there is a mask already, ``path`` is the CT's own file, a file cannot be written, or the
                probability was not kept.
        """
        mask, second = Path(path), Path(probability) if probability is not None else None
        if not overwrite and (there := next((file for file in (mask, second) if file and file.exists()), None)):
            raise InputError(f"{there} is there already; give `overwrite=True` to replace it, or another name")
        with ExitStack() as files:
            inputs = self.study.files if self.study is not None else [self.source] if self.source is not None else []
            files.enter_context(protecting(*inputs))
            # all are complete before the first takes its place, the mask last: it stands for them all
            complete = {"mask": files.enter_context(replacing(mask))}
            self.write_labels(self.mask, complete["mask"])
            if second is not None:
                complete["probability"] = files.enter_context(replacing(second))
                write_on_grid(self._image, self.probability, complete["probability"])
            voxels = [int(np.count_nonzero(self.mask == value)) for value in range(len(self.class_names))]
            write_record(
                mask,
                image=self.source,
                origin=self.origin,
                class_names=self.class_names,
                voxels=voxels,
                warnings=self.warnings,
                files=complete,
            )
        return mask

    def write_labels(self, labels: NDArray[Any], path: Path) -> None:
        """Write values such as ``lungs.labels`` as NIfTI on the grid of the CT; nothing else of its header is kept."""
        write_on_grid(self._image, labels, path)
