"""A run knows whether it was trained on crops, and whole slices given to its network are warned of."""

import warnings
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from covid_monai.data.manifest import Canvas, read_dataset
from covid_monai.errors import InputWarning
from covid_monai.run.crops import trained_on_crops, warn_of_whole_slices
from tests.data.checks.chest import draw_chest

WHOLE = draw_chest(0.5)[..., None]
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def test_slices_smaller_than_their_canvas_are_crops(tiny_dataset: Path) -> None:
    dataset = read_dataset(tiny_dataset)
    assert not trained_on_crops(dataset)
    canvas = Canvas((128, 128), (10, 10))
    assert trained_on_crops(replace(dataset, cases=tuple(replace(case, canvas=canvas) for case in dataset.cases)))
    pasted = Canvas((64, 64), (10, 10))
    assert not trained_on_crops(replace(dataset, cases=tuple(replace(case, canvas=pasted) for case in dataset.cases)))


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_whole_slices_are_warned_of_in_any_orientation(axes: tuple[int, ...]) -> None:
    affine = LPS.copy()
    affine[:, :3] = LPS[:, axes]
    volume = np.repeat(WHOLE, 5, axis=2).transpose(axes)
    with pytest.warns(InputWarning, match="trained on crops"):
        warn_of_whole_slices(nibabel.Nifti1Image(volume, affine), "ct.nii.gz")


def test_a_crop_is_not_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_whole_slices(nibabel.Nifti1Image(WHOLE[20:76, 20:76], LPS), "ct.nii.gz")
