"""Reading NIfTI files of finite numbers, or saying what is wrong with them."""

import gzip
import math
import unicodedata
import warnings
import zlib
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from covid_monai.errors import InputError, InputWarning
from covid_monai.transforms.grid import check_affine
from covid_monai.transforms.nifti_affine import affine_of
from covid_monai.transforms.nifti_header import check_dimensions, one_line, read_header, uncompressed

if TYPE_CHECKING:
    import nibabel

NIFTI_ENDINGS = (".nii.gz", ".nii")

STORED_HEADER = "stored_header"
"""The key in ``image.extra`` of an image's header as its file has it; the image's own affine is in mm."""


def is_nifti(path: Path) -> bool:
    """Whether a file's name ends in .nii or .nii.gz, in any letter case, and is no hidden companion of another file."""
    return path.name.lower().endswith(NIFTI_ENDINGS) and not path.name.startswith(".")


def nifti_stem(path: Path) -> str:
    """The file's name without .nii or .nii.gz, its accents composed (NFC) whichever way the file system stores them."""
    name = unicodedata.normalize("NFC", path.name)
    return next((name[: -len(end)] for end in NIFTI_ENDINGS if name.lower().endswith(end)), name)


def open_nifti(
    path: str | PathLike[str],
    *,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    allow_shear: bool = False,
) -> "nibabel.Nifti1Image":
    """Open a NIfTI file of a volume (X, Y, Z) or a slice (X, Y); its values are read when they are asked for.

    Args:
        path: the file; gzip is known by its content, whatever the name says.
        orientation: see :func:`covid_monai.transforms.nifti_affine.affine_of`.
        grid_tolerance: see :func:`covid_monai.transforms.nifti_affine.affine_of`.
        allow_shear: take axes that are not at right angles, with a warning.

    Returns:
        the image, with its affine from voxels to RAS in mm.

    Raises:
        InputError: the file is missing, empty or not NIfTI; it has other dimensions (trailing ones of length one are
            allowed) or a damaged header; or it has no one grid in space.
    """
    import nibabel

    header = read_header(path)
    affine = affine_of(header, path, orientation=orientation, grid_tolerance=grid_tolerance)
    check_affine(affine, str(path), allow_shear=allow_shear)
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    voxels = StoredVoxels(path, header)
    # without a type nibabel would read a voxel to learn it
    return kind(voxels, affine, extra={STORED_HEADER: header}, dtype=voxels.dtype)


class StoredVoxels:
    """The voxels of a NIfTI file, read whenever they are asked for; what nibabel calls an array proxy.

    Raises (when they are asked for):
        InputError: the file is truncated or damaged, or its voxels do not fit into memory.
    """

    is_proxy = True

    def __init__(self, path: str | PathLike[str], header: "nibabel.Nifti1Header") -> None:
        self._path, self._header = path, header
        self.shape: tuple[int, ...] = tuple(int(length) for length in header.get_data_shape())
        self.dtype: np.dtype[Any] = header.get_data_dtype().newbyteorder("=")
        self.ndim = len(self.shape)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Read, and rescale as the header says."""
        from nibabel.volumeutils import apply_read_scaling

        slope, intercept = float(self._header["scl_slope"]), float(self._header["scl_inter"])
        stored = self._read()
        values = stored if slope == 0 else apply_read_scaling(stored, slope, intercept)
        return np.asarray(values) if dtype is None else np.asarray(values).astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read all, and take a part."""
        part: NDArray[Any] = np.asarray(self)[key]
        return part

    def _read(self) -> NDArray[Any]:
        stored = self._header.get_data_dtype()
        size = math.prod(self.shape) * stored.itemsize
        try:
            memory = np.empty(size, dtype=np.uint8)
        # a damaged header can promise more than there is memory for
        except (MemoryError, ValueError) as error:
            raise InputError(f"{self._path} says its shape is {self.shape}, which does not fit into memory") from error
        with uncompressed(self._path) as stream:
            try:
                stream.seek(int(self._header["vox_offset"]))
                filled = _fill(stream, memory)
                # gzip keeps its checksum at the end
                more = sum(len(block) for block in iter(lambda: stream.read(1 << 20), b""))
            except (gzip.BadGzipFile, OSError, EOFError, OverflowError, ValueError, zlib.error) as error:
                raise InputError(
                    f"{self._path} is truncated or damaged ({one_line(error)}): copy or download it again"
                ) from error
        if filled < size:
            raise InputError(
                f"{self._path} is truncated: {filled} of {size} bytes of voxels are there; copy or download it again"
            )
        if more:
            warnings.warn(
                f"{self._path} has {more} bytes after its last voxel, which are left out; if the picture is shifted, "
                "its header's vox_offset or shape is wrong",
                InputWarning,
                stacklevel=2,
            )
        values = memory.view(stored).reshape(self.shape, order="F")
        return values.astype(self.dtype, copy=False)


def _fill(stream: Any, memory: NDArray[np.uint8]) -> int:
    view, filled = memory.data, 0
    while filled < len(view) and (count := stream.readinto(view[filled : filled + (1 << 24)])):
        filled += count
    return filled


def image_in_memory(
    image: "nibabel.Nifti1Image",
    where: str = "the image",
    *,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    allow_shear: bool = False,
) -> "nibabel.Nifti1Image":
    """An image that nibabel opened or made, held to the same rules as a file of :func:`open_nifti`.

    Raises:
        InputError: see :func:`open_nifti`.
    """
    # nibabel brings the header in line with the affine, which a user may have changed
    header = type(image)(image.dataobj, image.affine, image.header).header
    check_dimensions(image.shape, where)
    affine = affine_of(header, where, orientation=orientation, grid_tolerance=grid_tolerance)
    check_affine(affine, where, allow_shear=allow_shear)
    return type(image)(image.dataobj, affine, extra={STORED_HEADER: header}, dtype=image.get_data_dtype())


def grid_shape(image: "nibabel.Nifti1Image") -> tuple[int, int, int]:
    """The image's shape as (X, Y, Z), where a slice has Z = 1."""
    x, y, z = (*image.shape, 1)[:3]
    return x, y, z


def read_nifti(
    path: "str | PathLike[str] | nibabel.Nifti1Image",
    *,
    orientation: str | None = None,
    grid_tolerance: float | None = None,
    allow_shear: bool = False,
) -> "nibabel.Nifti1Image":
    """Read a NIfTI file, or an image that is open already, as a volume (X, Y, Z), a slice as (X, Y, 1).

    Args:
        path: the file or image.
        orientation: see :func:`open_nifti`.
        grid_tolerance: see :func:`open_nifti`.
        allow_shear: see :func:`open_nifti`.

    Raises:
        InputError: see :func:`open_nifti`; or the file is truncated or damaged, or holds NaN, infinity or no real
            numbers.
    """
    import nibabel

    options: dict[str, Any] = {
        "orientation": orientation,
        "grid_tolerance": grid_tolerance,
        "allow_shear": allow_shear,
    }
    if not isinstance(path, nibabel.Nifti1Pair):
        image, where = open_nifti(path, **options), str(path)
    else:
        where = "the image"
        image = path if STORED_HEADER in path.extra else image_in_memory(path, where, **options)
    try:
        values = np.asanyarray(image.dataobj)
    except (MemoryError, OverflowError) as error:
        raise InputError(f"{where} says its shape is {image.shape}, which does not fit into memory") from error
    # an image that nibabel opened reads its file now
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{where} is truncated or damaged ({one_line(error)}): copy or download it again") from error
    if values.dtype.kind not in "biuf":
        raise InputError(f"{where} holds {values.dtype} values: real numbers are needed")
    if not np.all(np.isfinite(values)):
        raise InputError(f"{where} holds NaN or infinity: replace them, for example by -1024 HU in a CT")
    return nibabel.Nifti1Image(values.reshape(grid_shape(image)), image.affine, dtype=values.dtype)
