"""One case's two files: there, whole, as they were written, and plausible."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from covid_monai.data.checks.findings import Finding, error, note
from covid_monai.data.manifest import Case, Dataset
from covid_monai.data.near_duplicates import fingerprint
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.transforms.anatomy import Anatomy, look_at_anatomy, shows_air_bright
from covid_monai.transforms.intensity import looks_8_bit
from covid_monai.transforms.nifti import read_nifti
from covid_monai.transforms.scale import HU, judge_scale

if TYPE_CHECKING:
    import nibabel

_LPS = ("L", "P", "S")
# in mm; affines are stored in single precision
_SAME_WITHIN = 1e-3


def check_geometry(case: Case, image: "nibabel.Nifti1Image", label: "nibabel.Nifti1Image") -> list[Finding]:
    """Check the grids of an image and its mask, both (X, Y, Z)."""
    from nibabel import aff2axcodes

    findings = []
    if image.shape != label.shape:
        findings.append(error("geometry", f"image is {image.shape}, mask {label.shape}: not one grid", case.case))
    if image.shape[2] != 1:
        findings.append(error("geometry", f"image is {image.shape}; a case is one slice, (X, Y, 1)", case.case))
    if np.abs(image.affine - label.affine).max() > _SAME_WITHIN:
        findings.append(error("geometry", "image and mask have different affines: not one place", case.case))
    axes = tuple(str(axis) for axis in aff2axcodes(image.affine))
    if axes != _LPS:
        directions = "".join(axes)
        findings.append(
            error("geometry", f"axes run to {directions}, not LPS: the slice is turned or mirrored", case.case)
        )
    return findings


HIGHEST_HU = 32767.0
"""Scanners store HU as 16-bit numbers; padding may lie far below air."""

# lung and air lie below, soft tissue above
_AIR_BELOW = -500.0
_TISSUE_ABOVE = -200.0
_LEAST_SHARE = 0.005


def check_intensities(case: Case, values: npt.NDArray) -> list[Finding]:
    """Check the values of one image, finite: one finding at most, the plainest."""
    lowest, highest = float(values.min()), float(values.max())
    spread = f"values {lowest:g} to {highest:g}"
    if lowest == highest:
        problem = f"all values are {lowest:g}: the image is empty"
    elif looks_8_bit(values):
        problem = f"{spread}: these are 8-bit grey values, not HU"
    elif case.intensity == "hu" and (judged := judge_scale(values)).scale is not None and judged.scale is not HU:
        problem = f"{spread}: these look like {judged.scale.name}, not HU; prepare them again: {judged.advice()}"
    elif highest > HIGHEST_HU:
        problem = f"{spread}: HU lie below {HIGHEST_HU:g}"
    elif shows_air_bright(values):
        problem = f"{spread}: lungs brighter than the body, an inverted picture; prepare it with --intensity inverted"
    elif np.mean(values < _AIR_BELOW) < _LEAST_SHARE:
        problem = f"{spread}: no lung or air (below {_AIR_BELOW:g} HU), so this is no chest slice in HU"
    elif np.mean(values > _TISSUE_ABOVE) < _LEAST_SHARE:
        problem = f"{spread}: nothing but air (no {_LEAST_SHARE:.1%} above {_TISSUE_ABOVE:g} HU)"
    else:
        return []
    return [error("intensity", problem, case.case)]


def check_mask(case: Case, labels: dict[int, str], values: npt.NDArray) -> list[Finding]:
    """Check one mask (finite values of any type) against the label table and the case's pixel counts."""
    found, counts = np.unique(values, return_counts=True)
    strange = [f"{value:g}" for value in found if value not in labels]
    if strange:
        allowed = ", ".join(map(str, sorted(labels)))
        listed = ", ".join(strange[:5]) + (", ..." if len(strange) > 5 else "")
        return [error("mask", f"mask has {listed}; the labels are {allowed}", case.case)]
    counted = {int(value): int(count) for value, count in zip(found, counts, strict=True) if value}
    findings = []
    expected = {label: count for label, count in case.pixels.items() if count}
    if counted != expected:
        findings.append(error("mask", f"mask has pixels {counted}, dataset.json says {expected}", case.case))
    if not counted:
        findings.append(note("mask", "mask is empty: the slice has no lesion", case.case))
    return findings


@dataclass(frozen=True)
class Look:
    """What is kept of an image to judge it with others: SHA-256 of its values, its fine structure, how it lies."""

    digest: str
    fingerprint: npt.NDArray[np.float32]
    anatomy: Anatomy | None


def check_case(dataset: Dataset, case: Case) -> tuple[list[Finding], Look | None]:
    """Check the image and the mask of one case.

    Returns:
        What was found, and the image's look, ``None`` where it cannot be read.
    """
    findings: list[Finding] = []
    read: dict[str, Any] = {}
    for kind, name in (("image", case.image), ("label", case.label)):
        path = dataset.folder / name
        try:
            if sha256_of(path) != case.sha256[kind]:
                findings.append(error("hash", f"{name} was changed after it was written", case.case))
            read[kind] = read_nifti(path)
        except OSError as problem:
            findings.append(error("file", f"{path} cannot be read: {problem.strerror}", case.case))
        except InputError as problem:
            findings.append(error("file", str(problem), case.case))
    if len(read) == 2:
        findings += check_geometry(case, read["image"], read["label"])
    if "label" in read:
        findings += check_mask(case, dataset.labels, np.asarray(read["label"].dataobj))
    if "image" not in read:
        return findings, None
    values = np.asarray(read["image"].dataobj)
    findings += check_intensities(case, values)
    first = values[:, :, :1]
    return findings, Look(_digest(values), fingerprint(first), look_at_anatomy(first))


def _digest(values: npt.NDArray) -> str:
    # the same numbers stored as int16 and as float32 are the same picture
    plain = np.ascontiguousarray(values, dtype=np.float32)
    return hashlib.sha256(str(plain.shape).encode() + plain.tobytes()).hexdigest()
