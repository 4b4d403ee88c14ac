"""Signed distances in mm (negative inside) of the simple shapes that anatomy is built from.

All functions take coordinates that broadcast. Distances of ellipses are first-order: exact on the surface,
good near it, which is where they decide a voxel's partial volume.
"""

import numpy as np

from covid_monai.data.phantom.fields import Array, Measure


def ellipse(x: Array, y: Array, half_width: Measure, half_depth: Measure) -> Array:
    """Ellipse about the origin; the half-axes may vary with z."""
    u, v = x / half_width, y / half_depth
    level = np.sqrt(u * u + v * v) + np.float32(1e-6)
    slope = np.sqrt((u / half_width) ** 2 + (v / half_depth) ** 2) + np.float32(1e-6)
    return level * (level - 1) / slope


def ellipsoid(x: Array, y: Array, z: Array, half_axes: tuple[float, float, float]) -> Array:
    """Ellipsoid about the origin with its axes along x, y and z."""
    u, v, w = (axis / np.float32(half) for axis, half in zip((x, y, z), half_axes, strict=True))
    level = np.sqrt(u * u + v * v + w * w) + np.float32(1e-6)
    a, b, c = (np.float32(half) for half in half_axes)
    slope = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2) + np.float32(1e-6)
    return level * (level - 1) / slope


def superellipse(x: Array, y: Array, half_width: Measure, half_depth: Measure, power: float) -> Array:
    """Rounded rectangle about the origin: 2 is an ellipse, larger powers are squarer."""
    u, v = np.abs(x / half_width) + np.float32(1e-6), np.abs(y / half_depth) + np.float32(1e-6)
    level = (u**power + v**power) ** np.float32(1 / power)
    slope = np.sqrt((u ** (power - 1) / half_width) ** 2 + (v ** (power - 1) / half_depth) ** 2)
    return (level - 1) * level ** np.float32(power - 1) / slope


def rod(x: Array, y: Array, start: tuple[Measure, Measure], end: tuple[Measure, Measure]) -> Array:
    """Distance to a line segment in the axial plane; its ends may vary with z."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    from_x, from_y = x - start[0], y - start[1]
    share = np.clip((from_x * along_x + from_y * along_y) / (along_x**2 + along_y**2), 0, 1)
    return np.hypot(from_x - share * along_x, from_y - share * along_y)


def turned(x: Array, y: Array, degrees: float) -> tuple[Array, Array]:
    """Coordinates in a frame turned in the axial plane, from the patient's left towards the back."""
    cosine, sine = np.float32(np.cos(np.deg2rad(degrees))), np.float32(np.sin(np.deg2rad(degrees)))
    return cosine * x + sine * y, cosine * y - sine * x


def union(first: Array, second: Array, blend: float) -> Array:
    """Both shapes together, their seam filled over ``blend`` mm."""
    overlap = np.maximum(np.float32(blend) - np.abs(first - second), 0)
    return np.minimum(first, second) - overlap * overlap / np.float32(4 * blend)


def intersection(first: Array, second: Array, blend: float) -> Array:
    """What both shapes share, its edge rounded over ``blend`` mm."""
    return -union(-first, -second, blend)


def coverage(distance: Array, softness: Measure) -> Array:
    """Share of a voxel that lies inside: 1 deep inside, 0 outside, a ramp ``softness`` mm wide between."""
    return np.clip(np.float32(0.5) - distance / softness, 0, 1)


def smooth_step(value: Array, start: float, end: float) -> Array:
    """0 up to ``start``, 1 from ``end``, a smooth rise between (or a fall, when ``end`` < ``start``)."""
    share = np.clip((value - np.float32(start)) / np.float32(end - start), 0, 1)
    return share * share * (3 - 2 * share)
