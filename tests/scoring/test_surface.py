import numpy as np
import pytest
import surface_distance
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from covid_monai.scoring.surface import hausdorff95, surface_dice

from .masks import blobs

GRIDS = [((40, 33), (0.7, 1.3)), ((24, 30, 9), (0.8, 0.6, 2.5)), ((24, 30, 1), (0.8, 0.6, 5.0))]


@pytest.mark.parametrize(("shape", "spacing"), GRIDS)
@pytest.mark.parametrize("seed", range(3))
def test_hd95_agrees_with_monai(shape, spacing, seed):
    prediction, reference = blobs(shape, seed), blobs(shape, seed + 50, share=0.1)
    one_hot = [torch.from_numpy(mask)[None, None] for mask in (prediction, reference)]
    expected = compute_hausdorff_distance(*one_hot, include_background=True, percentile=95, spacing=spacing)
    assert hausdorff95(prediction, reference, spacing) == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(("shape", "spacing"), GRIDS)
@pytest.mark.parametrize("tolerance", [0.5, 1.0, 2.0, 3.7])
def test_surface_dice_agrees_with_surface_distance(shape, spacing, tolerance):
    prediction, reference = blobs(shape, 3), blobs(shape, 4, share=0.1)
    distances = surface_distance.compute_surface_distances(reference, prediction, spacing)
    expected = surface_distance.compute_surface_dice_at_tolerance(distances, tolerance)
    assert surface_dice(prediction, reference, spacing, tolerance) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("shape", "spacing"), GRIDS)
def test_surface_dice_agrees_with_monai_at_subvoxel_surfaces(shape, spacing):
    prediction, reference = blobs(shape, 5), blobs(shape, 6, share=0.2)
    one_hot = [torch.from_numpy(mask)[None, None] for mask in (prediction, reference)]
    expected = compute_surface_dice(
        *one_hot, class_thresholds=[1.5], include_background=True, spacing=spacing, use_subvoxels=True
    )
    assert surface_dice(prediction, reference, spacing, 1.5) == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shifted_box_is_as_far_as_its_shift_by_every_definition(axis):
    spacing = (0.5, 0.8, 3.0)
    reference = np.zeros((30, 30, 12), dtype=bool)
    reference[5:15, 5:15, 3:7] = True
    prediction = np.roll(reference, 3, axis=axis)
    distances = surface_distance.compute_surface_distances(reference, prediction, spacing)
    ours = hausdorff95(prediction, reference, spacing)
    assert ours == pytest.approx(3 * spacing[axis])
    assert ours == pytest.approx(surface_distance.compute_robust_hausdorff(distances, 95))


def test_hd95_is_the_larger_direction():
    reference = np.zeros((40, 40), dtype=bool)
    reference[2:6, 2:6] = True
    prediction = reference.copy()
    prediction[30:34, 30:34] = True
    assert hausdorff95(reference, prediction, (1, 1)) == hausdorff95(prediction, reference, (1, 1)) > 30


def test_masks_at_the_border_of_the_image_have_a_surface_there():
    full = np.ones((6, 6), dtype=bool)
    assert hausdorff95(full, full, (1, 1)) == 0
    assert surface_dice(full, full, (1, 1), 0.0) == 1
    half = full.copy()
    half[3:] = False
    assert hausdorff95(half, full, (2, 1)) == pytest.approx(6.0)


def test_surface_dice_counts_a_distance_equal_to_the_tolerance():
    reference = np.zeros((20, 20), dtype=bool)
    reference[5:10, 5:10] = True
    prediction = np.roll(reference, 1, axis=0)
    for spacing in (0.1, 0.3, 0.7, 1.1):
        assert surface_dice(prediction, reference, (spacing, spacing), spacing) == 1


def test_empty_masks_have_no_hd95_and_the_rules_surface_dice():
    empty, some = np.zeros((8, 8), dtype=bool), blobs((8, 8), 0)
    for masks in ((empty, empty), (empty, some), (some, empty)):
        assert np.isnan(hausdorff95(*masks, (1, 1)))
    assert surface_dice(empty, empty, (1, 1), 2.0) == 1
    assert surface_dice(empty, some, (1, 1), 2.0) == 0
    assert surface_dice(some, empty, (1, 1), 2.0) == 0
