"""One CT that was read: its voxels in HU, where they lie in the patient, and where they come from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from covid_monai.studies.headers import ImageHeader


@dataclass(frozen=True)
class Identity:
    """The UIDs that a DICOM series has of itself, for objects that refer to it; None where there is none.

    Attributes:
        sop_instance_uids: of each slice, in the order of the slices; None where a slice has none. Frames of one file
            have the same.
        frames: the number of each slice's frame in its file, from 1; None where files hold one image each.
    """

    study_uid: str | None = None
    series_uid: str | None = None
    frame_of_reference_uid: str | None = None
    sop_instance_uids: tuple[str | None, ...] | None = None
    frames: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Study:
    """A CT in HU, as :func:`covid_monai.studies.read_study` gives it.

    Attributes:
        hu: (i, j, k), int16 where all values are whole, else float32; padding and all below air is -1024. ``k`` counts
            slices. Slices of DICOM ascend along their normal, other volumes are as they are stored, their axes in the
            order that makes ``k`` the patient's long axis.
        affine: 4x4, from (i, j, k) to RAS in mm. A tilted gantry's shear stays in it; where slices are unevenly spaced
            it has their mean distance.
        extents: (k,), mm along the normal that each slice stands for: half-way to its neighbours. A voxel's volume is
            its area in the slice times its slice's extent.
        positions: (k, 3), where the first voxel of each slice lies, RAS in mm.
        placeholder_spacing: the spacing is not real, so that only shares can be measured.
        format: ``dicom``, ``nifti``, ``nrrd`` or ``metaimage``.
        intensity: what the values are: ``hu``; or grey values mapped to HU, ``anchored`` or ``window``
            (:mod:`covid_monai.transforms.intensity`).
        identity: UIDs of the DICOM series.
        files: what was read, in the order of the slices; each once. A file in an archive is ``archive.zip/name``.
        sources: the files on the disk that have them: the same, or the archive.
        slices: the headers of a DICOM series' slices, for objects that refer to them; empty for other formats.
        left_out: files of the series that could not be read, and why.
        warnings: what is not as sure as one may believe, without names, paths and UIDs.
    """

    hu: NDArray[np.int16] | NDArray[np.float32] = field(repr=False)
    affine: NDArray[np.float64]
    extents: NDArray[np.float64] = field(repr=False)
    positions: NDArray[np.float64] = field(repr=False)
    placeholder_spacing: bool
    format: str
    intensity: str = "hu"
    identity: Identity = field(default=Identity(), repr=False)
    files: tuple[Path, ...] = field(default=(), repr=False)
    sources: tuple[Path, ...] = field(default=(), repr=False)
    slices: tuple["ImageHeader", ...] = field(default=(), repr=False)
    left_out: tuple[tuple[Path, str], ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distances in mm along i and j, and between slices along their normal, in the mean."""
        return spacing_of_affine(self.affine)


def spacing_of_affine(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    """Distances in mm along i and j, and between slices along their normal."""
    in_plane = np.linalg.norm(affine[:3, :2], axis=0)
    return float(in_plane[0]), float(in_plane[1]), slice_distance(affine)


def counted(number: int, singular: str, plural: str) -> str:
    """A number with what it counts, such as ``1 slice`` and ``2 slices``."""
    return f"{number} {singular if number == 1 else plural}"


def slice_distance(affine: NDArray[np.float64]) -> float:
    """How far apart slices of an affine lie along their normal, which in a sheared one is less than its third axis."""
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    return float(abs(normal @ affine[:3, 2]) / np.linalg.norm(normal))
