"""What a DICOM image is, by its header: a CT slice, or something else that is refused by its name."""

import re

from covid_monai.studies.headers import ImageHeader

_STORAGE = "1.2.840.10008.5.1.4.1.1."
CT_CLASSES = {
    f"{_STORAGE}2": "CT",
    f"{_STORAGE}2.1": "enhanced CT",
    f"{_STORAGE}2.2": "legacy converted enhanced CT",
}
"""SOP classes of CT images."""

ENHANCED = frozenset(f"{_STORAGE}2.{number}" for number in (1, 2))
"""SOP classes whose files hold many slices."""

# JPEG baseline and extended, JPEG-LS near-lossless
_LOSSY = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81))

_SECONDARY_CAPTURES = f"{_STORAGE}7"

_MODALITIES = {
    "MR": "a magnetic resonance image",
    "PT": "a PET image",
    "NM": "a nuclear medicine image",
    "CR": "a radiograph",
    "DX": "a radiograph",
    "RG": "a radiograph",
    "MG": "a mammogram",
    "US": "an ultrasound image",
    "XA": "an angiogram",
    "RF": "a fluoroscopy",
    "SC": "a secondary capture",
    "OT": "an image of another kind (modality OT)",
    "DOC": "a document",
    "SR": "a structured report",
    "PR": "a presentation state",
    "KO": "a key object selection",
    "SEG": "a segmentation",
    "RTSTRUCT": "a set of radiotherapy contours",
    "RTDOSE": "a radiotherapy dose",
    "RTPLAN": "a radiotherapy plan",
    "RTIMAGE": "a radiotherapy image",
    "REG": "a registration",
}

# of objects without modality; those of images are in _MODALITIES
_CLASSES = {
    f"{_STORAGE}4": "MR",
    f"{_STORAGE}4.1": "MR",
    f"{_STORAGE}128": "PT",
    f"{_STORAGE}20": "NM",
    f"{_STORAGE}1": "CR",
    f"{_STORAGE}1.1": "DX",
    f"{_STORAGE}6.1": "US",
    f"{_STORAGE}66.4": "SEG",
    f"{_STORAGE}66.1": "REG",
    f"{_STORAGE}481.2": "RTDOSE",
    f"{_STORAGE}481.3": "RTSTRUCT",
    f"{_STORAGE}481.5": "RTPLAN",
    f"{_STORAGE}104.1": "DOC",
    f"{_STORAGE}11.1": "PR",
    f"{_STORAGE}88.59": "KO",
}
_REPORTS = f"{_STORAGE}88"

# words of ImageType, which scanners join by blanks and underscores
_LOCALIZERS = {"LOCALIZER", "LOCALISER", "SCOUT", "TOPOGRAM", "TOPO", "SCANOGRAM", "SURVIEW"}
_DOSE = {"DOSE", "PROT", "PROTOCOL"}
_PROJECTIONS = {
    "MIP": "a maximum intensity projection (MIP)",
    "MINIP": "a minimum intensity projection (MinIP)",
    "AIP": "an average intensity projection",
    "PROJECTION": "an intensity projection",
    "MPR": "a multiplanar reformation (MPR)",
    "REFORMATTED": "a reformation (MPR)",
    "CPR": "a curved reformation",
    "CURVED": "a curved reformation",
    "VRT": "a volume rendering",
    "VR": "a volume rendering",
    "SSD": "a surface rendering",
    "3D": "a rendering",
    "RENDERING": "a rendering",
    "FUSION": "a fusion of two images",
}
_DESCRIBED = (
    (re.compile(r"\bmip\b|maximum intensity", re.I), _PROJECTIONS["MIP"]),
    (re.compile(r"\bmin-?ip\b|minimum intensity", re.I), _PROJECTIONS["MINIP"]),
    (re.compile(r"\bvrt\b|volume render", re.I), _PROJECTIONS["VRT"]),
    (re.compile(r"dose[ _-]*(report|info|record|summary|sheet)|patient protocol", re.I), "a dose screen"),
    (re.compile(r"\b(topogram|localizer|localiser|scout|surview|scanogram)\b", re.I), "a localizer"),
)
# what dual-energy scans and perfusion give beside HU; DICOM's defined terms and those of scanners
_HOUNSFIELD = {"", "HU", "US", "HU_MOD", "UNSPECIFIED"}


def refusal_of(header: ImageHeader) -> str | None:
    """What an image is, where it is no CT slice in the patient's space; None where it is one.

    A missing modality or SOP class is no obstacle; what is there has to agree.
    """
    modality = header.text("Modality").upper()
    sop_class = header.text("SOPClassUID")
    if sop_class.startswith(_SECONDARY_CAPTURES):
        return "a dose screen" if _is_dose_screen(header) else "a secondary capture"
    if sop_class == _REPORTS or (sop_class.startswith(f"{_REPORTS}.") and sop_class not in _CLASSES):
        modality = "SR"
    else:
        modality = _CLASSES.get(sop_class, modality)
    if modality and modality != "CT":
        return _MODALITIES.get(modality, f"an object of modality {modality}")
    if min(header.shape) < 1:
        return "an object without an image"
    return _refused_ct(header)


def is_derived(header: ImageHeader) -> bool:
    """Whether the scanner says that an image was computed from others, which says nothing against it."""
    return header.text("ImageType").upper().startswith("DERIVED")


def is_lossy(header: ImageHeader) -> bool:
    """Whether the header or the encoding says that values were changed by compression."""
    return header.text("LossyImageCompression") == "01" or header.text("TransferSyntaxUID") in _LOSSY


def image_words(header: ImageHeader) -> set[str]:
    """The words of an image's type in capitals."""
    return set(re.split(r"[\\\s_/]+", header.text("ImageType").upper())) - {""}


def _is_dose_screen(header: ImageHeader) -> bool:
    return bool(_DOSE & image_words(header)) or "dose" in header.text("SeriesDescription").lower()


def _refused_ct(header: ImageHeader) -> str | None:
    if kind := _kind_by_words(header):
        return kind
    if (header.number("SamplesPerPixel") or 1) != 1:
        return "a colour picture"
    scale = header.text("RescaleType").upper()
    if scale not in _HOUNSFIELD:
        return f"a map of other values than HU (rescale type {scale})"
    if header.values.get("ModalityLUTSequence") and header.number("RescaleIntercept") is None:
        return "an image whose values stand in a lookup table (Modality LUT)"
    frames = header.number("NumberOfFrames") or 1
    if frames > 1 and header.frame is None:
        return f"a file of {frames:.0f} frames that is no enhanced CT"
    return None


def _kind_by_words(header: ImageHeader) -> str | None:
    """What the type and the description of an image say, where that is no axial CT."""
    words = image_words(header)
    kinds = {"a localizer": _LOCALIZERS & words, "a dose screen": _DOSE & words}
    kinds["a secondary capture"] = words & {"SCREEN"}
    kinds |= {name: {word} for word, name in _PROJECTIONS.items() if word in words}
    if kind := next((name for name, found in kinds.items() if found), None):
        return kind
    description = header.text("SeriesDescription").replace("_", " ")
    return next((name for pattern, name in _DESCRIBED if pattern.search(description)), None)
