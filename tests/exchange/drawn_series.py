"""A tiny drawn series with a mask of all classes, read as predictions have it."""

from pathlib import Path

import numpy as np
from pydicom import DataElement
from pydicom.dataset import Dataset

from covid_monai.exchange.equipment import Algorithm
from covid_monai.studies import Study, find_studies, read_study
from tests.studies.series_files import SeriesPlan, draw_chest, write_series

ALGORITHM = Algorithm("tiny_ct_segmentation", "ab" * 32)
CLASSES = {1: "ground_glass", 2: "consolidation", 3: "effusion"}

SWAPPED = {"orientation": (0.0, 1.0, 0.0, 1.0, 0.0, 0.0), "step": (0.0, 0.0, -3.0)}
"""Rows that run from front to back."""

DE_IDENTIFIED = "896911bf-1143-4c8d-8f04-f3cd1a7f6204"

TILTED = {"step": (0.0, 0.8, 3.0)}


def drawn_study(folder: Path, change=None, **changes) -> Study:
    write_series(folder, SeriesPlan(draw_chest(), **changes), change)
    (study,) = find_studies(folder).studies
    assert study.taken is not None
    return read_study(study.taken)


def drawn_mask(study: Study) -> np.ndarray:
    """Lopsided, with the first and last planes empty and one within."""
    mask = np.zeros(study.hu.shape, np.uint8)
    mask[4:9, 6:12, 1:3] = 1
    mask[10:12, 8:14, 2:6] = 2
    mask[20:27, 15:16, 2] = 3
    mask[:, :, 4] = 0
    return mask


def drawn_lungs(study: Study) -> np.ndarray:
    lungs = np.zeros(study.hu.shape, np.uint8)
    lungs[3:14, 5:18, 1:7], lungs[18:29, 5:18, 1:7] = 1, 2
    return lungs


def without_identifiers(index: int, dataset: Dataset) -> None:
    """As de-identified series are: no name, a UUID for a UID, nothing that says which image is which."""
    del dataset.PatientName
    dataset.SOPInstanceUID = ""
    dataset.FrameOfReferenceUID = ""
    # as the file has it; setting it by name would check it
    dataset.add(DataElement("StudyInstanceUID", "UI", DE_IDENTIFIED, validation_mode=0))
