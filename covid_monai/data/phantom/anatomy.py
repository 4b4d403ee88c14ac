"""Where the lungs end: chest wall, mediastinum and diaphragm as distances in mm.

Each function takes coordinates that broadcast: it serves the voxels of a scan and scattered points alike.
"""

from dataclasses import dataclass

import numpy as np

from covid_monai.data.phantom.fields import Array, Grid, Measure
from covid_monai.data.phantom.patient import Patient
from covid_monai.data.phantom.shapes import (
    ellipse,
    ellipsoid,
    intersection,
    smooth_step,
    superellipse,
    turned,
    union,
)

# levels are shares of the lungs' height; widths and depths are shares of the chest's largest
LEVELS = (-0.2, 0.0, 0.15, 0.3, 0.45, 0.6, 0.72, 0.82, 0.9, 0.96, 1.02, 1.3)
WIDTHS = (0.94, 0.97, 1.0, 1.0, 0.98, 0.92, 0.83, 0.72, 0.61, 0.53, 0.46, 0.4)
DEPTHS = (1.0, 1.0, 1.0, 1.0, 0.97, 0.9, 0.81, 0.71, 0.62, 0.55, 0.5, 0.46)
# the sternum leans back towards the neck, and so does the spine's thoracic curve
SHIFTS = (0.0, 0.0, 0.0, 0.0, 2.0, 5.0, 8.0, 10.0, 10.0, 9.0, 8.0, 5.0)


@dataclass(frozen=True)
class Surfaces:
    """Signed distances in mm on a grid, negative inside."""

    chest: Array
    mediastinum: Array
    diaphragm: Array
    """Height above the diaphragm's surface: negative in the abdomen."""
    lungs: Array


def surfaces(patient: Patient, grid: Grid) -> Surfaces:
    """All surfaces that bound the lungs, on a grid."""
    return _surfaces(patient, grid.x, grid.y, grid.z, patient.wobble.on(grid))


def surfaces_at(patient: Patient, x: Array, y: Array, z: Array) -> Surfaces:
    """The same surfaces at scattered points (three arrays of one shape)."""
    return _surfaces(patient, x, y, z, patient.wobble.at(x, y, z))


def midline(patient: Patient, z: Measure) -> Array:
    """x of the patient's midline, which the spine's sideways curve bends."""
    return np.asarray(patient.scoliosis * np.sin(z * np.float32(np.pi / patient.height)), np.float32)


def chest_centre(patient: Patient, z: Array) -> Array:
    """y of the chest's middle."""
    return _by_level(patient, z, SHIFTS)


def vertebra_centre(patient: Patient, z: Array) -> Array:
    """y of the middle of the vertebral bodies."""
    return chest_centre(patient, z) * 1.2 + np.float32(0.62 * patient.chest_half_depth)


def chest_axes(patient: Patient, z: Array) -> tuple[Array, Array]:
    """Half-width and half-depth of the chest's inside."""
    return (
        _by_level(patient, z, WIDTHS) * np.float32(patient.chest_half_width),
        _by_level(patient, z, DEPTHS) * np.float32(patient.chest_half_depth),
    )


def _by_level(patient: Patient, z: Array, values: tuple[float, ...]) -> Array:
    return np.interp(z / patient.height, LEVELS, values).astype(np.float32)


def _surfaces(patient: Patient, x: Array, y: Array, z: Array, wobble: Array) -> Surfaces:
    x = x - midline(patient, z)
    half_width, half_depth = chest_axes(patient, z)
    chest = superellipse(x, y - chest_centre(patient, z), half_width, half_depth, patient.squareness)
    chest = chest + np.float32(1.6) * wobble
    mediastinum = _mediastinum(patient, x, y, z) + np.float32(2.0) * wobble
    diaphragm = z - _dome(patient, x, y) + np.float32(2.5) * wobble
    lungs = intersection(chest, -mediastinum, 9)
    lungs = intersection(lungs, _apices(patient, x, y, z), 12)
    return Surfaces(chest, mediastinum, diaphragm, intersection(lungs, -diaphragm, 7))


def _apices(patient: Patient, x: Array, y: Array, z: Array) -> Array:
    """The two domes under the first ribs; open below."""
    high = np.maximum(z - np.float32(0.55 * patient.height), 0)
    radii = (0.72 * patient.chest_half_width, 1.25 * patient.chest_half_depth, 0.45 * patient.height)
    middle = np.float32(0.42 * patient.chest_half_width)
    cap = ellipsoid(np.abs(x) - middle, y - np.float32(12), high, radii)
    return np.where(high > 0, cap, np.minimum(cap, -4))


def _dome(patient: Patient, x: Array, y: Array) -> Array:
    """Height of the diaphragm: a dome on either side, falling to the costophrenic angles at z = 0."""
    width, depth = patient.chest_half_width, patient.chest_half_depth
    heights = []
    for side, share in zip((-1, 1), patient.domes, strict=True):
        across = (x - np.float32(side * 0.44 * width)) / np.float32(0.58 * width)
        along = (y + np.float32(0.26 * depth)) / np.float32(1.08 * depth)
        top = np.float32(share * patient.height)
        fall = np.minimum(across * across + along * along, 3)
        heights.append(top * (1 - fall ** np.float32(1.15) * np.float32(0.78)))
    tendon = np.float32(0.17 * patient.height) - np.abs(x) * np.float32(0.6)
    return -union(union(-heights[0], -heights[1], 30), -tendon, 30)


def heart(patient: Patient, x: Array, y: Array, z: Array) -> Array:
    """The heart with its fat: a long axis to the left, front and below."""
    size = patient.heart
    from_x = x - np.float32(17 * size)
    from_y = y - np.float32(-0.3 * patient.chest_half_depth)
    from_z = z - np.float32(0.31 * patient.height)
    from_x = from_x + from_z * np.float32(0.28)
    long_axis, short_axis = turned(from_x, from_y, -patient.heart_turn)
    return ellipsoid(long_axis, short_axis, from_z, (66 * size, 47 * size, 0.2 * patient.height))


def _mediastinum(patient: Patient, x: Array, y: Array, z: Array) -> Array:
    height, depth = np.float32(patient.height), np.float32(patient.chest_half_depth)
    spine_y = vertebra_centre(patient, z)
    parts = union(
        ellipse(x, y - spine_y - 8, np.float32(23), np.float32(30)),
        ellipse(
            x - np.float32(patient.aorta + 12),
            y - spine_y + 17,
            np.float32(patient.aorta + 3),
            np.float32(16),
        )
        + np.maximum(z - 0.68 * height, 0),
        8,
    )
    level = z / height
    half_width = np.interp(level, (0.0, 0.4, 0.5, 0.62, 0.8, 1.0), (20, 22, 32, 33, 31, 34)).astype(np.float32)
    half_depth = np.interp(level, (0.0, 0.4, 0.6, 0.85, 1.0), (40, 44, 47, 40, 36)).astype(np.float32)
    centre = np.interp(level, (0.0, 0.6, 1.0), (6, -4, 8)).astype(np.float32)
    parts = union(parts, ellipse(x, y - centre, half_width, half_depth), 12)
    # the lungs nearly meet behind the sternum; fat keeps them apart, more of it above
    front = chest_centre(patient, z) - np.float32(0.8) * depth
    junction = np.interp(level, (0.0, 0.3, 0.55, 0.75, 1.0), (24, 13, 6, 13, 26)).astype(np.float32)
    parts = union(parts, ellipse(x - 4, y - front, junction, np.float32(0.42) * depth), 10)
    parts = union(parts, heart(patient, x, y, z), 7)
    arch_x, arch_y = turned(x - 12, y - 8, 62)
    parts = union(parts, ellipsoid(arch_x, arch_y, z - np.float32(0.69) * height, (48, 21, 0.065 * patient.height)), 8)
    cava = ellipsoid(x + 25, y + 16, z - np.float32(0.53) * height, (16, 19, 0.19 * patient.height))
    hila = ellipsoid(np.abs(x) - 37, y - 3, z - np.float32(0.49) * height, (17, 16, 0.085 * patient.height))
    return union(parts, union(cava, hila, 8), 8)


def dependence(patient: Patient, y: Array, z: Array) -> Array:
    """How far back a point lies in the chest: 0 at the front of the lungs, 1 at the back."""
    return smooth_step(y - chest_centre(patient, z), -0.9 * patient.chest_half_depth, patient.chest_half_depth)
