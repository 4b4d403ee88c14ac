"""Headers of DICOM files: what an image is and where it lies, whatever else is missing or odd."""

import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.errors import BytesLengthException, InvalidDicomError

from covid_monai.studies.entries import Entry

if TYPE_CHECKING:
    from pydicom import Dataset

UNREADABLE = (
    EOFError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    NotImplementedError,
    RecursionError,
    struct.error,
    zipfile.BadZipFile,
    BytesLengthException,
    InvalidDicomError,
    zlib.error,
)
"""What pydicom and zipfile raise at files that are damaged, cut off or of another kind."""

# the names that are read and no other: those of the patient are none of them
_READ = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("Modality", "ImageType", "SeriesDescription", "SeriesNumber", "InstanceNumber"),
    *("ConvolutionKernel", "SliceThickness", "SpacingBetweenSlices", "GantryDetectorTilt"),
    *("ImagePositionPatient", "ImageOrientationPatient", "SliceLocation", "PixelSpacing", "ReconstructionDiameter"),
    *("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "LossyImageCompression"),
    *("AcquisitionNumber", "TemporalPositionIdentifier", "EchoNumbers", "KVP", "NominalPercentageOfCardiacPhase"),
    *("AcquisitionTime", "AcquisitionDateTime", "ContentTime", "TriggerTime", "StackID"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_DICM = 128

DISTINGUISHED_BY = {
    "AcquisitionNumber": "acquisition",
    "TemporalPositionIdentifier": "time point",
    "EchoNumbers": "echo",
    "NominalPercentageOfCardiacPhase": "cardiac phase",
    "TriggerTime": "trigger time",
    "KVP": "tube voltage",
    "ConvolutionKernel": "kernel",
    "ImageType": "image type",
    "ReconstructionDiameter": "reconstruction diameter",
    "SliceThickness": "slice thickness",
    "StackID": "stack",
    "SeriesDescription": "description",
    "AcquisitionTime": "acquisition time",
    "AcquisitionDateTime": "acquisition time",
    "ContentTime": "content time",
}
"""What several images at one position differ in, where they are phases or reconstructions; the first ones first."""


@dataclass(frozen=True, eq=False)
class ImageHeader:
    """What the header says of one image: a file, or a frame of one.

    Attributes:
        entry: the file.
        frame: the frame's index in it, None where the file is one image.
        series: what groups the images of a series: its UID, or the folder where there is none.
        study: the same of the study.
        position: (3,), of the first pixel's middle, LPS in mm; None where it is not known.
        orientation: (2, 3), directions in LPS along which columns and rows are counted; None where it is not known.
        spacing: mm between rows and between columns; None where it is not known.
        shape: rows and columns.
        values: the other attributes, by their DICOM keywords; those that are missing, empty or broken are None.
    """

    entry: Entry
    frame: int | None
    study: str
    series: str
    shape: tuple[int, int]
    position: NDArray[np.float64] | None
    orientation: NDArray[np.float64] | None
    spacing: tuple[float, float] | None
    values: dict[str, Any]

    def number(self, keyword: str) -> float | None:
        """A number of the header, None where there is none."""
        return number_of(self.values.get(keyword))

    def text(self, keyword: str) -> str:
        """A text of the header, with its parts joined by backslashes, as DICOM has them; empty where there is none."""
        value = self.values.get(keyword)
        parts = [value] if value is None or isinstance(value, str) else _parts(value)
        return "\\".join(str(part).strip() for part in parts if part is not None)


def looks_like_dicom(entry: Entry) -> bool:
    """Whether a file begins as DICOM does: after a preamble, or, as older files do, with its first attributes."""
    try:
        start = entry.start(_DICM + 4)
    except UNREADABLE:
        return False
    if start[_DICM:] == b"DICM":
        return True
    # group 2 or 8, of either byte order
    return len(start) > 8 and start[:2] in (b"\x02\0", b"\x08\0", b"\0\x08") and b"\0" in start[2:8]


def read_header(stream: BinaryIO, keywords: Sequence[str] = _READ) -> "Dataset":
    """Some attributes of a DICOM file, without its pixels."""
    import pydicom

    with warnings.catch_warnings():
        # what is odd is found out by us, and told in other words
        warnings.simplefilter("ignore")
        return pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(keywords))


def value_of(dataset: "Dataset", keyword: str) -> Any:
    """A value as pydicom has it; None where it is missing, empty or cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = dataset.get(keyword)
        except UNREADABLE:
            return None
    return None if value is None or (isinstance(value, str) and not value.strip()) else value


def number_of(value: Any) -> float | None:
    """A finite number, also the first of several and one of text; None where there is none."""
    first = next(iter(_parts(value)), None)
    try:
        number = float(str(first).replace(",", "."))
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def numbers_of(value: Any, count: int) -> NDArray[np.float64] | None:
    """``count`` finite numbers; None where there are others."""
    numbers = [number_of(part) for part in _parts(value)]
    if len(numbers) != count or None in numbers:
        return None
    return np.array(numbers, dtype=np.float64)


def _parts(value: Any) -> list[Any]:
    if value is None or isinstance(value, (str, bytes, float, int)):
        return [value]
    try:
        return list(value)
    except TypeError:
        return [value]


def image_header(entry: Entry, dataset: "Dataset") -> ImageHeader:
    """What a dataset says of its image; frames of one file are told apart by :mod:`covid_monai.studies.frames`."""
    values = {keyword: value_of(dataset, keyword) for keyword in _READ if not keyword.endswith("GroupsSequence")}
    values["TransferSyntaxUID"] = value_of(dataset.file_meta, "TransferSyntaxUID") if has_meta(dataset) else None
    folder = str(entry.path.parent)
    spacing = numbers_of(values["PixelSpacing"], 2)
    return ImageHeader(
        entry=entry,
        frame=None,
        study=str(values["StudyInstanceUID"] or folder),
        series=str(values["SeriesInstanceUID"] or folder),
        shape=(int(number_of(values["Rows"]) or 0), int(number_of(values["Columns"]) or 0)),
        position=numbers_of(values["ImagePositionPatient"], 3),
        orientation=directions_of(values["ImageOrientationPatient"]),
        spacing=spacing_of(spacing),
        values=values,
    )


def has_meta(dataset: "Dataset") -> bool:
    """Whether a file has the group that says how it is encoded."""
    return getattr(dataset, "file_meta", None) is not None


def spacing_of(numbers: NDArray[np.float64] | None) -> tuple[float, float] | None:
    """A spacing of rows and columns, None where it is none."""
    return None if numbers is None or numbers.min() <= 0 else (float(numbers[0]), float(numbers[1]))


def directions_of(value: Any) -> NDArray[np.float64] | None:
    """The two directions of an orientation, of length one and at right angles; None where they are none."""
    numbers = numbers_of(value, 6)
    if numbers is None:
        return None
    directions = numbers.reshape(2, 3)
    lengths = np.linalg.norm(directions, axis=1)
    # headers round; what is off by more is no direction
    if np.abs(lengths - 1).max() > 0.05 or abs(directions[0] @ directions[1]) > 0.05:
        return None
    first = directions[0] / lengths[0]
    second = directions[1] - (directions[1] @ first) * first
    return np.array([first, second / np.linalg.norm(second)])
