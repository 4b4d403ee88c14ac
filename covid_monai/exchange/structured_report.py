"""Measurements as DICOM-SR (PS3.16 TID 1500): what has a standard code; the rest stands in ``measurements.json``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from covid_monai.exchange.codes import (
    CT_OF_CHEST,
    FINDINGS,
    HOUNSFIELD,
    LEFT,
    LUNG,
    MEAN_HU,
    MEDIAN_HU,
    MILLILITRE,
    RIGHT,
    VOLUME,
    Code,
)
from covid_monai.exchange.equipment import Algorithm
from covid_monai.exchange.identifiers import new_uid
from covid_monai.exchange.sources import Sources

if TYPE_CHECKING:
    from highdicom.seg import Segmentation
    from highdicom.sr import Comprehensive3DSR

SERIES_NUMBER = 301
"""Behind those of scanners, which count from 1, and of the segmentation."""

_SIDES: Mapping[str, Code | None] = {"both": None, "right": RIGHT, "left": LEFT}
_PARTS = {
    "lung_ml": None,
    "ground_glass_ml": "ground_glass",
    "consolidation_ml": "consolidation",
    "lesion_ml": "lesion",
}
"""Volumes of :class:`covid_monai.measurements.volumes.Part`, and the findings that they are of; None of the lung."""


@dataclass(frozen=True)
class _Group:
    """Measurements of one finding at one site; ``segment`` is its number where all of a segment is measured."""

    name: str
    finding: Code
    site: Code
    side: Code | None
    values: tuple[tuple[Code, float, Code], ...]
    segment: int | None = None


def report_of(
    sources: Sources,
    measurements: Mapping[str, Any],
    algorithm: Algorithm,
    *,
    segmentation: "Segmentation | None" = None,
    segment_volumes: Mapping[int, float] | None = None,
) -> "Comprehensive3DSR":
    """A Comprehensive 3D SR of a study's measurements; preliminary and unverified, as no person has seen them.

    Values that are unknown are left out. Groups without a segment are of R, the lungs without specks
    (docs/measurements.md); those with one are of the whole segment.

    Args:
        sources: the images of the CT.
        measurements: what ``measurements.json`` has.
        algorithm: that made the mask.
        segmentation: of the same study, which the report refers to.
        segment_volumes: in mL, of its segments that are not empty, by their numbers; None where volumes are unknown.
    """
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.sr.codedict import codes

    groups = [*_groups_of_lungs(measurements)]
    if segmentation is not None:
        groups += _groups_of_segments(segmentation, segment_volumes or {})
    definitions, settings = measurements["definitions"], measurements["settings"]
    parameters = [
        f"definitions_version={definitions['version']}",
        *(f"{name}={value}" for name, value in settings.items()),
    ]
    made_by = algorithm.of_measurements(parameters)
    content = MeasurementReport(
        observation_context=algorithm.observer(),
        procedure_reported=CT_OF_CHEST.concept(),
        imaging_measurements=[_item(group, sources, segmentation, made_by) for group in groups] or None,
        title=codes.DCM.ImagingMeasurementReport,
    )
    evidence = [*sources.datasets, *([segmentation] if segmentation is not None else [])]
    return Comprehensive3DSR(
        evidence=evidence,
        content=content,
        series_instance_uid=new_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=new_uid(),
        instance_number=1,
        is_complete=True,
        series_description=f"Measurements by {algorithm.bundle}"[:64],
        **algorithm.equipment(),
    )


def _groups_of_lungs(measurements: Mapping[str, Any]) -> Iterator[_Group]:
    for side, laterality in _SIDES.items():
        part = measurements["lungs"][side]
        place = "both lungs" if side == "both" else f"the {side} lung"
        for key, finding in _PARTS.items():
            values = [(VOLUME, part[key], MILLILITRE)]
            if side == "both" and finding in (None, "lesion"):
                hu = measurements["hu"]["lung" if finding is None else "lesion"]
                values += [(MEAN_HU, hu["mean"], HOUNSFIELD), (MEDIAN_HU, hu["p50"], HOUNSFIELD)]
            known = tuple(each for each in values if each[1] is not None)
            if known:
                name = "Aerated and infected lung" if finding is None else f"{FINDINGS[finding].label}"
                kind = LUNG if finding is None else FINDINGS[finding].kind
                yield _Group(f"{name} in {place}", kind, LUNG, laterality, known)
    effusion = measurements["effusion_ml"]
    if effusion is not None:
        found = FINDINGS["effusion"]
        yield _Group(found.label, found.kind, found.site or LUNG, None, ((VOLUME, effusion, MILLILITRE),))


def _groups_of_segments(segmentation: "Segmentation", volumes: Mapping[int, float]) -> Iterator[_Group]:
    for segment in segmentation.SegmentSequence:
        number = int(segment.SegmentNumber)
        if number not in volumes:
            continue
        kind = segment.SegmentedPropertyTypeCodeSequence[0]
        regions = segment.get("AnatomicRegionSequence")
        side = kind.get("SegmentedPropertyTypeModifierCodeSequence")
        yield _Group(
            f"{segment.SegmentLabel}, the whole segment",
            _code(kind),
            _code(regions[0]) if regions else LUNG,
            _code(side[0]) if side else None,
            ((VOLUME, volumes[number], MILLILITRE),),
            number,
        )


def _code(concept: Any) -> Code:
    return Code(str(concept.CodeValue), str(concept.CodingSchemeDesignator), str(concept.CodeMeaning))


def _item(group: _Group, sources: Sources, segmentation: "Segmentation | None", made_by: Any) -> Any:
    """The content items of a group: TID 1411 where it is of a segment, else TID 1501."""
    from highdicom.sr import (
        FindingSite,
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        ReferencedSegment,
        SourceSeriesForSegmentation,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    common: dict[str, Any] = {
        "tracking_identifier": TrackingIdentifier(uid=new_uid(), identifier=group.name),
        "finding_type": group.finding.concept(),
        "algorithm_id": made_by,
        "finding_sites": [FindingSite(group.site.concept(), group.side.concept() if group.side else None)],
        "measurements": [
            Measurement(name=name.concept(), value=float(value), unit=unit.concept())
            for name, value, unit in group.values
        ],
    }
    if group.segment is None or segmentation is None:
        return MeasurementsAndQualitativeEvaluations(**common)
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=ReferencedSegment(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            group.segment,
            source_series=SourceSeriesForSegmentation(sources.series),
        ),
        **common,
    )
