"""What segments and measurements mean to other software: names, codes and colours of each finding, in one place.

Codes are those of SNOMED CT (``SCT``), LOINC (``LN``), UCUM, and DICOM PS3.16 (``DCM``), which has the one for
ground-glass (CID 6102).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from covid_monai.palette import BLUISH_GREEN, FINDING_COLOURS, SKY_BLUE

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
        shown_in: the colour, as :mod:`covid_monai.palette` has it for pictures too.
        site: the anatomic region that it lies in; None where it is one itself.
        side: the laterality of a paired organ.
    """

    label: str
    category: Code
    kind: Code
    shown_in: str
    site: Code | None = None
    side: Code | None = None

    @property
    def colour(self) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        red, green, blue = bytes.fromhex(self.shown_in.removeprefix("#"))
        return red, green, blue


LUNG = Code("39607008", "SCT", "Lung")
RIGHT, LEFT = Code("24028007", "SCT", "Right"), Code("7771000", "SCT", "Left")

ANATOMY = Code("91723000", "SCT", "Anatomical Structure")
_ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")

FINDINGS: Mapping[str, Segment] = {
    "ground_glass": Segment(
        "Ground-glass opacity",
        _ABNORMAL,
        Code("112120", "DCM", "Ground glass opacity"),
        FINDING_COLOURS["ground_glass"],
        LUNG,
    ),
    "consolidation": Segment(
        "Consolidation",
        _ABNORMAL,
        Code("95436008", "SCT", "Lung consolidation"),
        FINDING_COLOURS["consolidation"],
        LUNG,
    ),
    "effusion": Segment(
        "Pleural effusion",
        _ABNORMAL,
        Code("60046008", "SCT", "Pleural effusion"),
        FINDING_COLOURS["effusion"],
        Code("3120008", "SCT", "Pleura"),
    ),
    "lesion": Segment("Lesion", _ABNORMAL, Code("52988006", "SCT", "Lesion"), FINDING_COLOURS["lesion"], LUNG),
}
"""By the names of :data:`covid_monai.measurements.definitions.FINDINGS`."""

LUNGS: Mapping[int, Segment] = {
    1: Segment("Right lung", ANATOMY, LUNG, SKY_BLUE, side=RIGHT),
    2: Segment("Left lung", ANATOMY, LUNG, BLUISH_GREEN, side=LEFT),
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
