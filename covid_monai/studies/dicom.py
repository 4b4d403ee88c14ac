"""A DICOM series as voxels in HU: slice by slice, those that cannot be read named and left out."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.studies.decoding import read_pixels, stored_values
from covid_monai.studies.entries import Entry
from covid_monai.studies.headers import ImageHeader
from covid_monai.studies.hounsfield import is_whole, rescaled
from covid_monai.studies.study import Identity

if TYPE_CHECKING:
    from pydicom import Dataset

LeftOut = tuple[tuple[Path, str], ...]


def digest_of(header: ImageHeader) -> bytes:
    """What is equal for images of equal pixels; of one that cannot be read, its own name."""
    try:
        stored = stored_values(read_pixels(header.entry), header.frame)
    except InputError:
        return str((header.entry.path, header.frame)).encode()
    return hashlib.sha256(stored.astype(np.int64).tobytes()).digest()


def slices_in_hu(headers: Sequence[ImageHeader]) -> Iterator[tuple[ImageHeader, NDArray[np.float32] | str]]:
    """Each slice (rows, columns) in HU, its padding marked by ``hounsfield.PADDED``; or why there is none."""
    entry: Entry | None = None
    opened: Dataset | None = None
    for header in headers:
        try:
            # frames of one file come one after another
            if opened is None or header.entry is not entry:
                entry, opened = header.entry, None
                opened = read_pixels(entry)
            yield header, rescaled(stored_values(opened, header.frame), header)
        except InputError as error:
            yield header, str(error)


def read_slices(
    headers: Sequence[ImageHeader],
) -> tuple[NDArray[np.int16] | NDArray[np.float32], list[ImageHeader], LeftOut]:
    """The slices of a stack as voxels (column, row, slice), those that were read, and the files that were not.

    Raises:
        InputError: none can be read.
    """
    rows, columns = headers[0].shape
    kind: Any = np.int16 if all(map(is_whole, headers)) else np.float32
    limits = np.iinfo(np.int16)
    # a slice is one piece of memory
    voxels: NDArray[Any] = np.empty((columns, rows, len(headers)), dtype=kind, order="F")
    read: list[ImageHeader] = []
    left_out: list[tuple[Path, str]] = []
    for header, hu in slices_in_hu(headers):
        if isinstance(hu, str):
            left_out.append((header.entry.path, hu))
            continue
        if voxels.dtype == np.int16 and not limits.min <= hu.min() <= hu.max() <= limits.max:
            voxels = voxels.astype(np.float32)
        voxels[:, :, len(read)] = hu.T
        read.append(header)
    if not read:
        path, reason = left_out[0]
        raise InputError(f"none of the {len(headers)} slices can be read; {path} {reason}")
    return voxels[:, :, : len(read)], read, tuple(left_out)


def identity_of(headers: Sequence[ImageHeader]) -> Identity:
    """The UIDs of slices that were read."""
    first = headers[0]
    frames = [header.frame for header in headers if header.frame is not None]
    return Identity(
        study_uid=first.text("StudyInstanceUID") or None,
        series_uid=first.text("SeriesInstanceUID") or None,
        frame_of_reference_uid=first.text("FrameOfReferenceUID") or None,
        sop_instance_uids=tuple(header.text("SOPInstanceUID") or None for header in headers),
        frames=tuple(frame + 1 for frame in frames) if frames else None,
    )
