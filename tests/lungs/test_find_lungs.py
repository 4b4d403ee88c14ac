"""Lungs of drawn chests: sides, dense lesions, airways, gas, edges of the field, any orientation."""

import nibabel
import numpy as np
import pytest

from covid_monai.errors import InputError
from covid_monai.lungs import find_lungs
from tests.lungs.phantom import AIR, CARINA, LUNG, TISSUE, Chest, dice, draw_chest


@pytest.fixture(scope="module")
def chest() -> Chest:
    return draw_chest()


@pytest.fixture(scope="module")
def found(chest):
    return find_lungs(chest.hu, chest.affine)


def test_both_lungs_are_found_with_their_sides(chest, found):
    assert found.labels.dtype == np.uint8
    assert found.labels.shape == chest.hu.shape
    assert dice(found.labels == 1, chest.truth == 1) > 0.985
    assert dice(found.labels == 2, chest.truth == 2) > 0.985
    assert found.cut == found.absent == frozenset()
    assert found.warnings == ()


def test_airways_are_no_lung_and_the_carina_is_where_they_part(chest, found):
    assert not (found.airways & (found.labels > 0)).any()
    trachea = chest.airways & (chest.places[2] > CARINA[2] + 6)
    assert (found.airways & trachea).sum() > 0.9 * trachea.sum()
    assert (chest.airways & (found.labels > 0)).sum() < 0.05 * chest.airways.sum()
    assert np.abs(found.carina - CARINA).max() < 8


def test_gas_of_the_stomach_is_no_lung(chest, found):
    stomach = (chest.hu < (AIR + LUNG) / 2) & (chest.places[2] < -90) & (np.abs(chest.places[0] + 60) < 30)
    assert stomach.sum() > 500
    assert not (found.labels[stomach] > 0).any()


def test_a_dense_lesion_within_a_lung_belongs_to_it():
    chest = draw_chest()
    lesion = chest.lesion((80, 10, 10), 25)
    lungs = find_lungs(chest.hu, chest.affine)
    assert (lungs.labels[lesion] == 1).mean() > 0.97


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_lung_that_is_missing_is_told(side):
    chest = draw_chest(without=side)
    lungs = find_lungs(chest.hu, chest.affine)
    assert lungs.absent == {side}
    assert any(side in warning for warning in lungs.warnings)
    assert dice(lungs.labels > 0, chest.truth > 0) > 0.985
    assert np.unique(lungs.labels).tolist() == ([0, 2] if side == "right" else [0, 1])


def test_no_lungs_at_all_are_told():
    hu = np.full((60, 60, 30), AIR, np.int16)
    hu[10:50, 15:45] = TISSUE
    lungs = find_lungs(hu, np.diag([4, 4, 4, 1]))
    assert lungs.absent == {"right", "left"}
    assert not lungs.labels.any()
    assert not lungs.airways.any()
    assert lungs.carina is None


@pytest.mark.parametrize(
    "axes", ["PSR", *(pytest.param(axes, marks=pytest.mark.slow) for axes in ("LPS", "LAS", "RPI", "SAL"))]
)
def test_the_array_may_lie_in_any_way(chest, found, axes):
    turned = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(chest.affine), nibabel.orientations.axcodes2ornt(axes)
    )
    image = nibabel.Nifti1Image(chest.hu, chest.affine).as_reoriented(turned)
    lungs = find_lungs(np.asarray(image.dataobj), image.affine)
    np.testing.assert_array_equal(lungs.labels, nibabel.orientations.apply_orientation(found.labels, turned))
    np.testing.assert_allclose(lungs.carina, found.carina, atol=1e-6)


def test_a_patient_on_the_belly_has_the_same_sides(chest, found):
    # turned by half a turn about the long axis in the scanner: back up in the array, and the affine says so
    prone, affine = chest.hu[::-1, ::-1], chest.affine.copy()
    affine[:3, 3] += affine[:3, :2] @ (np.array(chest.hu.shape[:2]) - 1)
    affine[:3, :2] *= -1
    lungs = find_lungs(prone, affine)
    np.testing.assert_array_equal(lungs.labels, found.labels[::-1, ::-1])


@pytest.mark.parametrize(
    ("part", "edges"),
    [
        (np.s_[:, :, 30:], {"bottom"}),
        (np.s_[:, :, :60], {"top"}),
        (np.s_[28:], {"left"}),
        (np.s_[:, 30:], {"back"}),
    ],
)
def test_edges_of_the_field_that_cut_lungs_are_told(chest, part, edges):
    affine = chest.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [at.start or 0 for at in (*np.atleast_1d(part), *[slice(None)] * 3)[:3]]
    lungs = find_lungs(chest.hu[part], affine)
    assert lungs.cut == edges
    assert dice(lungs.labels > 0, chest.truth[part] > 0) > 0.97


def test_half_a_chest_has_one_lung(chest):
    half = np.s_[64:]
    affine = chest.affine.copy()
    affine[0, 3] += 64 * 3
    lungs = find_lungs(chest.hu[half], affine)
    assert lungs.absent == {"left"}
    assert dice(lungs.labels == 1, chest.truth[half] == 1) > 0.97


def test_padding_and_integers_change_nothing(chest, found):
    padded = np.round(chest.hu).astype(np.int16)
    corner = np.hypot(*np.meshgrid(*(np.arange(n) - n / 2 for n in padded.shape[:2]), indexing="ij")) > 70
    padded[corner] = -3024
    lungs = find_lungs(padded, chest.affine)
    assert dice(lungs.labels > 0, found.labels > 0) > 0.999


@pytest.mark.slow
def test_finer_voxels_give_the_same_lungs(chest, found):
    fine = chest.hu.repeat(3, axis=0).repeat(3, axis=1)
    affine = chest.affine.copy()
    affine[:3, 3] -= affine[:3, :2] @ [1 / 3, 1 / 3]
    affine[:3, :2] /= 3
    lungs = find_lungs(fine, affine)
    truth = found.labels.repeat(3, axis=0).repeat(3, axis=1)
    assert dice(lungs.labels == 1, truth == 1) > 0.98
    np.testing.assert_allclose(lungs.carina, found.carina, atol=6)


@pytest.mark.parametrize(
    ("hu", "affine", "reason"),
    [
        (np.zeros((4, 4)), np.eye(4), "shape"),
        (np.full((40, 40, 40), np.nan, np.float32), np.eye(4), "finite"),
        (np.zeros((4, 4, 4)), np.zeros((4, 4)), "invertible"),
        (np.full((4, 4, 4), "x"), np.eye(4), "numbers"),
    ],
)
def test_what_is_no_ct_is_refused(hu, affine, reason):
    with pytest.raises(InputError, match=reason):
        find_lungs(hu, affine)
