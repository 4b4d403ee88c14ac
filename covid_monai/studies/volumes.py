"""CT volumes that other tools wrote: NIfTI, NRRD and MetaImage."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.studies.contents import volume_format
from covid_monai.studies.geometry import Stack
from covid_monai.studies.series import FoundSeries
from covid_monai.studies.study import slice_distance
from covid_monai.transforms.grid import check_affine
from covid_monai.transforms.nifti import grid_shape, open_nifti, read_nifti

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_OF_ANOTHER_PLANE = "is stored as {} slices; its axes are put in the order of axial ones"


def describe_volume(path: Path, *, orientation: str | None = None, grid_tolerance: float | None = None) -> FoundSeries:
    """What the header of a volume says, and why it is refused where it is."""
    kind = volume_format(path) or ""
    with collecting_warnings() as messages:
        try:
            if kind == "nifti":
                image = open_nifti(path, orientation=orientation, grid_tolerance=grid_tolerance, allow_shear=True)
                shape, affine = grid_shape(image), np.asarray(image.affine, dtype=np.float64)
            else:
                shape, affine = _itk_header(path)
        except InputError as error:
            return FoundSeries(str(path), kind, refused=str(error))
    order, notes = _axes(affine)
    notes = [*(message.replace(str(path), "it") for message in messages), *notes]
    shape = (shape[order[0]], shape[order[1]], shape[order[2]])
    stack = stack_of_volume(affine[:, [*order, 3]], shape[2])
    return FoundSeries(str(path), kind, notes=tuple(notes), stack=stack, shape=shape)


def read_voxels(
    path: Path, *, orientation: str | None = None, grid_tolerance: float | None = None
) -> tuple[NDArray[Any], NDArray[np.float64], list[str]]:
    """The stored values (i, j, k) of a volume, k the patient's long axis, their affine to RAS in mm, and what is odd.

    Raises:
        InputError: the file is missing, damaged or of other dimensions, has no place in space, or holds NaN or
            infinity.
    """
    if volume_format(path) == "nifti":
        image = read_nifti(path, orientation=orientation, grid_tolerance=grid_tolerance, allow_shear=True)
        values, affine = np.asarray(image.dataobj), np.asarray(image.affine, dtype=np.float64)
    else:
        values, affine = _read_itk(path)
    order, notes = _axes(affine)
    return np.transpose(values, order), affine[:, [*order, 3]], notes


def stack_of_volume(affine: NDArray[np.float64], count: int) -> Stack:
    """The place of evenly spaced slices."""
    distance = slice_distance(affine)
    steps = np.arange(count)[:, None] * affine[:3, 2]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    step, normal = affine[:3, 2], np.cross(affine[:3, 0], affine[:3, 1])
    cosine = abs(step @ normal) / np.linalg.norm(step) / np.linalg.norm(normal)
    return Stack(
        affine=affine,
        positions=affine[:3, 3] + steps,
        extents=np.full(count, distance),
        placeholder=bool(np.allclose(spacing, 1.0)),
        tilt=float(np.degrees(np.arccos(np.clip(cosine, 0, 1)))),
        oddities=(),
    )


def _axes(affine: NDArray[np.float64]) -> tuple[tuple[int, int, int], list[str]]:
    """The order of axes that has the patient's long axis last, and what is odd."""
    from nibabel.orientations import io_orientation

    worlds = [int(world) for world in io_orientation(affine)[:, 0]]
    if worlds[2] == 2:
        return (0, 1, 2), []
    vertical = worlds.index(2)
    first, second = (axis for axis in range(3) if axis != vertical)
    plane = ("sagittal", "coronal")[worlds[2]]
    return (first, second, vertical), [_OF_ANOTHER_PLANE.format(plane)]


def _itk_header(path: Path) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    reader = _itk_reader(path)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path) from error
    _check_kind(path, reader.GetDimension(), reader.GetNumberOfComponents())
    affine = _affine_of(reader, path)
    x, y, z = (*(int(length) for length in reader.GetSize()), 1)[:3]
    return (x, y, z), affine


def _read_itk(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    import SimpleITK as sitk

    try:
        image = _itk_reader(path).Execute()
    except RuntimeError as error:
        raise _unreadable(path) from error
    _check_kind(path, image.GetDimension(), image.GetNumberOfComponentsPerPixel())
    affine = _affine_of(image, path)
    values = sitk.GetArrayFromImage(image).T
    if values.size == 0 or not np.all(np.isfinite(values)):
        raise InputError(f"{path} holds NaN or infinity: replace them, for example by -1024 HU in a CT")
    return values.reshape((*values.shape, 1)[:3]), affine


def _itk_reader(path: Path) -> Any:
    import SimpleITK as sitk

    if not path.is_file():
        raise InputError(f"{path} is not a file")
    # its warnings would come between our lines; what it cannot read, it raises
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO({"nrrd": "NrrdImageIO", "metaimage": "MetaImageIO"}[volume_format(path) or ""])
    return reader


def _unreadable(path: Path) -> InputError:
    return InputError(
        f"{path} is no readable {path.suffix} file: it is empty, damaged, cut off, or without its file of voxels"
    )


def _check_kind(path: Path, dimensions: int, components: int) -> None:
    if components != 1 or dimensions not in (2, 3):
        raise InputError(
            f"{path} has {dimensions} dimensions and {components} values a voxel; a CT has one value in each of X, Y, Z"
        )


def _affine_of(image: Any, path: Path) -> NDArray[np.float64]:
    dimensions = image.GetDimension()
    affine = np.eye(4)
    directions = np.reshape(image.GetDirection(), (dimensions, dimensions))
    affine[:dimensions, :dimensions] = directions * image.GetSpacing()
    affine[:dimensions, 3] = image.GetOrigin()
    check_affine(affine, str(path), allow_shear=True)
    to_ras: NDArray[np.float64] = _LPS_TO_RAS @ affine
    return to_ras
