"""Prepared data sets of a few small slices, told case by case."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from covid_monai.data.manifest import LABELS, Case, Dataset, write_dataset
from covid_monai.files import sha256_of


def write_slices(
    folder: Path, described: Sequence[dict[str, Any]], size: int = 24, labels: Sequence[int] = (1, 2)
) -> Dataset:
    """A case for each of ``described``, which has fields of :class:`Case`, and as it likes:

    ``look`` (slices of one number are the same picture), ``label`` (of its lesion, 0 for none), ``size`` (x, y).
    """
    cases = []
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for index, fields in enumerate(described):
        entry = dict(fields)
        name, shape = entry.pop("case", f"c{index:02d}"), entry.pop("size", (size, size))
        generator = np.random.default_rng(entry.pop("look", index))
        label = np.zeros((*shape, 1), np.uint8)
        x, y = generator.integers(2, 10, 2)
        label[x : x + generator.integers(4, 9), y : y + generator.integers(4, 9)] = entry.pop(
            "label", labels[index % len(labels)]
        )
        image = (generator.normal(0, 250, label.shape) - 300 + 300 * (label > 0)).astype(np.int16)
        paths = {"image": f"images/{name}.nii.gz", "label": f"labels/{name}.nii.gz"}
        for key, array in (("image", image), ("label", label)):
            nibabel.save(nibabel.Nifti1Image(array, np.diag([-2.0, -2, 5, 1])), folder / paths[key])
        values, counts = np.unique(label[label > 0], return_counts=True)
        plain = Case(
            **paths,
            case=name,
            source="tiny",
            patient=None,
            volume=None,
            slice=None,
            part=None,
            intensity="hu",
            spacing_known=False,
            canvas=None,
            pixels=dict(zip(values.tolist(), counts.tolist(), strict=True)),
            sha256={key: sha256_of(folder / path) for key, path in paths.items()},
        )
        cases.append(replace(plain, **entry))
    used = {0, *(label for case in cases for label in case.pixels)}
    dataset = Dataset(folder, "tiny", "none", {key: LABELS[key] for key in sorted(used)}, {1: 1}, tuple(cases))
    write_dataset(dataset)
    return dataset


def write_patients(folder: Path, patients: int = 8, slices: int = 2) -> Path:
    """``slices`` slices of each of ``patients``; the first slice has no lesion."""
    text = [
        {"case": f"p{p}_s{s}", "patient": f"p{p}", "volume": f"p{p}", "slice": s}
        for p in range(patients)
        for s in range(slices)
    ]
    text[0]["label"] = 0
    write_slices(folder, text)
    return folder
