"""Lungs from masks that exist already."""

import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.lungs import from_labels
from tests.lungs.phantom import CARINA, draw_chest


@pytest.fixture(scope="module")
def chest():
    return draw_chest()


def test_a_binary_mask_is_parted_into_sides(chest):
    lungs = from_labels(chest.truth > 0, chest.affine)
    np.testing.assert_array_equal(lungs.labels, chest.truth)
    assert lungs.carina is None
    assert not lungs.airways.any()
    assert any("carina" in warning for warning in lungs.warnings)


def test_labels_numbered_the_other_way_round_keep_the_patients_sides(chest):
    swapped = np.where(chest.truth > 0, 3 - chest.truth, 0)
    np.testing.assert_array_equal(from_labels(swapped, chest.affine).labels, chest.truth)


def test_with_a_ct_airways_and_carina_are_found_and_one_lung_has_a_side(chest):
    left = chest.truth == 2
    lungs = from_labels(left.astype(np.float32), chest.affine, hu=chest.hu)
    np.testing.assert_array_equal(lungs.labels, np.where(left, 2, 0))
    assert lungs.absent == {"right"}
    assert np.abs(lungs.carina - CARINA).max() < 8
    assert lungs.airways.any()


def test_lobes_are_named_by_side(chest):
    lobes = np.where(chest.truth == 1, 12, np.where(chest.truth == 2, 10, 0))
    lobes[(chest.truth == 1) & (chest.places[2] > 0)] = 13
    lobes[:4, :4] = 99
    lungs = from_labels(lobes, chest.affine, right=(12, 13, 14), left=(10, 11))
    np.testing.assert_array_equal(lungs.labels, chest.truth)
    assert not any("swapped" in warning for warning in lungs.warnings)
    mistaken = from_labels(lobes, chest.affine, right=(10, 11), left=(12, 13, 14))
    assert any("swapped" in warning for warning in mistaken.warnings)


def test_an_empty_mask_has_both_lungs_absent(chest):
    assert from_labels(np.zeros(chest.hu.shape, bool), chest.affine).absent == {"right", "left"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"right": (1,)}, "both sides"),
        ({"right": (1,), "left": (1, 2)}, "twice"),
        ({"hu": np.zeros((3, 3, 3))}, "shape"),
    ],
)
def test_what_contradicts_itself_is_refused(chest, options, reason):
    with pytest.raises(InputError, match=reason):
        from_labels(chest.truth, chest.affine, **options)


def test_probabilities_and_a_lone_lung_without_a_ct_are_refused(chest):
    with pytest.raises(InputError, match="probabilities"):
        from_labels(chest.truth * 0.4, chest.affine)
    with pytest.raises(InputError, match="one piece"):
        from_labels(chest.truth == 1, chest.affine)
