"""From densities to what a scanner reconstructs: blur, noise and the range of HU."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from covid_monai.data.phantom.fields import Array, Grid
from covid_monai.data.phantom.patient import Patient
from covid_monai.data.phantom.shapes import smooth_step

LOWEST, HIGHEST = -1024, 3071
BLUR = 0.8
"""Standard deviation of the point spread in the axial plane, mm."""


def scan(density: Array, patient: Patient, grid: Grid, outline: Array, rng: np.random.Generator) -> NDArray[np.int16]:
    """Blur ``density`` (HU) in the axial plane; add correlated noise, and streaks between the shoulders.

    ``outline`` is the signed distance from the skin in mm: noise grows with the depth of tissue.
    """
    image = density
    sigma = BLUR / grid.spacing[0]
    for axis in (0, 1):
        image = gaussian_filter1d(image, sigma, axis, mode="nearest", truncate=3)
    strength = rng.uniform(16, 30)
    noise = _grain(grid.shape, rng, (0.75, 0.75), strength)
    noise *= np.float32(0.4) + smooth_step(-outline, -20, 90)
    image = image + noise
    streaks = smooth_step(grid.z / np.float32(patient.height), 0.75, 1.0)
    high = np.flatnonzero(streaks.ravel())
    if high.size:
        part = slice(high[0], None)
        lines = _grain((*grid.shape[:2], high.size), rng, (9 * grid.shape[0] / 256, 0.6), 15)
        image[:, :, part] += streaks[:, :, part] * lines * (outline[:, :, part] < 0)
    return np.clip(np.rint(image), LOWEST, HIGHEST).astype(np.int16)


def _grain(
    shape: tuple[int, int, int], rng: np.random.Generator, sigmas: tuple[float, float], strength: float
) -> Array:
    """Noise of standard deviation ``strength``, correlated over ``sigmas`` pixels along x and y."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    for axis, sigma in enumerate(sigmas):
        noise = gaussian_filter1d(noise, sigma, axis, mode="wrap", truncate=3)
    return noise * np.float32(strength / noise.std())
