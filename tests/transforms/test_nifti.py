from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest

from covid_monai.transforms.grid import to_lps
from covid_monai.transforms.nifti import is_nifti, nifti_stem


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
def test_every_order_of_axes_is_turned_to_lps(order, signs):
    """Each voxel keeps its place in the world, and the axes run to the left, the back and the head."""
    values = np.arange(24).reshape(2, 3, 4)
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, order] * np.array(signs) * (0.7, 0.8, 5.0)
    affine[:3, 3] = 10, -20, 30
    turned, turned_affine = to_lps(values, affine)
    assert nibabel.aff2axcodes(turned_affine) == ("L", "P", "S")
    for voxel in np.ndindex(turned.shape):
        world = turned_affine @ (*voxel, 1)
        stored = np.rint(np.linalg.solve(affine, world)[:3]).astype(int)
        assert values[tuple(stored)] == turned[voxel]


@pytest.mark.parametrize("name", ["CT1.NII.GZ", "CT1.nii.gz", "CT1.Nii", "CT1.nii"])
def test_endings_are_known_in_any_letter_case(name):
    assert is_nifti(Path(name))
    assert nifti_stem(Path(name)) == "CT1"


def test_a_name_is_the_same_whichever_way_its_accents_are_stored():
    assert nifti_stem(Path("Mu\u0308ller.nii.gz")) == nifti_stem(Path("M\u00fcller.nii.gz")) == "M\u00fcller"
