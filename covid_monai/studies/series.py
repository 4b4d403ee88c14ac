"""The images of a DICOM series as stacks of slices: one size, one orientation, one image at each position.

A series UID promises less than that: scanners and archives put localizers, several phases, echoes or reconstructions,
and copies of one image under one UID.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from os.path import commonpath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covid_monai.studies.geometry import SAME_POSITION, Stack, distances_of, normal_of, plane_of, sort_slices, stack_of
from covid_monai.studies.headers import DISTINGUISHED_BY, ImageHeader
from covid_monai.studies.hounsfield import intercept_of, slope_of
from covid_monai.studies.kinds import is_lossy, refusal_of
from covid_monai.studies.study import counted, spacing_of_affine
from covid_monai.transforms.nifti_affine import SPACING_LIMITS

_SAME_DIRECTION = 2e-3
_SAME_SPACING = 1e-3

Pixels = Callable[[ImageHeader], bytes]
"""A digest of an image's stored values."""


@dataclass(frozen=True, eq=False)
class FoundSeries:
    """A stack of slices that could be read, or images that are refused.

    Attributes:
        name: by which it is chosen: the series UID, with ``#2`` where the UID has several stacks; the path of a volume.
        format: ``dicom``, ``nifti``, ``nrrd`` or ``metaimage``.
        slices: in their order; empty for a volume of another format.
        refused: what it is instead of an axial CT; None where it can be read.
        notes: what is not as one would expect of the images, in words, without names and UIDs.
        stack: where the slices lie; None where it is refused.
        shape: of the voxels, (i, j, k); None where it is refused.
    """

    name: str
    format: str
    slices: tuple[ImageHeader, ...] = field(default=(), repr=False)
    refused: str | None = None
    notes: tuple[str, ...] = ()
    stack: Stack | None = field(default=None, repr=False)
    shape: tuple[int, int, int] | None = None

    @property
    def oddities(self) -> tuple[str, ...]:
        """What is not as one would expect, of the images and of where they lie."""
        return (*self.notes, *(self.stack.oddities if self.stack is not None else ()))

    @property
    def place(self) -> Path:
        """The file, or the folder or archive that all slices lie in."""
        if not self.slices:
            return Path(self.name)
        return Path(commonpath([header.entry.path.parent for header in self.slices]))

    @property
    def uid(self) -> str:
        """The series UID, without the number of a stack."""
        return self.slices[0].series if self.slices else self.name

    @property
    def kernel(self) -> str:
        """The convolution kernel, empty where it is not known."""
        return self.slices[0].text("ConvolutionKernel") if self.slices else ""

    @property
    def description(self) -> str:
        """The series description, empty where there is none."""
        return self.slices[0].text("SeriesDescription") if self.slices else ""

    @property
    def number(self) -> int | None:
        """The series number, None where there is none."""
        number = self.slices[0].number("SeriesNumber") if self.slices else None
        return None if number is None else int(number)

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Distances in mm along i and j, and between slices along their normal; None where it is refused."""
        return None if self.stack is None else spacing_of_affine(self.stack.affine)

    @property
    def length(self) -> float:
        """How much of the patient the slices cover along their normal, in mm; 0 where it is refused."""
        return float(self.stack.extents.sum()) if self.stack is not None else 0.0


def stacks_of(images: Sequence[ImageHeader], digest: Pixels) -> list[FoundSeries]:
    """The stacks of one series, the longest first.

    Args:
        images: all that have its UID, in any order.
        digest: reads an image's pixels; asked for where two images lie at one position.
    """
    refused: dict[str, list[ImageHeader]] = {}
    slices = []
    for image in images:
        reason = refusal_of(image)
        if reason is None:
            slices.append(image)
        else:
            refused.setdefault(reason, []).append(image)
    found = [stack for alike in _alike(slices) for stack in _single(alike, digest)]
    found.sort(key=lambda stack: (stack.refused is not None, -len(stack.slices)))
    found += [FoundSeries("", "dicom", tuple(each), refused=reason) for reason, each in refused.items()]
    uid = images[0].series
    named = [uid] if len(found) == 1 else [f"{uid}#{index + 1}" for index in range(len(found))]
    return [replace(stack, name=name) for stack, name in zip(found, named, strict=True)]


def _alike(images: Iterable[ImageHeader]) -> list[list[ImageHeader]]:
    """Images by size, spacing and orientation, within what headers round."""
    groups: list[list[ImageHeader]] = []
    for image in images:
        group = next((group for group in groups if _is_alike(group[0], image)), None)
        if group is None:
            groups.append([image])
        else:
            group.append(image)
    return groups


def _is_alike(first: ImageHeader, second: ImageHeader) -> bool:
    if first.shape != second.shape:
        return False
    pairs = ((first.orientation, second.orientation, _SAME_DIRECTION), (first.spacing, second.spacing, _SAME_SPACING))
    for left, right, tolerance in pairs:
        if (left is None) != (right is None):
            return False
        if left is not None and right is not None and not np.allclose(left, right, rtol=0, atol=tolerance):
            return False
    return True


def _single(images: list[ImageHeader], digest: Pixels) -> list[FoundSeries]:
    """Stacks with one image at each position: copies left out, phases and reconstructions apart."""
    images = sort_slices(images)
    images, copies = _without_copies(images, digest)
    odd = [f"{counted(copies, 'image repeats another', 'images repeat others')}, pixel for pixel"] if copies else []
    parts = _distinguished(images)
    if len(parts) > 1:
        odd.append(f"several images at one position, distinguished by {parts[0][0]}: {len(parts)} stacks")
    return [_judged(part, odd) for _, part in parts]


def _judged(slices: list[ImageHeader], odd: list[str]) -> FoundSeries:
    if refused := _refused_geometry(slices[0]):
        return FoundSeries("", "dicom", tuple(slices), refused, tuple(odd))
    slices, assumed = _with_intercepts(slices)
    odd = [*odd, *assumed]
    rows, columns = slices[0].shape
    shape = columns, rows, len(slices)
    return FoundSeries("", "dicom", tuple(slices), None, (*odd, *_of_headers(slices)), stack_of(slices), shape)


def _of_headers(slices: Sequence[ImageHeader]) -> list[str]:
    odd = []
    directions = slices[0].orientation
    if directions is not None and abs(directions[0][0]) < 0.5:
        odd.append("rows and columns are swapped: rows run from front to back; taken as they lie")
    elif normal_of(slices[0])[2] < 0:
        odd.append("images are stored mirrored; taken as they lie")
    if not slices[0].text("Modality"):
        odd.append("no modality is given; taken for CT")
    if any(header.number("RescaleSlope") == 0 for header in slices):
        odd.append("the rescale slope is 0, taken as 1")
    if any(map(is_lossy, slices)):
        odd.append("images were compressed with loss, which changes HU")
    return odd


def _refused_geometry(header: ImageHeader) -> str | None:
    plane = plane_of(header)
    if plane != "axial":
        return f"a {plane} series, where axial slices are needed"
    if header.spacing is not None and not SPACING_LIMITS[0] <= min(header.spacing) <= SPACING_LIMITS[1]:
        return f"a series with pixels of {header.spacing[0]:g} x {header.spacing[1]:g} mm, which no CT has"
    return None


def _with_intercepts(slices: list[ImageHeader]) -> tuple[list[ImageHeader], list[str]]:
    """Slices, those without rescale intercept with that of the others where these agree; and what is odd."""
    without = [header for header in slices if intercept_of(header) is None]
    if not without:
        return slices, []
    lack = f"{counted(len(without), 'slice has', 'slices have')} no rescale intercept"
    pairs = {(intercept_of(header), slope_of(header)) for header in slices if intercept_of(header) is not None}
    if len(pairs) != 1:
        return slices, [lack]
    ((intercept, slope),) = pairs
    rescaling = {"RescaleIntercept": intercept, "RescaleSlope": slope}
    filled = [
        replace(header, values={**header.values, **rescaling}) if intercept_of(header) is None else header
        for header in slices
    ]
    return filled, [f"{lack}: that of the others, {intercept:g}, is taken"]


def _groups_at(images: Sequence[ImageHeader]) -> list[list[ImageHeader]]:
    """Sorted images by position; where positions are not known each is its own."""
    distances = distances_of(images)
    groups: list[list[ImageHeader]] = []
    for index, image in enumerate(images):
        if index and distances[index] - distances[index - 1] <= SAME_POSITION:
            groups[-1].append(image)
        else:
            groups.append([image])
    return groups


def _without_copies(images: list[ImageHeader], digest: Pixels) -> tuple[list[ImageHeader], int]:
    """The images, each once, and how many others there are."""
    kept: list[ImageHeader] = []
    for group in _groups_at(images):
        seen: set[tuple[bytes, tuple[Any, ...]]] = set()
        for image in group:
            # the same picture at another place in the plane is no copy
            key = (digest(image), _in_plane(image)) if len(group) > 1 else (b"", ())
            if key not in seen:
                kept.append(image)
            seen.add(key)
    return kept, len(images) - len(kept)


def _distinguished(images: list[ImageHeader]) -> list[tuple[str, list[ImageHeader]]]:
    """Stacks with one image at each position, each with the attribute that distinguishes them."""
    at = _groups_at(images)
    most = max(map(len, at))
    if most == 1:
        return [("", images)]
    keys = [(name, _reader(keyword)) for keyword, name in DISTINGUISHED_BY.items()]
    for name, key in (("place in the plane", _in_plane), *keys, ("folder", _folder)):
        parts: dict[Hashable, list[ImageHeader]] = {}
        for image in images:
            parts.setdefault(key(image), []).append(image)
        # a time that each image has of its own distinguishes nothing
        if len(parts) == most and all(len(group) == 1 for part in parts.values() for group in _groups_at(part)):
            return [(name, part) for part in parts.values()]
    numbered = [sorted(group, key=_number_and_time) for group in at]
    return [("instance number", [g[index] for g in numbered if index < len(g)]) for index in range(most)]


def _number_and_time(image: ImageHeader) -> tuple[float, str]:
    return image.number("InstanceNumber") or 0.0, image.text("AcquisitionTime")


def _reader(keyword: str) -> Callable[[ImageHeader], Hashable]:
    return lambda image: image.text(keyword)


def _folder(image: ImageHeader) -> Hashable:
    return image.entry.path.parent


def _in_plane(image: ImageHeader) -> tuple[Any, ...]:
    """Where an image lies in its plane, in tenths of mm."""
    if image.position is None or image.orientation is None:
        return ()
    offset: NDArray[np.float64] = image.orientation @ image.position
    return tuple(np.rint(offset * 10).astype(int).tolist())
