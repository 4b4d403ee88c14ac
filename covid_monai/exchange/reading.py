"""A DICOM-SEG of any tool as one label map with its place in the world."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.exchange.codes import LUNG, finding_of
from covid_monai.transforms.grid import LPS_TO_RAS

if TYPE_CHECKING:
    from highdicom.seg import Segmentation

SEG_ENDINGS = (".dcm",)

# mm along the normal within which planes are one, and by which a distance may miss a multiple of the spacing
_SAME_PLANE = 0.05


@dataclass(frozen=True, eq=False)
class SegmentedVolume:
    """The segments of a DICOM-SEG as a label map.

    Attributes:
        labels: uint16 (i, j, k) as :class:`covid_monai.studies.Study` has them: columns, rows, and planes ascending
            along their normal, from the first plane that the file has to the last. Values are segment numbers.
        affine: 4x4, from (i, j, k) to RAS in mm.
        names: of the segments, by their numbers: findings by their codes, others by their labels.
    """

    labels: NDArray[np.uint16] = field(repr=False)
    affine: NDArray[np.float64]
    names: Mapping[int, str]


def read_segmentation(path: Path, *, lungs: bool = False) -> SegmentedVolume:
    """Read a DICOM-SEG, BINARY or LABELMAP; planes that it leaves out are empty.

    Args:
        path: the file.
        lungs: read the segments of the lungs (their code), which else are left out.

    Raises:
        InputError: it is no DICOM-SEG that can be read, has no such segments, some overlap, or its planes are not
            evenly spaced and parallel.
    """
    segmentation = _open(path)
    if str(segmentation.SegmentationType) == "FRACTIONAL":
        raise InputError(f"{path} holds probabilities (FRACTIONAL); export it as BINARY or LABELMAP")
    names = _names(segmentation, lungs)
    if not names:
        raise InputError(
            f"{path} has no segments {'of the lungs' if lungs else 'beside the lungs'}; give a file that has them"
        )
    try:
        return _volume(segmentation, names, path)
    except (AttributeError, IndexError, KeyError, ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path} is no DICOM-SEG that can be read ({error}); export it again") from error


def is_segmentation(path: Path) -> bool:
    """Whether a mask is taken for a DICOM-SEG, by its file's name."""
    return path.name.lower().endswith(SEG_ENDINGS)


def segment_names(path: Path) -> Mapping[int, str]:
    """What the segments of a DICOM-SEG are, but for the lungs: findings by their codes, others by their labels.

    Raises:
        InputError: it is no DICOM-SEG.
    """
    return _names(_open(path), lungs=False)


def _open(path: Path) -> "Segmentation":
    from highdicom.seg import segread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return segread(path)
    # highdicom raises what its parser meets in a file of another kind
    except Exception as error:
        raise InputError(f"{path} is no DICOM-SEG that can be read ({error}); give one, or NIfTI or NRRD") from error


def _names(segmentation: "Segmentation", lungs: bool) -> dict[int, str]:
    names = {}
    for item in segmentation.SegmentSequence:
        kind = item.SegmentedPropertyTypeCodeSequence[0]
        is_lung = (kind.CodingSchemeDesignator, kind.CodeValue) == (LUNG.scheme, LUNG.value)
        # LABELMAP may describe what no segment covers
        if is_lung == lungs and int(item.SegmentNumber) > 0:
            label = str(item.SegmentLabel)
            names[int(item.SegmentNumber)] = finding_of(kind.CodingSchemeDesignator, kind.CodeValue) or label
    return names


def _volume(segmentation: "Segmentation", names: Mapping[int, str], path: Path) -> SegmentedVolume:
    groups = segmentation.PerFrameFunctionalGroupsSequence
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    orientation = np.array(_of(shared, groups[0], "PlaneOrientationSequence").ImageOrientationPatient, dtype=float)
    directions = orientation.reshape(2, 3)
    normal = np.cross(directions[0], directions[1])
    measures = _of(shared, groups[0], "PixelMeasuresSequence")
    places = np.array([_of(shared, group, "PlanePositionSequence").ImagePositionPatient for group in groups], float)
    planes, step, first = _stacked(places, normal, measures, path)
    labels = np.zeros((segmentation.Columns, segmentation.Rows, planes.max() + 1), np.uint16)
    binary = str(segmentation.SegmentationType) == "BINARY"
    for index, (group, plane) in enumerate(zip(groups, planes, strict=True)):
        frame = segmentation.get_stored_frame(index + 1).T
        if binary:
            number = int(_of(shared, group, "SegmentIdentificationSequence").ReferencedSegmentNumber)
            frame = np.where(frame > 0, number, 0)
        frame = np.where(np.isin(frame, list(names)), frame, 0)
        target = labels[:, :, plane]
        if np.any((target > 0) & (frame > 0) & (target != frame)):
            raise InputError(f"{path} has segments that overlap; export each to a file of its own")
        np.copyto(target, frame, where=frame > 0, casting="unsafe")
    rows, columns = (float(length) for length in measures.PixelSpacing)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([directions[0] * columns, directions[1] * rows, step])
    affine[:3, 3] = first
    return SegmentedVolume(labels, LPS_TO_RAS @ affine, names)


def _of(shared: Any, group: Any, name: str) -> Any:
    """The functional group of a frame, its own or that of all."""
    return getattr(group if name in group else shared, name)[0]


def _stacked(
    places: NDArray[np.float64], normal: NDArray[np.float64], measures: Any, path: Path
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """The plane of each frame, the step from plane to plane, and where the first one lies; LPS in mm."""
    distances = places @ normal
    order = np.argsort(distances, kind="stable")
    between = np.diff(distances[order])
    between = between[between > _SAME_PLANE]
    given = getattr(measures, "SpacingBetweenSlices", None) or getattr(measures, "SliceThickness", None)
    spacing = abs(float(getattr(measures, "SpacingBetweenSlices", None) or 0.0)) or float(
        between.min() if len(between) else given or 1.0
    )
    exact = (distances - distances.min()) / spacing
    planes = np.rint(exact).astype(np.intp)
    if np.abs(exact - planes).max() * spacing > _SAME_PLANE:
        raise InputError(
            f"{path} has planes that are unevenly spaced, so that it is no volume; give the mask as NIfTI on the "
            "CT's grid"
        )
    first, last = places[order[0]], places[order[-1]]
    step = (last - first) / planes.max() if planes.max() else normal * spacing
    return planes, step, first
