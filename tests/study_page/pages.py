"""Pages of drawn studies, written as `covid-monai measure --report` does."""

from pathlib import Path

import numpy as np

from covid_monai.inference.corrected import measure_files
from covid_monai.inference.study_record import StudySettings
from tests.inference.drawn_studies import coarse_thorax, write_dicom, write_nifti
from tests.measurements.drawn import Thorax

LABELS = "1=ground-glass,2=consolidation,3=effusion"


def write_study(folder: Path, thorax: Thorax | None = None, mask: np.ndarray | None = None) -> dict[str, Path]:
    """A CT as DICOM in a folder with a patient's name, its mask and its lungs."""
    thorax = thorax or coarse_thorax()
    write_dicom(folder / "Doe_Jane", thorax)
    write_nifti(folder / "mask.nii.gz", thorax.mask if mask is None else mask, thorax.affine)
    write_nifti(folder / "lungs.nii.gz", thorax.lungs.labels, thorax.affine)
    return {"ct": folder / "Doe_Jane", "mask": folder / "mask.nii.gz", "lungs": folder / "lungs.nii.gz"}


def write_page_of(files: dict[str, Path], output: Path, study: str = "P01", **settings) -> Path:
    """Measure a study with its page; the page."""
    done = measure_files(
        files["ct"],
        files["mask"],
        output,
        lungs=files["lungs"],
        labels=settings.pop("labels", LABELS),
        study=study,
        settings=StudySettings(**settings),
        page=True,
    )
    assert done.page is not None
    return done.page
