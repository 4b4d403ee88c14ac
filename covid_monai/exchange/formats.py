"""Which formats are written of a study beside NIfTI, and how."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from covid_monai.errors import InputError, did_you_mean
from covid_monai.studies.headers import ImageHeader

NIFTI, SEG, SR, NRRD = "nifti", "dicom-seg", "dicom-sr", "nrrd"

FILES = {SEG: "mask.dcm", SR: "measurements.dcm", NRRD: "mask.seg.nrrd"}
"""The files of a study, by format; NIfTI is written always."""

OF_DICOM = (SEG, SR)
"""Formats that refer to the images of a DICOM series."""

BINARY, LABELMAP = "binary", "labelmap"


@dataclass(frozen=True)
class Formats:
    """What is written beside NIfTI.

    Attributes:
        names: of :data:`FILES`.
        all_frames: whether a DICOM-SEG has the planes too in which a segment is empty.
        lung_segments: whether a DICOM-SEG has the two lungs as segments.
        seg_type: ``binary``, or ``labelmap``, which few programs read yet.

    Raises:
        InputError: a format or type is unknown, or one excludes another.
    """

    names: frozenset[str] = field(default=frozenset())
    all_frames: bool = False
    lung_segments: bool = False
    seg_type: str = BINARY

    def __post_init__(self) -> None:
        for name in sorted(self.names):
            if name not in FILES:
                known = [NIFTI, *FILES]
                raise InputError(
                    f"`formats` has {name!r}{did_you_mean(name, known)}; give some of "
                    f"{', '.join(known)}, comma separated"
                )
        if self.seg_type not in (BINARY, LABELMAP):
            raise InputError(f"`seg_type` is {self.seg_type!r}; give {BINARY} or {LABELMAP}")
        if SEG not in self.names and (self.all_frames or self.lung_segments or self.seg_type != BINARY):
            raise InputError(
                "`all_frames`, `lung_segments` and `seg_type` say how a DICOM-SEG is written, which is not among the "
                f"`formats`: add {SEG}"
            )
        if self.lung_segments and self.seg_type == LABELMAP:
            raise InputError(
                "lesions lie in the lungs, and a label map has one segment a voxel: leave out `lung_segments`, or give "
                f"{BINARY} as `seg_type`"
            )

    @property
    def files(self) -> list[str]:
        """The names of the files."""
        return [file for name, file in FILES.items() if name in self.names]

    @property
    def of_dicom(self) -> list[str]:
        """Those of them that only a DICOM series can have."""
        return [name for name in OF_DICOM if name in self.names]

    def of_segmentation(self) -> dict[str, Any] | None:
        """What a DICOM-SEG depends on beside the mask; None where none is written."""
        if SEG not in self.names:
            return None
        return {"all_frames": self.all_frames, "lung_segments": self.lung_segments, "type": self.seg_type}


NIFTI_ALONE = Formats()


def parse_formats(text: str) -> frozenset[str]:
    """Formats of a text such as ``nifti,dicom-seg``, without NIfTI, which is written always."""
    names: Sequence[str] = [name.strip().lower() for name in text.split(",")]
    return frozenset(names) - {NIFTI, ""}


def check_source(place: object, kind: str, headers: Sequence[ImageHeader], formats: Formats) -> None:
    """Refuse what cannot be written of a study, before anything is computed.

    Args:
        place: of the study, for the message.
        kind: ``dicom``, ``nifti``, ``nrrd`` or ``metaimage``.
        headers: of its slices.
        formats: that are asked for.

    Raises:
        InputError: DICOM is asked for, and it is no DICOM series, its images do not say where they lie, or they lie in
            several files of many frames.
    """
    if not formats.of_dicom:
        return
    wanted = f"{' and '.join(formats.of_dicom)} cannot be written"
    instead = f"ask for {NIFTI}, or of studies {NRRD}, as `formats`"
    if kind != "dicom" or not headers:
        raise InputError(
            f"{place}: {wanted} of {kind}, which has no DICOM images to refer to; give the DICOM series that it was "
            f"made from, or {instead}"
        )
    if any(header.position is None for header in headers):
        raise InputError(
            f"{place}: {wanted}, since the images do not say where they lie (Image Position (Patient)); {instead}"
        )
    files = {header.entry.path for header in headers}
    if headers[0].frame is not None and len(files) > 1:
        raise InputError(
            f"{place}: {wanted}, since the slices lie in {len(files)} files of many frames, of which one can be "
            f"referred to; {instead}"
        )
