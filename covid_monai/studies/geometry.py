"""Where the slices of a stack lie: their order along the normal, the affine, what each stands for, and what is odd."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covid_monai.studies.headers import ImageHeader

SAME_POSITION = 0.02
"""mm along the normal within which two slices lie at one position; the thinnest slices are ten times as far apart."""

UNEVEN = 0.01
"""The share of the usual distance by which one may differ and count as even; and at least ``SAME_POSITION`` mm."""

MISSING_SLICE = 1.5
"""A distance of more than so many usual ones is a gap."""

LEAST_TILT = 0.1
"""Degrees; less is rounding."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_LARGEST_SIDESTEP = 1.0
# degrees that a header gives; less does not show in a stack of slices
_GIVEN_TILT = 1.0
_AXIAL = 35.0
_ASSUMED = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Stack:
    """The place of slices in space.

    Attributes:
        affine: 4x4, from (column, row, slice) to RAS in mm.
        positions: (k, 3), of each slice's first pixel, RAS in mm.
        extents: (k,) in mm.
        placeholder: the spacing is not known, and 1 mm stands for it.
        tilt: degrees between the slices' normal and the way from slice to slice.
        oddities: in words.
    """

    affine: NDArray[np.float64]
    positions: NDArray[np.float64]
    extents: NDArray[np.float64]
    placeholder: bool
    tilt: float
    oddities: tuple[str, ...]


def normal_of(header: ImageHeader) -> NDArray[np.float64]:
    """The direction in which slices ascend, LPS."""
    directions = _ASSUMED if header.orientation is None else header.orientation
    normal: NDArray[np.float64] = np.cross(directions[0], directions[1])
    return normal


def plane_of(header: ImageHeader) -> str:
    """``axial``, ``coronal`` or ``sagittal``; ``axial`` up to the tilt of a gantry."""
    off_axis = np.degrees(np.arccos(np.clip(np.abs(normal_of(header)), 0, 1)))
    if off_axis[2] <= _AXIAL:
        return "axial"
    nearest = int(np.argmin(off_axis))
    return ("sagittal", "coronal", "oblique")[nearest]


def place_of(header: ImageHeader) -> NDArray[np.float64] | None:
    """A slice's position in LPS, by its table position where it has no other; None where it has neither."""
    if header.position is not None:
        return header.position
    location = header.number("SliceLocation")
    return None if location is None else location * normal_of(header)


def distances_of(headers: Sequence[ImageHeader]) -> NDArray[np.float64]:
    """How far along the normal of the first one slices lie, in mm; NaN where it is not known."""
    normal = normal_of(headers[0])
    places = [place_of(header) for header in headers]
    return np.array([np.nan if place is None else place @ normal for place in places])


def sort_slices(headers: Sequence[ImageHeader]) -> list[ImageHeader]:
    """Slices in the order in which they lie along their normal; those of unknown place by their number."""
    distances = distances_of(headers)
    if np.isnan(distances).any():
        distances = np.array([header.number("InstanceNumber") or 0.0 for header in headers])
    return [headers[index] for index in np.argsort(distances, kind="stable")]


def stack_of(headers: Sequence[ImageHeader]) -> Stack:
    """The place of slices that are of one size and orientation, sorted, and none of which lies where another does."""
    odd = [*_assumed(headers)]
    directions = _ASSUMED if headers[0].orientation is None else headers[0].orientation
    spacing, spacing_known = _spacing_of(headers, odd)
    places, thickness_known = _places_of(headers, odd)
    normal = np.cross(directions[0], directions[1])
    distances = places @ normal
    thickness = _thickness_of(headers)
    step = normal * (thickness or 1.0)
    if len(headers) > 1:
        step = (places[-1] - places[0]) / (len(headers) - 1)
    else:
        thickness_known = thickness is not None
        odd.append("one slice only" + ("" if thickness_known else ", of unknown thickness"))
    affine = np.eye(4)
    # columns are counted along the first direction, by the second spacing
    affine[:3, :3] = np.column_stack([directions[0] * spacing[1], directions[1] * spacing[0], step])
    affine[:3, 3] = places[0]
    tilt = _tilt_of(step, normal)
    odd += _of_spacing(distances, thickness, headers)
    odd += _of_tilt(headers[0], tilt)
    odd += _of_stack(places, distances, normal)
    return Stack(
        affine=_LPS_TO_RAS @ affine,
        positions=places @ _LPS_TO_RAS[:3, :3],
        extents=extents_of(distances, thickness or 1.0),
        placeholder=not (spacing_known and thickness_known),
        tilt=tilt,
        oddities=tuple(odd),
    )


def extents_of(distances: NDArray[np.float64], thickness: float) -> NDArray[np.float64]:
    """What each slice stands for: half-way to its neighbours; an outer one beyond itself as far as within.

    Args:
        distances: (k,) along the normal in mm, ascending.
        thickness: what a slice without neighbours stands for.
    """
    if len(distances) == 1:
        return np.array([thickness], dtype=np.float64)
    between = np.diff(distances)
    return np.concatenate([between[:1], (between[:-1] + between[1:]) / 2, between[-1:]])


def _assumed(headers: Sequence[ImageHeader]) -> list[str]:
    if headers[0].orientation is not None:
        return []
    return ["the orientation is not given: rows to the left and columns to the back of a patient are assumed"]


def _spacing_of(headers: Sequence[ImageHeader], odd: list[str]) -> tuple[tuple[float, float], bool]:
    header = headers[0]
    if header.spacing is not None:
        return header.spacing, True
    diameter = header.number("ReconstructionDiameter")
    if diameter:
        size = diameter / max(header.shape)
        odd.append(f"the pixel spacing is not given: {size:.4g} mm from the reconstruction diameter")
        return (size, size), True
    odd.append("the pixel spacing is not given: 1 mm is a placeholder, so that only shares can be measured")
    return (1.0, 1.0), False


def _places_of(headers: Sequence[ImageHeader], odd: list[str]) -> tuple[NDArray[np.float64], bool]:
    places = [place_of(header) for header in headers]
    known = [place for place in places if place is not None]
    if len(known) == len(headers):
        if any(header.position is None for header in headers):
            odd.append("positions are not given: slice locations are taken, by which head and foot can be swapped")
        return np.array(known), True
    between = headers[0].number("SpacingBetweenSlices") or _thickness_of(headers)
    apart = f"{abs(between):.4g} mm apart" if between else "1 mm, a placeholder, apart"
    odd.append(
        f"positions are not given: slices are taken in the order of their numbers, {apart}; head and foot may be "
        "swapped"
    )
    steps = np.arange(len(headers))[:, None] * normal_of(headers[0])
    return steps * abs(between or 1.0), bool(between)


def _thickness_of(headers: Sequence[ImageHeader]) -> float | None:
    thickness = headers[0].number("SliceThickness")
    return thickness if thickness and thickness > 0 else None


def _tilt_of(step: NDArray[np.float64], normal: NDArray[np.float64]) -> float:
    cosine = abs(step @ normal) / np.linalg.norm(step)
    return float(np.degrees(np.arccos(np.clip(cosine, 0, 1))))


def _of_spacing(distances: NDArray[np.float64], thickness: float | None, headers: Sequence[ImageHeader]) -> list[str]:
    if len(distances) < 2:
        return []
    between = np.diff(distances)
    usual = float(np.median(between))
    gaps = np.flatnonzero(between > MISSING_SLICE * usual)
    odd = [
        f"a gap of {between[gap]:.4g} mm after slice {gap + 1} of {len(headers)}, where slices are {usual:.4g} mm apart"
        for gap in gaps[:3]
    ]
    if len(gaps) > 3:
        odd.append(f"{len(gaps) - 3} more gaps")
    even = np.abs(np.delete(between, gaps) - usual) <= max(SAME_POSITION, UNEVEN * usual)
    if not even.all():
        odd.append(f"slices are unevenly spaced, {between.min():.4g} to {between.max():.4g} mm apart")
    if thickness is not None and usual > MISSING_SLICE * thickness:
        odd.append(f"slices of {thickness:.4g} mm are {usual:.4g} mm apart: what lies between them is not seen")
    return odd


def _of_tilt(header: ImageHeader, tilt: float) -> list[str]:
    if tilt > LEAST_TILT:
        return [f"the gantry is tilted by {tilt:.1f} degrees; slices are taken as they are"]
    of_header = abs(header.number("GantryDetectorTilt") or 0.0)
    oblique = np.degrees(np.arccos(np.clip(abs(normal_of(header)[2]), 0, 1)))
    if of_header > _GIVEN_TILT and oblique < LEAST_TILT:
        return [f"a gantry tilt of {of_header:g} degrees is given, but slices lie straight; taken as they lie"]
    return []


def _of_stack(places: NDArray[np.float64], distances: NDArray[np.float64], normal: NDArray[np.float64]) -> list[str]:
    odd = []
    if len(places) > 2:
        sideways = places - np.outer(distances, normal)
        line = np.polynomial.polynomial.polyfit(distances - distances[0], sideways, 1)
        straight = np.polynomial.polynomial.polyval(distances - distances[0], line).T
        aside = float(np.linalg.norm(sideways - straight, axis=1).max())
        if aside > _LARGEST_SIDESTEP:
            odd.append(f"slices lie up to {aside:.3g} mm beside a straight stack")
    return odd
