"""What segments and measurements mean to other software: names, codes and colours of each finding, in one place.

Codes are those of SNOMED CT (``SCT``), LOINC (``LN``), UCUM, and DICOM PS3.16 (``DCM``), which has the one for
ground-glass (CID 6102).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept


@dataclass(frozen=True)
class Code:
    """A concept of a terminology: its value, the terminology, and its meaning in words."""

    value: str
    scheme: str
    meaning: str

    def concept(self) -> "CodedConcept":
        """As highdicom takes it."""
        from highdicom.sr import CodedConcept

        return CodedConcept(self.value, self.scheme, self.meaning)


@dataclass(frozen=True)
class Segment:
    """How a set of voxels is named, coded and drawn.

    Attributes:
        label: for people.
        category: SegmentedPropertyCategory (CID 7150).
        kind: SegmentedPropertyType.
        colour: red, green and blue, 0 to 255; those of :mod:`covid_monai.report`'s pictures (Okabe and Ito).
        site: the anatomic region that it lies in; None where it is one itself.
        side: the laterality of a paired organ.
    """

    label: str
    category: Code
    kind: Code
    colour: tuple[int, int, int]
    site: Code | None = None
    side: Code | None = None


LUNG = Code("39607008", "SCT", "Lung")
RIGHT, LEFT = Code("24028007", "SCT", "Right"), Code("7771000", "SCT", "Left")

ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
_ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")

FINDINGS: Mapping[str, Segment] = {
    "ground_glass": Segment(
        "Ground-glass opacity", _ABNORMAL, Code("112120", "DCM", "Ground glass opacity"), (213, 94, 0), LUNG
    ),
    "consolidation": Segment(
        "Consolidation", _ABNORMAL, Code("95436008", "SCT", "Lung consolidation"), (0, 114, 178), LUNG
    ),
    "effusion": Segment(
        "Pleural effusion",
        _ABNORMAL,
        Code("60046008", "SCT", "Pleural effusion"),
        (230, 159, 0),
        Code("3120008", "SCT", "Pleura"),
    ),
    "lesion": Segment("Lesion", _ABNORMAL, Code("52988006", "SCT", "Lesion"), (213, 94, 0), LUNG),
}
"""By the names of :data:`covid_monai.measurements.definitions.FINDINGS`."""

LUNGS: Mapping[int, Segment] = {
    1: Segment("Right lung", ANATOMY, LUNG, (86, 180, 233), side=RIGHT),
    2: Segment("Left lung", ANATOMY, LUNG, (0, 158, 115), side=LEFT),
}
"""By the values of :attr:`covid_monai.lungs.Lungs.labels`."""

VOLUME = Code("118565006", "SCT", "Volume")
MEAN_HU = Code("112181", "DCM", "Mean Attenuation Coefficient")
MEDIAN_HU = Code("112182", "DCM", "Median Attenuation Coefficient")

MILLILITRE = Code("mL", "UCUM", "milliliter")
HOUNSFIELD = Code("[hnsf'U]", "UCUM", "Hounsfield unit")

CT_OF_CHEST = Code("24627-2", "LN", "CT Chest")


def finding_of(scheme: str, value: str) -> str | None:
    """The finding that a code stands for; None where it is none of ours."""
    known = {(each.kind.scheme, each.kind.value): name for name, each in FINDINGS.items()}
    return known.get((scheme, value))
