"""The stored values of DICOM images: native pixels by pydicom, compressed ones by GDCM, each frame apart.

GDCM gets a file of its own with nothing but the compressed pixels and their numbers. Rescaling is ours, as it differs
between slices and padding is named in stored values; and what else a header holds cannot mislead the decoder.
"""

import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.studies.entries import Entry
from covid_monai.studies.headers import UNREADABLE, has_meta

if TYPE_CHECKING:
    from pydicom import Dataset

_FOR_GDCM = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
_NO_DECODER = {
    "1.2.840.10008.1.2.4.201": "HTJ2K (high-throughput JPEG 2000)",
    "1.2.840.10008.1.2.4.202": "HTJ2K (high-throughput JPEG 2000)",
    "1.2.840.10008.1.2.4.203": "HTJ2K (high-throughput JPEG 2000)",
    "1.2.840.10008.1.2.4.110": "JPEG XL",
    "1.2.840.10008.1.2.4.111": "JPEG XL",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}
# among what is said of sound files too, such as bytes that do no harm
_DAMAGE = re.compile(r"bad huffman|premature end|inconsistent with stream length", re.IGNORECASE)
_END_OF_IMAGE = b"\xff\xd9"
_RLE = "1.2.840.10008.1.2.5"
_DEFAULT_SYNTAX = "1.2.840.10008.1.2"


def read_pixels(entry: Entry) -> "Dataset":
    """A DICOM file with its pixels, to be given to :func:`stored_values`.

    Raises:
        InputError: it is damaged or cut off.
    """
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with entry.open() as stream:
                dataset = pydicom.dcmread(stream, force=True)
                # what is read later would be read from a closed file
                dataset.get("PixelData")
        except UNREADABLE as error:
            raise InputError(f"is damaged or cut off ({_in_one_line(error)}): copy it again") from error
    if "PixelData" not in dataset:
        raise InputError("is cut off before its pixels, or has none: copy it again")
    return dataset


def stored_values(dataset: "Dataset", frame: int | None) -> NDArray[Any]:
    """The stored values (rows, columns) of an image, before any rescaling.

    Args:
        dataset: what :func:`read_pixels` gave.
        frame: the frame's index; None for a file of one image.

    Raises:
        InputError: the pixels are cut off or damaged, or encoded in a way that cannot be decoded.
    """
    syntax = syntax_of(dataset)
    if syntax in _NO_DECODER:
        raise InputError(f"is compressed by {_NO_DECODER[syntax]}, which is not decoded: convert it, as by dcmdjpeg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            values = _compressed(dataset, frame) if _is_compressed(syntax) else _native(dataset, frame)
        except UNREADABLE as error:
            # an InputError too, and one that says what is wrong already
            if isinstance(error, InputError):
                raise
            raise InputError(f"is damaged or cut off ({_in_one_line(error)}): copy it again") from error
    shape = (int(dataset.Rows), int(dataset.Columns))
    if values.shape != shape:
        raise InputError(f"has pixels of shape {values.shape} where its header says {shape}: copy it again")
    return values


def syntax_of(dataset: "Dataset") -> str:
    """The UID of a file's transfer syntax; implicit little endian where it has none, as in files without preamble."""
    meta = dataset.file_meta if has_meta(dataset) else None
    return str(getattr(meta, "TransferSyntaxUID", None) or _DEFAULT_SYNTAX)


def _is_compressed(syntax: str) -> bool:
    from pydicom.uid import UID

    try:
        return bool(UID(syntax).is_encapsulated)
    # a syntax of a manufacturer's own, or none that is known
    except ValueError as error:
        raise InputError(f"has a transfer syntax that is not known ({syntax}): convert it") from error


def _native(dataset: "Dataset", frame: int | None) -> NDArray[Any]:
    from pydicom.pixels import pixel_array

    if not has_meta(dataset) or not getattr(dataset.file_meta, "TransferSyntaxUID", None):
        _add_syntax(dataset)
    values: NDArray[Any] = pixel_array(dataset, index=frame or 0)
    return values


def _add_syntax(dataset: "Dataset") -> None:
    """Say how a file without this statement turned out to be encoded."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    if not has_meta(dataset):
        dataset.file_meta = FileMetaDataset()
    explicit = ExplicitVRLittleEndian if little is not False else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _compressed(dataset: "Dataset", frame: int | None) -> NDArray[Any]:
    from pydicom.encaps import get_frame

    count = int(dataset.get("NumberOfFrames") or 1)
    pixels = get_frame(dataset.PixelData, frame or 0, number_of_frames=count)
    # GDCM fills what is missing with grey, without a word
    if syntax_of(dataset) != _RLE and _END_OF_IMAGE not in pixels[-4:]:
        raise InputError("is cut off within its compressed pixels: copy it again")
    return _by_gdcm(dataset, pixels)


def _by_gdcm(dataset: "Dataset", pixels: bytes) -> NDArray[Any]:
    import SimpleITK as sitk
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import CTImageStorage, generate_uid

    bare = Dataset()
    for keyword in _FOR_GDCM:
        if keyword in dataset:
            bare[keyword] = dataset[keyword]
    bare.SOPClassUID, bare.SOPInstanceUID = CTImageStorage, generate_uid()
    bare.Modality, bare.SamplesPerPixel, bare.PhotometricInterpretation = "CT", 1, "MONOCHROME2"
    bare.PixelData = encapsulate([pixels])
    bare["PixelData"].VR = "OB"
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    # its warnings would come between our lines; what it cannot read, it raises
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    handle, name = tempfile.mkstemp(suffix=".dcm")
    os.close(handle)
    try:
        bare.save_as(name, enforce_file_format=True)
        with _libraries_words() as said:
            image = sitk.ReadImage(name, imageIO="GDCMImageIO")
    except RuntimeError as error:
        raise InputError("is compressed, and its pixels cannot be decoded: they are damaged; copy it again") from error
    finally:
        os.unlink(name)
    if damage := next(filter(_DAMAGE.search, said), None):
        raise InputError(f"is damaged within its compressed pixels ({damage}): copy it again")
    values: NDArray[Any] = np.squeeze(sitk.GetArrayFromImage(image), axis=0)
    return values


@contextmanager
def _libraries_words() -> Iterator[list[str]]:
    """Yield a list that fills with the lines which C libraries write to the process's standard error meanwhile.

    The JPEG libraries within GDCM decode damaged pixels to other values, and say so there alone.
    """
    said: list[str] = []
    try:
        kept = os.dup(2)
    # a process without standard error
    except OSError:
        yield said
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said += file.read().decode(errors="replace").splitlines()


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
