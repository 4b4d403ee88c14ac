"""The drawn thorax of the measurements as files of a study."""

from pathlib import Path

import nibabel
import numpy as np

from tests.measurements.drawn import Thorax, centred, draw
from tests.studies.series_files import SeriesPlan, write_series

SHAPE = (60, 40, 60)

_TO_LPS = np.array([-1.0, -1.0, 1.0])


def coarse_thorax(tilt: float = 0.0) -> Thorax:
    """Voxels of 4 mm; the gantry tilted by so many degrees."""
    lean = np.radians(tilt)
    affine = centred([(-4, 0, 0), (0, -4 * np.cos(lean), 4 * np.sin(lean)), (0, 0, 4)], SHAPE)
    return draw(affine, SHAPE)


def series_plan(thorax: Thorax, **changes) -> SeriesPlan:
    """The series that a scanner would write of it."""
    columns = [thorax.affine[:3, axis] * _TO_LPS for axis in range(3)]
    return SeriesPlan(
        hu=thorax.hu.transpose(2, 1, 0),
        step=columns[2],
        origin=thorax.affine[:3, 3] * _TO_LPS,
        orientation=[*(columns[0] / 4), *(columns[1] / 4)],
        spacing=(4, 4),
        **changes,
    )


def write_dicom(folder: Path, thorax: Thorax | None = None, **changes) -> SeriesPlan:
    """Write the series to a folder; what it says of itself is returned."""
    plan = series_plan(thorax or coarse_thorax(), **changes)
    write_series(folder, plan)
    return plan


def write_nifti(path: Path, values: np.ndarray, affine: np.ndarray) -> Path:
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path
