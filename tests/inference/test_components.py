import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.inference.components import without_small_components

# voxels of 4 mm3, mirrored and turned
AFFINE = np.array([[0, -1, 0, 5], [-1, 0, 0, 3], [0, 0, 4, 1], [0, 0, 0, 1]], dtype=float)


def drawn():
    mask = np.zeros((12, 12, 6), np.uint8)
    mask[1:6, 1:6, 1:3] = 1  # 50 voxels, 0.2 mL
    mask[6, 6, 3] = 2  # at its corner, of another kind
    mask[9:11, 9:11, 4] = 2  # 4 voxels, 0.016 mL
    mask[0, 11, 0] = 1
    return mask


@pytest.mark.parametrize(
    ("smallest", "voxels"), [(0, 56), (0.004, 56), (0.0041, 55), (0.016, 55), (0.0161, 51), (0.204, 51), (0.205, 0)]
)
def test_components_below_the_volume_are_removed(smallest, voxels):
    mask = drawn()
    found = without_small_components(mask, AFFINE, min_volume_ml=smallest)
    assert np.count_nonzero(found) == voxels
    assert found.dtype == np.uint8
    assert np.array_equal(found[found > 0], mask[found > 0])


def test_a_slice_has_components_too():
    mask = drawn()[:, :, 4]
    assert not without_small_components(mask, AFFINE, min_volume_ml=0.1).any()
    assert np.array_equal(without_small_components(mask, AFFINE, min_volume_ml=0.01), mask)


@pytest.mark.parametrize("volume", [-1, float("nan"), float("inf")])
def test_a_volume_that_is_none_is_refused(volume):
    with pytest.raises(InputError, match="give a volume in mL"):
        without_small_components(drawn(), AFFINE, min_volume_ml=volume)
