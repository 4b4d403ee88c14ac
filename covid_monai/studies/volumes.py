"""CT volumes that other tools wrote: NIfTI, NRRD and MetaImage."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError, collecting_warnings
from covid_monai.studies.contents import volume_format
from covid_monai.studies.geometry import Stack
from covid_monai.studies.series import FoundSeries
from covid_monai.studies.study import slice_distance
from covid_monai.transforms.itk import open_itk
from covid_monai.transforms.nifti import grid_shape, open_nifti, read_nifti

_ONE_VALUE = "a CT has one value in each of X, Y and Z"
_OF_ANOTHER_PLANE = "is stored as {} slices; its axes are put in the order of axial ones"


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume that was read.

    Attributes:
        values: (i, j, k) as they are stored, k the patient's long axis.
        affine: 4x4, to RAS in mm.
        notes: what is odd, in words.
        files: the file, and the one that has the voxels of a header.
    """

    values: NDArray[Any]
    affine: NDArray[np.float64]
    notes: tuple[str, ...]
    files: tuple[Path, ...]


def describe_volume(path: Path, *, orientation: str | None = None, grid_tolerance: float | None = None) -> FoundSeries:
    """What the header of a volume says, and why it is refused where it is."""
    kind = volume_format(path) or ""
    with collecting_warnings() as messages:
        try:
            if kind == "nifti":
                image = open_nifti(path, orientation=orientation, grid_tolerance=grid_tolerance, allow_shear=True)
                shape, affine = grid_shape(image), np.asarray(image.affine, dtype=np.float64)
            else:
                opened = open_itk(path, holding=_ONE_VALUE, allow_shear=True)
                shape, affine = opened.shape, opened.affine
        except InputError as error:
            return FoundSeries(str(path), kind, refused=str(error))
    order, notes = _axes(affine)
    notes = [*(message.removeprefix(f"{path}").lstrip(": ") for message in messages), *notes]
    shape = (shape[order[0]], shape[order[1]], shape[order[2]])
    stack = stack_of_volume(affine[:, [*order, 3]], shape[2])
    return FoundSeries(str(path), kind, notes=tuple(notes), stack=stack, shape=shape)


def read_voxels(path: Path, *, orientation: str | None = None, grid_tolerance: float | None = None) -> Volume:
    """Read a volume with its axes in the order that has the patient's long axis last.

    Raises:
        InputError: the file is missing, damaged or of other dimensions, has no place in space, or holds NaN or
            infinity.
    """
    files: tuple[Path, ...] = (path,)
    if volume_format(path) == "nifti":
        image = read_nifti(path, orientation=orientation, grid_tolerance=grid_tolerance, allow_shear=True)
        values, affine = np.asarray(image.dataobj), np.asarray(image.affine, dtype=np.float64)
    else:
        opened = open_itk(path, holding=_ONE_VALUE, allow_shear=True)
        values, affine, files = opened.read(), opened.affine, opened.files
        if values.size == 0 or not np.all(np.isfinite(values)):
            raise InputError(f"{path} holds NaN or infinity: replace them, for example by -1024 HU in a CT")
    order, notes = _axes(affine)
    return Volume(np.transpose(values, order), affine[:, [*order, 3]], tuple(notes), files)


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
