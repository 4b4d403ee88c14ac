"""The drawn patients: determinism, tissues, orientation, lesions."""

import numpy as np
import pytest
from scipy.ndimage import center_of_mass, label

from covid_monai.data.phantom import Phantom, draw_phantom
from covid_monai.errors import InputError

SEEDS = range(1, 9)


@pytest.fixture(scope="module")
def patients() -> list[Phantom]:
    return [draw_phantom(seed, size=128, slices=16) for seed in SEEDS]


def test_same_seed_gives_identical_arrays() -> None:
    first, second = draw_phantom(5, 64, 8), draw_phantom(5, 64, 8)
    for name in ("image", "label", "lungs", "affine"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_different_seeds_give_different_patients() -> None:
    first, second = draw_phantom(5, 64, 8), draw_phantom(6, 64, 8)
    assert (first.lungs != second.lungs).mean() > 0.01
    assert (first.label != second.label).any()


def test_another_matrix_size_shows_the_same_patient() -> None:
    coarse, fine = draw_phantom(3, 64, 8), draw_phantom(3, 128, 8)
    # each coarse voxel is centred among four fine ones
    majority = fine.lungs.reshape(64, 2, 64, 2, 8).mean(axis=(1, 3)) > 0.5
    overlap = 2 * (majority & coarse.lungs).sum() / (majority.sum() + coarse.lungs.sum())
    assert overlap > 0.97


def test_arrays_have_the_documented_types_and_shapes(patients: list[Phantom]) -> None:
    for patient in patients:
        assert patient.image.dtype == np.int16
        assert patient.label.dtype == np.uint8
        assert patient.lungs.dtype == np.bool_
        assert patient.image.shape == patient.label.shape == patient.lungs.shape == (128, 128, 16)
        assert patient.image.min() >= -1024
        assert patient.image.max() <= 3071


def test_affine_is_lps_with_a_field_of_view_of_360_to_400_mm(patients: list[Phantom]) -> None:
    for patient in patients:
        x, y, z = np.diag(patient.affine)[:3]
        assert -400 <= 128 * x <= -360
        assert x == y
        assert 200 < 16 * z < 320
        # the world's origin is in the middle of the matrix
        np.testing.assert_allclose((patient.affine @ [63.5, 63.5, 0, 1])[:2], 0, atol=1e-4)


def test_air_around_the_body_is_near_minus_1000_hu(patients: list[Phantom]) -> None:
    for patient in patients:
        assert abs(np.median(patient.image[:, :6]) + 1000) < 15


def test_lungs_fat_muscle_and_bone_have_their_hu(patients: list[Phantom]) -> None:
    for patient in patients:
        healthy = patient.image[patient.lungs & (patient.label == 0)]
        assert -900 < np.median(healthy) < -700
        outside = patient.image[~patient.lungs]
        counts, edges = np.histogram(outside, np.arange(-200, 160, 10))
        fat = edges[np.argmax(np.where(edges[:-1] < -40, counts, 0))]
        muscle = edges[np.argmax(np.where(edges[:-1] > 0, counts, 0))]
        assert -125 <= fat <= -85
        assert 30 <= muscle <= 75
        assert np.percentile(outside, 99.9) > 350


def test_lungs_hold_two_to_seven_litres(patients: list[Phantom]) -> None:
    for patient in patients:
        litres = patient.lungs.sum() * abs(np.linalg.det(patient.affine)) / 1e6
        assert 2 < litres < 7


def test_spine_is_at_the_back_and_heart_on_the_patients_left(patients: list[Phantom]) -> None:
    for patient in patients:
        body = patient.image > -300
        bone = patient.image[48:80, :, 3:13] > 250
        assert center_of_mass(bone)[1] > center_of_mass(body)[1] + 8
        # at the heart's level the left lung (high x) has less room in front
        front = patient.lungs[:, :58, 4:8]
        assert front[64:].sum() < front[:64].sum()


def test_trachea_is_an_air_column_outside_the_lungs(patients: list[Phantom]) -> None:
    for patient in patients:
        parts, count = label((patient.image[52:76, 30:90, 13] < -700) & ~patient.lungs[52:76, 30:90, 13])
        areas = np.bincount(parts.ravel())[1:] * patient.affine[0, 0] ** 2
        assert count >= 1
        assert 80 < areas.max() < 450


def test_the_cohort_shows_all_lesion_classes_and_every_patient_has_some(patients: list[Phantom]) -> None:
    assert set(np.unique([patient.label for patient in patients])) == {0, 1, 2, 3}
    loads = [(patient.label > 0).sum() / patient.lungs.sum() for patient in patients]
    assert min(loads) > 0.01
    assert max(loads) < 0.4
    assert max(loads) > 2 * min(loads)


def test_lesions_lie_within_the_pleural_cavities(patients: list[Phantom]) -> None:
    for patient in patients:
        assert not (patient.label[~patient.lungs] > 0).any()


def test_lesion_classes_have_their_hu(patients: list[Phantom]) -> None:
    for lesion, (low, high) in {1: (-700, -300), 2: (-50, 80), 3: (0, 35)}.items():
        values = np.concatenate([patient.image[patient.label == lesion] for patient in patients])
        assert low < np.median(values) < high


def test_effusion_gathers_at_the_back(patients: list[Phantom]) -> None:
    wet = [patient for patient in patients if (patient.label == 3).any()]
    assert wet
    for patient in wet:
        fluid, lungs = center_of_mass(patient.label == 3), center_of_mass(patient.lungs)
        assert fluid[1] > lungs[1] + 10
        assert fluid[2] < lungs[2]


@pytest.mark.parametrize("size", [64, 128])
def test_best_hu_threshold_inside_the_lungs_scores_under_one_half(size: int) -> None:
    edges = np.arange(-1024, 400, 20)
    everything, lesions = np.zeros(edges.size), np.zeros(edges.size)
    for seed in SEEDS:
        patient = draw_phantom(seed, size, 16)
        bins = np.digitize(patient.image[patient.lungs], edges) - 1
        everything += np.bincount(bins, minlength=edges.size)
        lesions += np.bincount(bins, weights=patient.label[patient.lungs] > 0, minlength=edges.size)
    selected, hit = np.r_[0, everything.cumsum()], np.r_[0, lesions.cumsum()]
    low, high = np.triu_indices(selected.size, 1)
    dice = 2 * (hit[high] - hit[low]) / (selected[high] - selected[low] + hit[-1])
    assert dice.max() < 0.5


@pytest.mark.parametrize("size", [48, 65])
def test_smallest_and_odd_sizes_are_drawn(size: int) -> None:
    patient = draw_phantom(1, size, 4)
    assert patient.image.shape == (size, size, 4)
    assert patient.lungs.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 47, 8), "at least 48"), ((0, 64, 3), "at least 4"), ((-1, 64, 8), "0 or more")],
)
def test_bad_sizes_and_seeds_are_refused(arguments: tuple[int, int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw_phantom(*arguments)
