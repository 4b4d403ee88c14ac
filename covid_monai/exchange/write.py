"""The files of a study for other software, beside its mask and measurements."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.exchange.equipment import Algorithm
from covid_monai.exchange.formats import FILES, NRRD, SEG, SR, Formats
from covid_monai.studies import Study

if TYPE_CHECKING:
    from covid_monai.exchange.sources import Sources

# what highdicom and pydicom raise at values of a header that no standard allows
_UNWRITABLE = (ValueError, TypeError, AttributeError, KeyError)


@dataclass(frozen=True, eq=False)
class Finished:
    """What is written of a study.

    Attributes:
        study: the CT.
        mask: uint8 (i, j, k), values of ``classes``, 0 elsewhere.
        classes: what the values are, of :data:`covid_monai.exchange.codes.FINDINGS`.
        lungs: uint8 (i, j, k), 1 right and 2 left.
        measurements: what ``measurements.json`` has.
        algorithm: that made the mask.
    """

    study: Study
    mask: NDArray[np.uint8]
    classes: Mapping[int, str]
    lungs: NDArray[np.uint8]
    measurements: Mapping[str, Any]
    algorithm: Algorithm


def write_formats(folder: Path, formats: Formats, finished: Finished) -> tuple[str, ...]:
    """Write the files of :data:`covid_monai.exchange.formats.FILES` that are asked for; what was made up for them.

    Args:
        folder: where to write.
        formats: which, and how.
        finished: what to write.

    Raises:
        InputError: the study is no DICOM series where one is needed, or its headers hold what cannot be written again.
    """
    if NRRD in formats.names:
        from covid_monai.exchange.nrrd import write_seg_nrrd

        write_seg_nrrd(folder / FILES[NRRD], finished.mask, finished.study.affine, finished.classes)
    if not formats.of_dicom:
        return ()
    from covid_monai.exchange.sources import read_sources

    # each odd value of the source's header is told of again and again
    with collecting_warnings():
        try:
            sources = read_sources(finished.study)
            _write_dicom(folder, formats, finished, sources)
        except _UNWRITABLE as error:
            raise InputError(
                f"{' and '.join(formats.of_dicom)} cannot be made of these files "
                f"({' '.join(str(error).split())[:200]}); repair their headers, or ask for other `formats`"
            ) from error
    return sources.warnings


def _write_dicom(folder: Path, formats: Formats, finished: Finished, sources: "Sources") -> None:
    from covid_monai.exchange.segmentation import segmentation_of
    from covid_monai.exchange.structured_report import report_of

    segmentation, algorithm = None, finished.algorithm
    if SEG in formats.names:
        segmentation = segmentation_of(
            finished.mask, finished.classes, sources, algorithm, lungs=finished.lungs, formats=formats
        )
        segmentation.save_as(folder / FILES[SEG])
    if SR in formats.names:
        volumes = _segment_volumes(finished, with_lungs=formats.lung_segments)
        report = report_of(
            sources, finished.measurements, algorithm, segmentation=segmentation, segment_volumes=volumes
        )
        report.save_as(folder / FILES[SR])


def _segment_volumes(finished: Finished, *, with_lungs: bool) -> dict[int, float]:
    """Volumes in mL of the segments that are not empty, by their numbers; none where the spacing is not real.

    A voxel's volume is its area times what its slice stands for, as in docs/measurements.md.
    """
    study = finished.study
    if study.placeholder_spacing:
        return {}
    voxel_ml = float(np.prod(study.spacing[:2])) * study.extents / 1000
    voxels = [finished.mask == value for value in sorted(finished.classes)]
    if with_lungs:
        voxels += [finished.lungs == label for label in (1, 2)]
    volumes = {number: float(each.sum(axis=(0, 1)) @ voxel_ml) for number, each in enumerate(voxels, start=1)}
    return {number: volume for number, volume in volumes.items() if volume}
