"""Vessel trees."""

import numpy as np

from covid_monai.data.phantom.branching import Tubes, grow_tree, paint_tubes
from covid_monai.data.phantom.fields import sampling_grid


def test_radii_follow_murrays_law_up_to_the_root() -> None:
    tips = np.random.default_rng(0).uniform(20, 60, (40, 3)).astype(np.float32)
    tree = grow_tree(np.zeros(3, np.float32), tips, 0.5, power=3.0)
    assert len(tree.radius) == 40
    at_root = np.all(tree.start == 0, axis=1)
    # every point carries one tip's share, so the root carries forty
    np.testing.assert_allclose((tree.radius[at_root] ** 3).sum(), 40 * 0.5**3, rtol=1e-4)
    assert tree.radius.min() >= 0.499


def test_painted_tube_covers_its_cross_section() -> None:
    grid = sampling_grid(100, 100, 0, 20, 5)
    tube = Tubes(np.float32([[3, 2, -50]]), np.float32([[3, 2, 50]]), np.float32([6]))
    area = paint_tubes(grid, tube).sum(axis=(0, 1))
    np.testing.assert_allclose(area, np.pi * 36, rtol=0.03)


def test_tubes_outside_the_scan_leave_no_trace() -> None:
    grid = sampling_grid(100, 50, 0, 20, 5)
    tube = Tubes(np.float32([[300, 0, 5]]), np.float32([[320, 0, 5]]), np.float32([6]))
    assert not paint_tubes(grid, tube).any()
