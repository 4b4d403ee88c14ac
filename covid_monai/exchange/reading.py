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
        affine: 4x4, from (i, j, k) to RAS in mm; where planes are unevenly spaced it has their mean distance.
        places: (k, 3), where the first voxel of each plane lies, RAS in mm.
        names: of the segments, by their numbers: findings by their codes, others by their labels.
    """

    labels: NDArray[np.uint16] = field(repr=False)
    affine: NDArray[np.float64]
    places: NDArray[np.float64] = field(repr=False)
    names: Mapping[int, str]

    @property
    def evenly_spaced(self) -> bool:
        """Whether all planes are as far from the next one, so that ``affine`` says where each lies."""
        expected = self.affine[:3, 3] + np.arange(len(self.places))[:, None] * self.affine[:3, 2]
        return bool(np.abs(self.places - expected).max() <= _SAME_PLANE)


def read_segmentation(path: Path, *, lungs: bool = False) -> SegmentedVolume:
    """Read a DICOM-SEG, BINARY or LABELMAP; planes that it leaves out are empty.

    Planes whose distances are no multiples of one spacing stand in a row, where each lies is in ``places``.

    Args:
        path: the file.
        lungs: read the segments of the lungs (their code), which else are left out.

    Raises:
        InputError: it is no DICOM-SEG that can be read, has no such segments, or some overlap.
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
    except InputError:
        raise
    except (AttributeError, IndexError, KeyError, ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path} is no DICOM-SEG that can be read ({error}); export it again") from error


def is_segmentation(path: Path) -> bool:
    """Whether a mask is taken for a DICOM-SEG, by its file's name."""
    return path.name.lower().endswith(SEG_ENDINGS)


def file_of_segmentation(path: Path) -> Path:
    """The one DICOM-SEG in a folder, as archives export a series; other paths as they are.

    A folder counts as one where it holds no other file.
    """
    if not path.is_dir():
        return path
    held = [child for child in path.iterdir() if not child.name.startswith(".")]
    if len(held) == 1 and held[0].is_file() and is_segmentation(held[0]):
        return held[0]
    return path


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
    planes, stack = _stacked(places, normal, measures)
    labels = np.zeros((segmentation.Columns, segmentation.Rows, len(stack)), np.uint16)
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
    step = (stack[-1] - stack[0]) / (len(stack) - 1) if len(stack) > 1 else normal * _thickness(measures)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([directions[0] * columns, directions[1] * rows, step])
    affine[:3, 3] = stack[0]
    return SegmentedVolume(labels, LPS_TO_RAS @ affine, stack @ LPS_TO_RAS[:3, :3], names)


def _of(shared: Any, group: Any, name: str) -> Any:
    """The functional group of a frame, its own or that of all."""
    return getattr(group if name in group else shared, name)[0]


def _thickness(measures: Any) -> float:
    given = getattr(measures, "SpacingBetweenSlices", None) or getattr(measures, "SliceThickness", None)
    return abs(float(given or 1.0))


def _stacked(
    places: NDArray[np.float64], normal: NDArray[np.float64], measures: Any
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The plane of each frame, and where each plane lies (k, 3), those too that have no frame; LPS in mm."""
    distances = places @ normal
    order = np.argsort(distances, kind="stable")
    between = np.diff(distances[order])
    given = abs(float(getattr(measures, "SpacingBetweenSlices", None) or 0.0))
    apart = between[between > _SAME_PLANE]
    spacing = given or float(apart.min() if len(apart) else _thickness(measures))
    exact = (distances - distances.min()) / spacing
    planes = np.rint(exact).astype(np.intp)
    first, last = places[order[0]], places[order[-1]]
    if np.abs(exact - planes).max() * spacing <= _SAME_PLANE:
        share = np.arange(planes.max() + 1) / max(int(planes.max()), 1)
        return planes, first + share[:, None] * (last - first)
    # unevenly spaced: nobody can tell how many planes have been left out between two, so none are added
    starts = np.concatenate([[True], between > _SAME_PLANE])
    ranks = np.empty(len(order), np.intp)
    ranks[order] = np.cumsum(starts) - 1
    return ranks, places[order][starts]
