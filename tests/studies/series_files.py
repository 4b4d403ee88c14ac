"""DICOM series of a drawn chest, tiny, as scanners write them and as they should not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SLICES, ROWS, COLUMNS = 8, 24, 32
SPACING = (2.5, 2.0)
"""Between rows, and between columns."""

ORIENTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ORIGIN = (-31.0, -28.0, -120.0)


def draw_chest(slices: int = SLICES, rows: int = ROWS, columns: int = COLUMNS, seed: int = 0) -> np.ndarray:
    """HU (slice, row, column), int16: two lungs in a body in air, brighter slice by slice and lopsided on purpose."""
    generator = np.random.default_rng(seed)
    row, column = np.mgrid[:rows, :columns]
    chest = np.full((slices, rows, columns), -1000.0)
    body = ((row - rows / 2) / (rows * 0.45)) ** 2 + ((column - columns / 2) / (columns * 0.47)) ** 2 < 1
    chest[:, body] = 40
    for centre, width in ((0.3, 0.13), (0.68, 0.15)):
        lung = ((row - rows * 0.45) / (rows * 0.25)) ** 2 + ((column - columns * centre) / (columns * width)) ** 2 < 1
        chest[:, lung] = -850
    chest += np.arange(slices)[:, None, None] * 3
    chest += generator.normal(0, 8, chest.shape)
    return np.maximum(np.rint(chest), -1024).astype(np.int16)


@dataclass
class SeriesPlan:
    """What a series says of itself; every slice's dataset can be changed before it is written.

    Attributes:
        hu: (slice, row, column).
        step: from slice to slice, in mm, LPS.
    """

    hu: np.ndarray
    step: Sequence[float] = (0.0, 0.0, 3.0)
    origin: Sequence[float] = ORIGIN
    orientation: Sequence[float] = ORIENTATION
    spacing: Sequence[float] = SPACING
    slope: float = 1
    intercept: float = -1024
    signed: bool = False
    series_uid: str | None = None
    study_uid: str | None = None
    positions: Sequence[Sequence[float]] | None = None

    def __post_init__(self) -> None:
        self.series_uid = self.series_uid or generate_uid()
        self.study_uid = self.study_uid or generate_uid()

    def position(self, index: int) -> np.ndarray:
        if self.positions is not None:
            return np.asarray(self.positions[index], dtype=float)
        return np.asarray(self.origin) + index * np.asarray(self.step)

    def stored(self, index: int) -> np.ndarray:
        kind = np.int16 if self.signed else np.uint16
        return np.rint((self.hu[index] - self.intercept) / self.slope).astype(kind)

    def datasets(self) -> list[Dataset]:
        return [self.dataset(index) for index in range(len(self.hu))]

    def dataset(self, index: int) -> Dataset:
        stored = self.stored(index)
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = self.study_uid, self.series_uid
        dataset.FrameOfReferenceUID = "1.2.3.4"
        dataset.PatientName, dataset.PatientID = "Doe^Jane", "secret-17"
        dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.SeriesNumber, dataset.InstanceNumber = 2, len(self.hu) - index
        dataset.SeriesDescription, dataset.ConvolutionKernel = "Chest 3.0", "B31f"
        dataset.SliceThickness = 3
        dataset.ImagePositionPatient = [round(float(number), 6) for number in self.position(index)]
        dataset.ImageOrientationPatient = list(self.orientation)
        dataset.PixelSpacing = list(self.spacing)
        dataset.Rows, dataset.Columns = stored.shape
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelRepresentation = int(self.signed)
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.RescaleSlope, dataset.RescaleIntercept = self.slope, self.intercept
        dataset.PixelData = stored.tobytes()
        return dataset


def write_series(
    folder: Path, plan: SeriesPlan, change: Callable[[int, Dataset], Any] | None = None, *, prefix: str = "im"
) -> list[Path]:
    """Write a series in an order of names that is not the slices', after changing each dataset.

    Returns:
        the files in the order of the slices.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index, dataset in enumerate(plan.datasets()):
        if change is not None:
            change(index, dataset)
        file = folder / f"{prefix}{(index * 5 + 3) % 97:03d}.dcm"
        dataset.save_as(file, enforce_file_format=True)
        files.append(file)
    return files
