import numpy as np
import pytest

from covid_monai.scoring import volumes
from covid_monai.scoring.volumes import Stack, stack, stacked_slice

from .masks import label_map

SPACING = (0.7, 0.8, 5.0)


def slices_of(volume, indices, positions=None, spacing=SPACING):
    positions = positions or [None] * len(indices)
    return [
        stacked_slice(index, volume[:, :, k], volume[:, :, k] // 2, spacing, position)
        for k, (index, position) in enumerate(zip(indices, positions, strict=True))
    ]


def test_slices_in_any_order_make_the_volume():
    volume = label_map((9, 7, 4), 0, 4)
    stacked = stack(slices_of(volume[:, :, [2, 0, 3, 1]], [12, 10, 13, 11]))
    assert isinstance(stacked, Stack)
    assert (stacked.prediction == volume).all()
    assert (stacked.reference == volume // 2).all()
    assert stacked.spacing == SPACING


@pytest.mark.parametrize("positions", [[-4.0, -1.5, 1.0], [1.0, -1.5, -4.0]])
def test_positions_give_the_slice_spacing(positions):
    stacked = stack(slices_of(label_map((4, 4, 3), 0, 2), [0, 1, 2], positions))
    assert isinstance(stacked, Stack)
    assert stacked.spacing == pytest.approx((0.7, 0.8, 2.5))


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        (slices_of(label_map((4, 4, 2), 0, 2), [0, 1], spacing=None), volumes.SPACING_UNKNOWN),
        (slices_of(label_map((4, 4, 1), 0, 2), [3]), volumes.ONE_SLICE),
        (slices_of(label_map((4, 4, 2), 0, 2), [-1, -1]), volumes.NO_INDEX),
        (slices_of(label_map((4, 4, 2), 0, 2), [3, 5]), volumes.NOT_CONSECUTIVE),
        (slices_of(label_map((4, 4, 3), 0, 2), [0, 1, 2], [0.0, 1.0, 3.0]), volumes.UNEVEN),
        (slices_of(label_map((4, 4, 3), 0, 2), [0, 1, 2], [0.0, 1.0, 0.0]), volumes.UNEVEN),
        (slices_of(label_map((4, 4, 2), 0, 2), [0, 1], [1.0, 1.0]), volumes.UNEVEN),
        (
            slices_of(label_map((4, 4, 1), 0, 2), [0]) + slices_of(label_map((4, 5, 1), 0, 2), [1]),
            volumes.DIFFERENT_GRIDS,
        ),
        (
            slices_of(label_map((4, 4, 1), 0, 2), [0])
            + slices_of(label_map((4, 4, 1), 0, 2), [1], spacing=(0.9, 0.8, 5.0)),
            volumes.DIFFERENT_GRIDS,
        ),
    ],
)
def test_slices_that_are_no_volume_say_why(slices, reason):
    assert stack(slices) == reason


def test_waiting_slices_take_little_memory():
    mask = np.zeros((512, 512), dtype=np.uint8)
    mask[100:250, 200:300] = 1
    kept = stacked_slice(0, mask, mask, SPACING, None)
    assert len(kept.prediction) + len(kept.reference) < mask.size / 50
