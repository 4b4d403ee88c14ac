"""Grids: image and mask on one, in LPS order, one slice thick."""

from typing import TYPE_CHECKING

import numpy as np

from covid_monai.data.checks.findings import Finding, error
from covid_monai.data.manifest import Case

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
        told = "".join(axes)
        findings.append(error("geometry", f"axes run to {told}, not LPS: the slice is turned or mirrored", case.case))
    return findings
