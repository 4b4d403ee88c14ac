import io
import math

import numpy as np
import pytest
from PIL import Image

from covid_monai.palette import LUNG_WINDOW, SOFT_TISSUE_WINDOW
from covid_monai.study_page import volume as module
from covid_monai.study_page.volume import HU_KNOTS, LEVEL_KNOTS, shown_volume, to_levels


def back_to_hu(levels):
    return np.interp(levels.astype(float), LEVEL_KNOTS, HU_KNOTS)


def noisy(shape, seed=0):
    """Lung, soft tissue and bone with the noise of a scanner."""
    generator = np.random.default_rng(seed)
    hu = np.full(shape, -850.0)
    hu[shape[0] // 3 :] = 40
    hu[2 * shape[0] // 3 :] = 700
    return (hu + generator.normal(0, 15, shape)).astype(np.int16)


def test_levels_rise_with_hu_and_end_at_air_and_dense_bone():
    levels = to_levels(np.arange(-2000, 3000))
    assert (np.diff(levels.astype(int)) >= 0).all()
    assert (levels[0], levels[-1]) == (0, 255)


@pytest.mark.parametrize(("window", "steps"), [(LUNG_WINDOW, 7), (SOFT_TISSUE_WINDOW, 4)])
def test_a_level_of_each_window_is_as_fine_as_is_said(window, steps):
    hu = np.arange(max(window[0], -1024), window[1] + 1)
    error = np.abs(back_to_hu(to_levels(hu)) - hu)
    assert error.max() <= steps / 2 + 0.1


def test_slices_come_from_the_feet_with_rows_from_the_front():
    hu = np.full((40, 30, 3), -1000, np.int16)
    hu[30:, :5, 2] = 1000
    shown = shown_volume(hu, (1.0, 1.0, 2.0))
    assert shown.size == (40, 30, 3)
    first, last = (np.asarray(Image.open(io.BytesIO(each)).convert("L")) for each in (shown.slices[0], shown.slices[2]))
    assert first.max() < 20
    assert last[:4, 32:].min() > 200
    assert last[8:, :].max() < 40


def test_compression_loses_no_more_than_noise_and_shifts_no_tissue():
    hu = noisy((120, 120, 2))
    shown = shown_volume(hu, (1.0, 1.0, 1.0))
    found = np.stack([np.asarray(Image.open(io.BytesIO(each)).convert("L")).T for each in shown.slices], 2)
    error = back_to_hu(found) - hu
    for tissue in (error[:35], error[45:75]):
        # noise of 15 HU, and the steps of the grey scale
        assert np.sqrt((tissue**2).mean()) < 18
        # half a step of lung
        assert abs(tissue.mean()) < 3.5


def test_a_large_ct_is_averaged_over_larger_pixels_until_it_fits(monkeypatch):
    hu = noisy((200, 100, 6))
    monkeypatch.setattr(module, "LONGEST_SIDES", (200, 100, 50))
    whole = shown_volume(hu, (0.5, 0.5, 1.0))
    assert (whole.size, whole.reduced) == ((200, 100, 6), 1)
    monkeypatch.setattr(module, "MOST_BYTES", sum(map(len, whole.slices)) // 3)
    reduced = shown_volume(hu, (0.5, 0.5, 1.0))
    assert reduced.size == (100, 50, 6)
    assert reduced.reduced == 2
    assert reduced.pixel_mm == (1.0, 1.0)
    assert sum(map(len, reduced.slices)) <= module.MOST_BYTES


def test_no_more_voxels_are_shown_than_a_browser_is_to_hold(monkeypatch):
    monkeypatch.setattr(module, "MOST_VOXELS", 100 * 50 * 6)
    monkeypatch.setattr(module, "LONGEST_SIDES", (200, 150, 100, 50))
    size = shown_volume(noisy((200, 100, 6)), (1.0, 1.0, 1.0)).size
    assert math.prod(size) <= 100 * 50 * 6
    assert size == (100, 50, 6)
