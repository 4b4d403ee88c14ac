"""A tiny data set of patients whose chests differ, in slices that are near-duplicates within a patient."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import gaussian_filter

from covid_monai.data.manifest import Dataset, read_dataset, write_dataset
from covid_monai.files import sha256_of
from tests.tiny import write_tiny_dataset


def draw_patient(patient: int, noise: int) -> np.ndarray:
    """A slice (64, 64) in HU: a texture of this patient, with this slice's own noise; no outline that all share."""
    texture = gaussian_filter(np.random.default_rng(patient).normal(0, 1, (64, 64)), 1.5)
    return -500 + 1500 * texture + np.random.default_rng(1000 + noise).normal(0, 10, texture.shape)


def write_patients(folder: Path, known: bool) -> Dataset:
    """The tiny data set with four patients of three slices each, whose IDs are known or not."""
    write_tiny_dataset(folder)
    dataset = read_dataset(folder)
    cases = []
    for place, case in enumerate(dataset.cases):
        path = folder / case.image
        image = np.rint(draw_patient(place // 3, place)).astype(np.int16)[..., None]
        nibabel.save(nibabel.Nifti1Image(image, nibabel.load(path).affine), path)
        written = case if known else replace(case, patient=None, volume=None, slice=None)
        cases.append(replace(written, sha256={**case.sha256, "image": sha256_of(path)}))
    changed = replace(dataset, cases=tuple(cases))
    write_dataset(changed)
    return changed


def change_cases(dataset: Dataset, changes: dict[str, dict]) -> Dataset:
    """Change entries of the manifest, by case name."""
    cases = tuple(replace(case, **changes.get(case.case, {})) for case in dataset.cases)
    changed = replace(dataset, cases=cases)
    write_dataset(changed)
    return changed


def copy_image(dataset: Dataset, source: str, target: str) -> Dataset:
    """Give case ``target`` the image of case ``source``, hash and all."""
    by_name = {case.case: case for case in dataset.cases}
    values = np.asarray(nibabel.load(dataset.folder / by_name[source].image).dataobj)
    path = dataset.folder / by_name[target].image
    nibabel.save(nibabel.Nifti1Image(values, nibabel.load(path).affine), path)
    return change_cases(dataset, {target: {"sha256": {**by_name[target].sha256, "image": sha256_of(path)}}})
