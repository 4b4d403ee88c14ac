"""DICOM-SEG: a mask as an archive keeps it, beside the images that it was made of (PS3.3 A.51)."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from covid_monai.errors import InputError
from covid_monai.exchange.codes import FINDINGS, LUNGS, Segment
from covid_monai.exchange.equipment import Algorithm
from covid_monai.exchange.formats import BINARY, Formats
from covid_monai.exchange.identifiers import new_uid
from covid_monai.exchange.sources import Sources

if TYPE_CHECKING:
    from highdicom import PixelMeasuresSequence
    from highdicom.seg import Segmentation, SegmentDescription

SERIES_NUMBER = 300
"""Behind those of scanners, which count from 1."""


def segmentation_of(
    mask: NDArray[np.uint8],
    classes: Mapping[int, str],
    sources: Sources,
    algorithm: Algorithm,
    *,
    lungs: NDArray[np.uint8] | None = None,
    formats: Formats,
) -> "Segmentation":
    """A mask as a DICOM-SEG on the planes of its images.

    Segments have the numbers of their classes; those of the lungs, right then left, follow. Patient and study are those
    of the images.

    Args:
        mask: (i, j, k), as :class:`covid_monai.studies.Study` has its voxels.
        classes: what each value of it over 0 is, of :data:`covid_monai.measurements.definitions.FINDINGS`.
        sources: the images.
        algorithm: that made the mask.
        lungs: (i, j, k), 1 right and 2 left; segments too where ``formats`` say so.
        formats: how it is written.

    Raises:
        InputError: the values of the classes are not 1, 2, ... in a row.
    """
    from highdicom.seg import Segmentation

    if sorted(classes) != list(range(1, len(classes) + 1)):
        raise InputError(f"classes have the values {sorted(classes)}; segments of a DICOM-SEG count from 1 on")
    segments = [FINDINGS[classes[value]] for value in sorted(classes)]
    voxels = mask
    if formats.lung_segments:
        if lungs is None:
            raise InputError("`formats` ask for the lungs as segments: give `lungs`")
        parts = [mask == value for value in sorted(classes)] + [lungs == value for value in LUNGS]
        voxels = np.stack(parts, axis=-1).astype(np.uint8)
        segments += LUNGS.values()
    with warnings.catch_warnings():
        # an empty mask keeps all its planes, and values of de-identified images are told of by us
        warnings.simplefilter("ignore")
        return Segmentation(
            source_images=sources.datasets,
            pixel_array=sources.planes(voxels),
            segmentation_type=formats.seg_type.upper(),
            segment_descriptions=_described(segments, algorithm),
            series_instance_uid=new_uid(),
            series_number=SERIES_NUMBER,
            sop_instance_uid=new_uid(),
            instance_number=1,
            pixel_measures=_measures(sources),
            omit_empty_frames=_leaves_out_empty(sources, formats),
            content_description="Lesions in chest CT",
            series_description=f"Segmentation by {algorithm.bundle}"[:64],
            **algorithm.equipment(),
        )


def _leaves_out_empty(sources: Sources, formats: Formats) -> bool:
    """Whether empty frames are left out: not where spacing is uneven, as nobody could tell where they lay."""
    return formats.seg_type == BINARY and not formats.all_frames and sources.slice_distance is not None


def _measures(sources: Sources) -> "PixelMeasuresSequence | None":
    """The spacing of the planes; without it nobody can tell how far apart they are once empty ones are left out."""
    from highdicom import PixelMeasuresSequence

    first = sources.datasets[0]
    if sources.frames is not None:
        return None
    return PixelMeasuresSequence(
        pixel_spacing=first.PixelSpacing,
        slice_thickness=float(first.SliceThickness),
        spacing_between_slices=sources.slice_distance,
    )


def _described(segments: Sequence[Segment], algorithm: Algorithm) -> list["SegmentDescription"]:
    from highdicom.color import CIELabColor
    from highdicom.content import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from pydicom import Sequence as Items

    identification: AlgorithmIdentificationSequence = algorithm.of_segments()
    described = []
    for number, segment in enumerate(segments, start=1):
        description = SegmentDescription(
            segment_number=number,
            segment_label=segment.label,
            segmented_property_category=segment.category.concept(),
            segmented_property_type=segment.kind.concept(),
            algorithm_type="AUTOMATIC",
            algorithm_identification=identification,
            tracking_uid=new_uid(),
            tracking_id=segment.label,
            anatomic_regions=[segment.site.concept()] if segment.site is not None else None,
            display_color=CIELabColor.from_rgb(*segment.colour),
        )
        if segment.side is not None:
            kind = description.SegmentedPropertyTypeCodeSequence[0]
            kind.SegmentedPropertyTypeModifierCodeSequence = Items([segment.side.concept()])
        described.append(description)
    return described
