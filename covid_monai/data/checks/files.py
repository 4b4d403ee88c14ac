"""One case's two files: there, whole, as they were written; then what they hold."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from covid_monai.data.checks.anatomy import Anatomy, look_at_anatomy
from covid_monai.data.checks.findings import Finding, error
from covid_monai.data.checks.geometry import check_geometry
from covid_monai.data.checks.intensities import check_intensities
from covid_monai.data.checks.masks import check_mask
from covid_monai.data.manifest import Case, Dataset
from covid_monai.data.similarity import fingerprint
from covid_monai.errors import InputError
from covid_monai.files import sha256_of
from covid_monai.transforms.nifti import read_nifti


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
