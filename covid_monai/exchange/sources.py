"""The images that a DICOM object refers to: their headers, with what every new object of a study has to have."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from covid_monai.exchange.formats import SEG, Formats, check_source
from covid_monai.exchange.identifiers import is_uid, uid_from
from covid_monai.studies import Study
from covid_monai.studies.geometry import SAME_POSITION
from covid_monai.studies.headers import ImageHeader, read_header, value_of

if TYPE_CHECKING:
    from pydicom import Dataset

# of the Patient and General Study modules (PS3.3 C.7.1.1 and C.7.2.1), which may be empty but not missing
_EMPTY_AT_LEAST = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
)

_READ = (
    *_EMPTY_AT_LEAST,
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("FrameOfReferenceUID", "PositionReferenceIndicator", "Modality", "ImageType"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("Rows", "Columns", "NumberOfFrames", "LossyImageCompression"),
    *("LossyImageCompressionRatio", "LossyImageCompressionMethod"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


@dataclass(frozen=True, eq=False)
class Sources:
    """The images of a study as new objects refer to them.

    Attributes:
        datasets: headers without pixels: one a slice in the order of the slices, or one file of many frames.
        frames: (k,), the index in that file of each slice's frame; None where files hold one image each.
        slice_distance: mm between planes, along their normal; None where they are unevenly spaced.
        warnings: what was made up, and what follows from it.
    """

    datasets: list["Dataset"] = field(repr=False)
    frames: NDArray[np.intp] | None = None
    slice_distance: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def series(self) -> str:
        """The UID of the series that they are."""
        return str(self.datasets[0].SeriesInstanceUID)

    def planes(self, voxels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Voxels (i, j, k) or (i, j, k, segment) as planes (frame, row, column, ...), one for each image."""
        planes = np.moveaxis(voxels, (0, 1, 2), (2, 1, 0))
        if self.frames is None:
            return np.ascontiguousarray(planes)
        whole = np.zeros((int(self.datasets[0].NumberOfFrames), *planes.shape[1:]), planes.dtype)
        whole[self.frames] = planes
        return whole


def read_sources(study: Study) -> Sources:
    """Read the headers of a study's images.

    Identifiers that are no UIDs, as some de-identified series have them, become ones: the same for the same series,
    whoever computes them (:func:`covid_monai.exchange.identifiers.uid_from`).

    Args:
        study: the CT, read from DICOM.

    Raises:
        InputError: DICOM objects cannot refer to its images; see :func:`covid_monai.exchange.formats.check_source`.
    """
    headers = study.slices
    check_source("the CT", study.format, headers, Formats(frozenset({SEG})))
    files = {header.entry.path: header for header in headers}
    many = headers[0].frame is not None
    datasets = [_dataset(header, study) for header in files.values()]
    frames = np.array([header.frame for header in headers]) if many else None
    uneven = np.ptp(study.extents) > SAME_POSITION
    distance = None if uneven else study.spacing[2]
    return Sources(datasets, frames, distance, _with_uids(datasets, list(files.values())))


def _dataset(header: ImageHeader, study: Study) -> "Dataset":
    with header.entry.open() as stream:
        dataset = read_header(stream, _READ)
    for keyword in _EMPTY_AT_LEAST:
        if value_of(dataset, keyword) is None:
            setattr(dataset, keyword, "")
    if header.frame is None:
        rows, columns, distance = study.spacing[1], study.spacing[0], study.spacing[2]
        if header.spacing is None:
            dataset.PixelSpacing = [round(rows, 8), round(columns, 8)]
        if header.number("SliceThickness") is None:
            dataset.SliceThickness = round(distance, 8)
        if header.orientation is None:
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    return dataset


def _with_uids(datasets: Sequence["Dataset"], headers: Sequence[ImageHeader]) -> tuple[str, ...]:
    """Put a UID wherever an image has none that is one; what is told of it."""
    from pydicom.uid import CTImageStorage

    made_up: list[str] = []
    for dataset, header in zip(datasets, headers, strict=True):
        series = header.series
        position = "\\".join(map(str, header.position if header.position is not None else ()))
        instead = {
            "StudyInstanceUID": header.study,
            "SeriesInstanceUID": series,
            "FrameOfReferenceUID": f"frame of reference of {series}",
            "SOPInstanceUID": header.text("SOPInstanceUID") or f"{series} {position}",
        }
        for keyword, text in instead.items():
            if not is_uid(header.text(keyword)):
                setattr(dataset, keyword, uid_from(text))
                made_up.append(keyword)
        if not header.text("SOPClassUID"):
            dataset.SOPClassUID = CTImageStorage
    if not made_up:
        return ()
    names = ", ".join(dict.fromkeys(made_up))
    return (
        f"the images have no valid {names}: ones made of what is there stand in for them in DICOM objects, which "
        "viewers do not link to these images unless the images are given the same",
    )
