"""Random fields."""

import numpy as np

from covid_monai.data.phantom.fields import random_field, sampling_grid


def test_field_on_a_grid_equals_the_field_at_its_points() -> None:
    field = random_field(np.random.default_rng(0), 20, -40, 300)
    grid = sampling_grid(360, 24, 0, 260, 5)
    x, y, z = (np.ascontiguousarray(axis.ravel()) for axis in np.broadcast_arrays(grid.x, grid.y, grid.z))
    np.testing.assert_allclose(field.on(grid).ravel(), field.at(x, y, z), atol=1e-4)


def test_field_has_zero_mean_and_unit_spread() -> None:
    values = random_field(np.random.default_rng(1), 12, -40, 300).on(sampling_grid(400, 64, 0, 260, 16))
    assert abs(values.mean()) < 0.1
    assert 0.8 < values.std() < 1.2
