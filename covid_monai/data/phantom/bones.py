"""Ribs, spine, breastbone, shoulder blades and collarbones."""

import numpy as np

from covid_monai.data.phantom.anatomy import Surfaces, chest_axes, chest_centre, midline, vertebra_centre
from covid_monai.data.phantom.fields import Array, Grid
from covid_monai.data.phantom.patient import Patient
from covid_monai.data.phantom.shapes import coverage, ellipse, rod, smooth_step

CORTEX, MARROW, CARTILAGE = 620.0, 170.0, 110.0
RIB_DEPTH, RIB_HEIGHT = 3.8, 6.2
"""Half-thickness of a rib across and along the chest wall, mm."""
VERTEBRA_HEIGHT = 23.0


def add_bones(image: Array, patient: Patient, grid: Grid, borders: Surfaces) -> None:
    """Draw the skeleton into ``image`` (HU), in place."""
    _add_ribs(image, patient, grid, borders.chest)
    _add_spine(image, patient, grid)
    _add_sternum(image, patient, grid)
    _add_shoulder_blades(image, patient, grid)
    _add_collarbones(image, patient, grid)


def _lay(image: Array, distance: Array, softness: float, cortex: float, filling: float | Array) -> None:
    """A bone with a cortex ``cortex`` mm thick around its filling."""
    shell = smooth_step(distance, -cortex - 0.5 * softness, -cortex + 0.5 * softness)
    inner = filling + (CORTEX - filling) * shell
    image += coverage(distance, softness) * (inner - image)


def _add_ribs(image: Array, patient: Patient, grid: Grid, chest: Array) -> None:
    x = grid.x
    angle = np.arctan2(np.abs(x), grid.y - 10) / np.float32(np.pi)
    offset = np.where(x < 0, patient.rib_offset[0], patient.rib_offset[1]).astype(np.float32)
    # ribs fall from the spine to the front; the cartilage of the lower ones climbs back to the breastbone
    fall = np.float32(patient.rib_drop) * (angle**1.15 - 2.2 * np.maximum(angle - 0.8, 0))
    height = grid.z + fall - offset - np.float32(0.99 * patient.height - 4 * patient.rib_spacing)
    number = height / np.float32(patient.rib_spacing)
    along = (number - np.clip(np.round(number), -20, 4)) * np.float32(patient.rib_spacing)
    across = chest - np.float32(5.5)
    level = np.sqrt((across / RIB_DEPTH) ** 2 + (along / RIB_HEIGHT) ** 2)
    distance = (level - 1) * np.float32(RIB_DEPTH)
    distance = distance + np.float32(40) * smooth_step(np.abs(angle - 0.48), 0.36, 0.43)
    pixel = max(1.2, grid.spacing[0])
    bony = smooth_step(angle, 0.82, 0.75)
    cover = coverage(distance, pixel)
    shell = smooth_step(level, 0.5, 0.78)
    density = CARTILAGE + bony * (MARROW + (CORTEX - MARROW) * shell - CARTILAGE)
    image += cover * (density - image)


def _add_spine(image: Array, patient: Patient, grid: Grid) -> None:
    x = grid.x - midline(patient, grid.z)
    middle = vertebra_centre(patient, grid.z)
    y = grid.y - middle
    nearby = np.flatnonzero(np.abs(grid.x.ravel()) < 55)
    columns = slice(nearby[0], nearby[-1] + 1)
    x = x[columns]
    image = image[columns]
    pixel = max(1.2, grid.spacing[0])
    phase = np.abs((grid.z / VERTEBRA_HEIGHT) % 1 - 0.5)
    disc = smooth_step(phase, 0.38, 0.46)
    body = ellipse(x, np.where(y > 0, y * 1.25, y), np.float32(17.5), np.float32(15.5))
    image += coverage(body, pixel) * (np.float32(85) - image) * disc
    bone = image.copy()
    _lay(bone, body, pixel, 1.6, 190.0 + 120 * smooth_step(phase, 0.28, 0.38))
    ring = np.abs(ellipse(x, y - 22, np.float32(12), np.float32(11))) - np.float32(2.6)
    arch = smooth_step(phase, 0.42, 0.3)
    _lay(bone, ring + (1 - arch) * 3, pixel, 1.2, 300.0)
    wings = rod(np.abs(x), y, (10, 20), (34, 33)) - np.float32(4.5) + (1 - arch) * 14
    _lay(bone, wings, pixel, 1.3, 220.0)
    thorn = rod(x, y, (0, 33), (0, 54)) - np.float32(3.2) + smooth_step(phase, 0.3, 0.5) * 8
    _lay(bone, thorn, pixel, 1.2, 260.0)
    image += (bone - image) * (1 - disc)
    canal = coverage(ellipse(x, y - 22, np.float32(9), np.float32(8)), pixel)
    image += canal * (np.float32(28) - image)


def _add_sternum(image: Array, patient: Patient, grid: Grid) -> None:
    level = grid.z / patient.height
    front = chest_centre(patient, grid.z) - chest_axes(patient, grid.z)[1]
    half_width = np.interp(level, (0.2, 0.32, 0.6, 0.78, 0.92), (6, 16, 14, 24, 27)).astype(np.float32)
    rows = np.flatnonzero(grid.y.ravel() < 0)
    distance = ellipse(grid.x - midline(patient, grid.z), grid.y[:, rows] - front + 6, half_width, np.float32(5.5))
    distance = distance + np.float32(20) * (smooth_step(level, 0.3, 0.24) + smooth_step(level, 0.9, 0.95))
    _lay(image[:, : rows.size], distance, max(1.2, grid.spacing[0]), 1.2, 130.0)


def _add_shoulder_blades(image: Array, patient: Patient, grid: Grid) -> None:
    level = grid.z / np.float32(patient.height)
    pixel = max(1.2, grid.spacing[0])
    width, depth = np.float32(patient.chest_half_width), np.float32(patient.chest_half_depth)
    # the blade widens upwards and turns outwards
    share = np.clip((level - 0.5) / 0.45, 0, 1)
    inner = (width * (0.84 - 0.22 * share), depth * (0.84 + 0.3 * share))
    outer = (width * (0.9 + 0.2 * share), depth * (0.74 - 0.36 * share))
    shown = smooth_step(level, 0.49, 0.53)
    bend = np.float32(5) * np.sin(grid.x / np.float32(13))
    blade = rod(np.abs(grid.x), grid.y + bend, inner, outer) - np.float32(2.8) + (1 - shown) * 12
    _lay(image, blade, pixel, 1.2, 240.0)
    # the ridge on the blade's back, and its thick outer border that ends in the joint
    ridge = rod(np.abs(grid.x), grid.y, (width * 0.84, depth * 0.82), (width * 1.02, depth * 1.0))
    ridge = ridge - np.float32(3) + (1 - smooth_step(level, 0.84, 0.88)) * 14
    _lay(image, ridge, pixel, 1.2, 240.0)
    border = np.hypot(np.abs(grid.x) - outer[0], grid.y - outer[1]) - (3.5 + 5 * share) + (1 - shown) * 14
    _lay(image, border.astype(np.float32), pixel, 1.3, 210.0)


def _add_collarbones(image: Array, patient: Patient, grid: Grid) -> None:
    front = chest_centre(patient, grid.z) - chest_axes(patient, grid.z)[1]
    width = np.float32(patient.chest_half_width)
    rows = np.flatnonzero(grid.y.ravel() < 30)
    # a rod that climbs outwards: each slice meets it at one place
    along = grid.z - np.float32(0.9 * patient.height)
    middle_x = np.float32(24) + along * np.float32(2.6)
    middle_y = front - 6 + along * np.float32(0.5)
    distance = ellipse(np.abs(grid.x) - middle_x, grid.y[:, rows] - middle_y, np.float32(14), np.float32(5.5))
    outside = (middle_x < 16) | (middle_x > width * 0.95)
    _lay(
        image[:, : rows.size],
        distance + np.where(outside, np.float32(40), np.float32(0)),
        max(1.2, grid.spacing[0]),
        1.6,
        220.0,
    )
