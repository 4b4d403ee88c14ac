"""A tiny data set whose lesions can be learned in seconds: bright discs in dark lungs."""

from pathlib import Path

import nibabel
import numpy as np

from covid_monai.data.manifest import Case, Dataset, write_dataset
from covid_monai.data.splits import split_dataset, write_split
from covid_monai.files import sha256_of

SMALL_NETWORK = {"image_size": [64, 64], "channels": [8, 8, 16, 16, 16]}
LEARNING = {
    "epochs": 30,
    "batch_size": 2,
    "learning_rate": 0.02,
    "learning_rate_step": 20,
    "augmentation": 0.0,
}
"""Settings of A-SegNet that learn the tiny data set in seconds."""

SIZE = 64
PATIENTS = 4
SLICES_PER_PATIENT = 3


def draw_slice(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image (int16 HU) and its label map, both (SIZE, SIZE, 1)."""
    x, y = np.mgrid[:SIZE, :SIZE]
    image = np.full((SIZE, SIZE), 40.0)
    for centre in (18, 46):
        image[(x - centre) ** 2 / 12**2 + (y - 32) ** 2 / 22**2 < 1] = -850
    centre_x, centre_y = generator.choice([18, 46]), generator.integers(20, 44)
    disc = (x - centre_x) ** 2 + (y - centre_y) ** 2 < generator.integers(4, 8) ** 2
    label = np.where(disc, generator.integers(1, 3), 0)
    image[disc] = -400
    image += generator.normal(0, 20, image.shape)
    return image.astype(np.int16)[..., None], label.astype(np.uint8)[..., None]


def write_tiny_dataset(
    folder: Path, protocol: str = "grouped", spacing: tuple[float, float, float] = (2, 2, 5)
) -> Path:
    """Write a prepared data set of ``PATIENTS * SLICES_PER_PATIENT`` slices and its ``split.json`` (two folds)."""
    generator = np.random.default_rng(0)
    cases = []
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for patient in range(PATIENTS):
        for index in range(SLICES_PER_PATIENT):
            image, label = draw_slice(generator)
            case = f"p{patient}_s{index}"
            affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
            affine[2, 3] = index * spacing[2]
            paths = {"image": f"images/{case}.nii.gz", "label": f"labels/{case}.nii.gz"}
            nibabel.save(nibabel.Nifti1Image(image, affine), folder / paths["image"])
            nibabel.save(nibabel.Nifti1Image(label, affine), folder / paths["label"])
            values, counts = np.unique(label[label > 0], return_counts=True)
            cases.append(
                Case(
                    **paths,
                    case=case,
                    source="tiny",
                    patient=f"p{patient}",
                    volume=f"p{patient}",
                    slice=index,
                    part=None,
                    intensity="hu",
                    spacing_known=True,
                    canvas=None,
                    pixels=dict(zip(values.tolist(), counts.tolist(), strict=True)),
                    sha256={key: sha256_of(folder / path) for key, path in paths.items()},
                )
            )
    labels = {0: "background", 1: "ground-glass", 2: "consolidation"}
    dataset = Dataset(folder, "tiny", "none", labels, {1: 1, 2: 2}, tuple(cases))
    write_dataset(dataset)
    write_split(folder / "split.json", split_dataset(dataset, protocol, folds=2, validation_fraction=0.4, seed=0))
    return folder
