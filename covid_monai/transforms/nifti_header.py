"""Headers of NIfTI files: found by their first bytes, checked field by field, or told apart from other files."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from covid_monai.errors import InputError

if TYPE_CHECKING:
    import nibabel

GZIP = b"\x1f\x8b"

# what stands at a place of files that users take for NIfTI, and what to do with them
_OTHER_KINDS = (
    (128, b"DICM", "a DICOM file", "convert its series to NIfTI, for example with dcm2niix"),
    (0, b"\x89PNG", "a PNG picture", "`data prepare slices` reads pictures"),
    (0, b"\xff\xd8\xff", "a JPEG picture", "`data prepare slices` reads pictures"),
    (0, b"II*\0", "a TIFF picture", "`data prepare slices` reads pictures"),
    (0, b"MM\0*", "a TIFF picture", "`data prepare slices` reads pictures"),
    (0, b"PK\x03\x04", "a ZIP archive", "unpack it"),
    (0, b"\xfd7zXZ", "an XZ archive", "unpack it"),
    (0, b"BZh", "a bzip2 archive", "unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unpack it"),
    (257, b"ustar", "a tar archive", "unpack it"),
    (0, b"NRRD", "an NRRD file", "convert it to .nii.gz, for example with SimpleITK"),
    (0, b"ObjectType", "a MetaImage file", "convert it to .nii.gz, for example with SimpleITK"),
    (0, b"\x89HDF", "an HDF5 file", "convert it to .nii.gz"),
    (0, b"\x93NUMPY", "a NumPy file", "save its array with its affine as .nii.gz"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch it with `git lfs pull`"),
    (0, b"<", "a web page or XML, as a failed download leaves it", "download it again"),
)


@contextmanager
def uncompressed(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for reading, through gzip where its first bytes say so; its name may say otherwise.

    Raises:
        InputError: it is no file, or cannot be opened.
    """
    if not Path(path).is_file():
        raise InputError(f"{path} is not a file")
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        compressed = file.read(2) == GZIP
        file.seek(0)
        yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if compressed else file


def read_header(path: str | PathLike[str]) -> "nibabel.Nifti1Header":
    """Read and check the header of a NIfTI-1 or NIfTI-2 file; where its axes lie in space is not looked at.

    Raises:
        InputError: the file is missing, empty, of another kind (which is named), or has a header that cannot be right.
    """
    import nibabel

    with uncompressed(path) as stream:
        try:
            start = stream.read(_LONGEST_HEADER)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path} is a damaged gzip file ({one_line(error)}): copy or download it again") from error
    sizes = {size: {size.to_bytes(4, order) for order in ("little", "big")} for size in (348, 540)}
    if any(start[:4] in sizes[size] and len(start) < size for size in sizes):
        raise InputError(f"{path} is cut off within its header, after {len(start)} bytes: copy or download it again")
    if start[:4] in sizes[540] and start[4:7] in (b"n+2", b"ni2"):
        kind: type[nibabel.Nifti1Header] = nibabel.Nifti2Header
    elif start[:4] in sizes[348] and start[344:347] in (b"n+1", b"ni1"):
        kind = nibabel.Nifti1Header
    else:
        raise InputError(_no_nifti(path, start, analyze=start[:4] in sizes[348]))
    order = "<" if start[:4] == int(kind.sizeof_hdr).to_bytes(4, "little") else ">"
    header = kind(start[: kind.sizeof_hdr], endianness=order, check=False)
    _check_fields(header, path)
    return header


_LONGEST_HEADER = 540


def _no_nifti(path: str | PathLike[str], start: bytes, analyze: bool) -> str:
    if not start:
        return f"{path} is empty: copy or download it again"
    if not any(start):
        return f"{path} holds nothing but zeros at its start: copy or download it again"
    for place, sign, kind, advice in _OTHER_KINDS:
        if start[place : place + len(sign)] == sign:
            return f"{path} is {kind}, not NIfTI: {advice}"
    if analyze:
        return f"{path} is an Analyze 7.5 file, or its NIfTI magic is damaged: convert it to .nii.gz"
    return f"{path} is no NIfTI file, as its header does not begin with 348 or 540: give a CT as .nii.gz or .nii"


def _check_fields(header: "nibabel.Nifti1Header", path: str | PathLike[str]) -> None:
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise InputError(f"{path}: dim[0] is {count}, not 1 to 7, so its header is damaged: copy or convert it again")
    check_dimensions(tuple(int(length) for length in header["dim"][1 : count + 1]), path)
    _check_storage(header, path)
    for field in ("scl_slope", "scl_inter"):
        # a slope of 0 says that values are not rescaled, and the intercept means nothing then
        if not np.isfinite(header[field]) and header["scl_slope"] != 0:
            raise InputError(
                f"{path}: {field} is {float(header[field])}, so its values are not known; set scl_slope to 1 and "
                "scl_inter to 0 where the stored numbers are HU, or convert the CT again"
            )


def check_dimensions(shape: tuple[int, ...], path: str | PathLike[str]) -> None:
    """Refuse a shape that is no volume's (X, Y, Z) and no slice's (X, Y), further axes of length one aside.

    Raises:
        InputError: it is refused.
    """
    if min(shape, default=0) < 1:
        raise InputError(f"{path} has shape {shape}, with an axis of no length: convert the CT again")
    if len(shape) < 2 or any(length != 1 for length in shape[3:]):
        raise InputError(f"{path} has shape {shape}: a volume has 3 axes; save one volume a file")


def _check_storage(header: "nibabel.Nifti1Header", path: str | PathLike[str]) -> None:
    code = int(header["datatype"])
    try:
        stored = header.get_data_dtype()
    except Exception as error:
        raise InputError(f"{path}: datatype {code} is none that NIfTI knows: convert the CT again") from error
    if stored.kind not in "biuf":
        name = {"c": "complex numbers", "V": "colours"}.get(stored.kind, str(stored))
        name = name if code > 1 else "values of no type, or single bits"
        raise InputError(f"{path} holds {name} (datatype {code}): real numbers are needed; save one value a voxel")
    if int(header["bitpix"]) not in (0, stored.itemsize * 8):
        raise InputError(
            f"{path}: datatype {code} has {stored.itemsize * 8} bits a voxel, bitpix says {int(header['bitpix'])}, so "
            "its header is damaged: convert the CT again"
        )
    if header["magic"].item()[:2] == b"ni":
        raise InputError(f"{path} is the header of a pair (.hdr, .img), without voxels: convert the pair to .nii.gz")
    offset, least = float(header["vox_offset"]), int(header.sizeof_hdr) + 4
    if not np.isfinite(offset) or offset < least or offset != int(offset):
        raise InputError(
            f"{path}: vox_offset is {offset:g}, but voxels start after the header, at byte {least} or later: set it "
            f"to {least} where the file has no extensions, or convert the CT again"
        )


def one_line(error: Exception) -> str:
    """What an exception says, on one line; its type where it says nothing."""
    return " ".join(str(error).split())[:200] or type(error).__name__
