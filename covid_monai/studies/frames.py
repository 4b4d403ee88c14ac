"""Frames of an enhanced CT: one file, many slices, each with its place and rescaling in functional groups."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from covid_monai.studies.headers import ImageHeader, directions_of, numbers_of, spacing_of, value_of
from covid_monai.studies.kinds import ENHANCED

if TYPE_CHECKING:
    from pydicom import Dataset

# what stands in which functional group
_GROUPS = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "CTReconstructionSequence": ("ConvolutionKernel", "ReconstructionDiameter"),
    "CTXRayDetailsSequence": ("KVP",),
    "CTAcquisitionDetailsSequence": ("GantryDetectorTilt",),
    "FrameContentSequence": ("StackID", "TemporalPositionIndex", "FrameAcquisitionNumber", "FrameAcquisitionDateTime"),
    "CTImageFrameTypeSequence": ("FrameType",),
}
_NAMED = {
    "FrameType": "ImageType",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
}


def is_enhanced(header: ImageHeader) -> bool:
    """Whether a file is an enhanced CT, whose frames are slices."""
    return header.text("SOPClassUID") in ENHANCED


def frames_of(header: ImageHeader, dataset: "Dataset") -> Iterator[ImageHeader]:
    """The frames of an enhanced CT, each as an image of its own; the whole where it does not say where they lie."""
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    each = value_of(dataset, "PerFrameFunctionalGroupsSequence") or ()
    if not each:
        yield header
    for index, of_frame in enumerate(each):
        found = _values_of([group for group in (of_frame, shared) if group is not None])
        values = {**header.values, "InstanceNumber": index + 1, **found}
        yield replace(
            header,
            frame=index,
            position=_or(numbers_of(found.get("ImagePositionPatient"), 3), header.position),
            orientation=_or(directions_of(found.get("ImageOrientationPatient")), header.orientation),
            spacing=spacing_of(numbers_of(found.get("PixelSpacing"), 2)) or header.spacing,
            values=values,
        )


def _values_of(groups: "list[Dataset]") -> dict[str, Any]:
    """What the groups say, those of the frame before those of all frames."""
    found: dict[str, Any] = {}
    for sequence, keywords in _GROUPS.items():
        for group in groups:
            item = _first(group, sequence)
            if item is None:
                continue
            for keyword in keywords:
                if (value := value_of(item, keyword)) is not None:
                    found.setdefault(_NAMED.get(keyword, keyword), value)
    return found


def _first(dataset: "Dataset", keyword: str) -> "Dataset | None":
    sequence = value_of(dataset, keyword)
    return sequence[0] if sequence else None


def _or(value: Any, other: Any) -> Any:
    return other if value is None else value
