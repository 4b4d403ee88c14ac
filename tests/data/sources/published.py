"""Files laid out as the public data sets publish them, made from a few phantom slices."""

from functools import cache
from pathlib import Path

import nibabel
import numpy as np

from covid_monai.data.phantom import draw_phantom

SIZE = 48
LPS = np.diag([-0.8, -0.8, 5.0, 1.0])
RAS = np.diag([0.8, 0.8, 5.0, 1.0])


@cache
def phantom(seed: int = 0, slices: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Image (int16 HU) and mask (uint8, labels 0 to 3), (X, Y, Z) in LPS order; not to be changed."""
    drawn = draw_phantom(seed, SIZE, slices)
    image, mask = drawn.image.astype(np.int16), drawn.label.astype(np.uint8)
    # at this size a drawn lesion can fall through the grid, and every label has to be there
    mask[10:13, 20, 1], mask[12:14, 22, 2], mask[30, 25:29, 2] = 1, 2, 3
    return image, mask


def save(path: Path, array: np.ndarray, affine: np.ndarray = LPS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def counts(mask: np.ndarray) -> dict[int, int]:
    """Pixels of each value over 0."""
    return {value: int((mask == value).sum()) for value in np.unique(mask).tolist() if value}


def total(items) -> dict[int, int]:
    """Pixels of each label over all slices, counted in the arrays that were yielded."""
    return counts(np.concatenate([item.label for item in items], axis=2))


def write_medseg(folder: Path, affine: np.ndarray = LPS) -> None:
    image, mask = phantom()
    save(folder / "tr_im.nii.gz", image.astype(np.float32) + 0.5, affine)
    save(folder / "tr_mask.nii.gz", mask.astype(np.float32), affine)
    save(folder / "val_im.nii.gz", image[..., :2].astype(np.float32), affine)
    (folder / "Test-Images-Clinical-Details.csv").write_text("Image,Age\n0,50\n")


def write_radiopaedia(folder: Path, names=tuple("123456789"), depths=(4,) * 9) -> None:
    for seed, (name, depth) in enumerate(zip(names, depths, strict=True)):
        image, mask = phantom(seed % 3, 5)
        repeat = [index % 5 for index in range(depth)]
        save(folder / f"rp_im/{name}.nii.gz", image[..., repeat].astype(np.float32))
        save(folder / f"rp_msk/{name}.nii.gz", mask[..., repeat])


def one_hot(mask: np.ndarray) -> np.ndarray:
    """(rows, columns, slices) with labels 0 to 3 to (slices, rows, columns, 4) in Kaggle's order of classes."""
    return np.stack([mask == 1, mask == 2, mask == 3, mask == 0], axis=-1).transpose(2, 0, 1, 3).astype(np.float32)


def write_kaggle(folder: Path, parts=("medseg", "radiopedia")) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, part in enumerate(parts):
        # stored as pictures: row = y, column = x
        image, mask = (array.transpose(1, 0, 2) for array in phantom(seed))
        images = image.transpose(2, 0, 1)[..., None].astype(np.float32)
        np.save(folder / f"images_{part}.npy", images)
        np.save(folder / f"masks_{part}.npy", one_hot(mask))


ZENODO_NAMES = ("coronacases_001", "radiopaedia_10_85902_1", "radiopaedia_10_85902_3", "radiopaedia_4_85506_1")


def write_zenodo(folder: Path) -> None:
    """Coronacases run from back to front, as their header says; radiopaedia volumes, with the same header, do not."""
    for seed, name in enumerate(ZENODO_NAMES):
        image, mask = phantom(seed % 3)
        if name.startswith("radiopaedia"):
            image = np.rint((np.clip(image, -1250, 250) + 1250) / 1500 * 255).astype(np.uint8)[::-1]
            mask = mask[::-1]
        else:
            image, mask = image[::-1, ::-1], mask[::-1, ::-1]
        save(folder / f"COVID-19-CT-Seg_20cases/{name}.nii.gz", image, RAS)
        save(folder / f"Infection_Mask/{name}.nii.gz", (mask > 0).astype(np.uint8), RAS)
        lungs = np.where(mask > 0, 3, np.where(image > image.mean(), 1, 2)).astype(np.uint8)
        save(folder / f"Lung_and_Infection_Mask/{name}.nii.gz", lungs, RAS)
