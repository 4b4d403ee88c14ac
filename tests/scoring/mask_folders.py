"""Mask files as different tools write them."""

from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from .masks import blobs

AFFINE = np.array([[-0.7, 0, 0, 90.0], [0, -0.9, 0, 80.0], [0, 0, 2.5, -300.0], [0, 0, 0, 1]])
"""LPS order, 0.7 x 0.9 x 2.5 mm."""


def write_nifti(path: Path, labels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(labels, affine), path)
    return path


def write_itk(path: Path, labels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """Write (x, y, z) labels with SimpleITK, whose coordinates are LPS."""
    import SimpleITK as sitk

    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.ascontiguousarray(labels.T))
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    sitk.WriteImage(image, str(path))
    return path


def write_png(path: Path, rows: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rows).save(path)
    return path


def write_folder(
    folder: Path, seed: int, cases: int = 8, shape: tuple[int, ...] = (20, 18, 1), affine: np.ndarray = AFFINE
) -> Path:
    """Random masks c0.nii.gz, c1.nii.gz, ... of labels 0 and 1."""
    for case in range(cases):
        write_nifti(folder / f"c{case}.nii.gz", blobs(shape, 100 * seed + case).astype(np.uint8), affine)
    return folder
