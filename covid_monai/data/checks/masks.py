"""Masks against the manifest: its table of labels, its pixel counts."""

import numpy as np
import numpy.typing as npt

from covid_monai.data.checks.findings import Finding, error, note
from covid_monai.data.manifest import Case


def check_mask(case: Case, labels: dict[int, str], values: npt.NDArray) -> list[Finding]:
    """Check one mask (finite values of any type) against the label table and the case's pixel counts."""
    found, counts = np.unique(values, return_counts=True)
    strange = [f"{value:g}" for value in found if value not in labels]
    if strange:
        allowed = ", ".join(map(str, sorted(labels)))
        told = ", ".join(strange[:5]) + (", ..." if len(strange) > 5 else "")
        return [error("mask", f"mask has {told}; the labels are {allowed}", case.case)]
    counted = {int(value): int(count) for value, count in zip(found, counts, strict=True) if value}
    findings = []
    expected = {label: count for label, count in case.pixels.items() if count}
    if counted != expected:
        findings.append(error("mask", f"mask has pixels {counted}, dataset.json says {expected}", case.case))
    if not counted:
        findings.append(note("mask", "mask is empty: the slice has no lesion", case.case))
    return findings
