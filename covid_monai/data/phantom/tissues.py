"""Everything soft: skin, fat and muscle, mediastinal organs, upper abdomen, and the lung's own density."""

import numpy as np

from covid_monai.data.phantom.airways import Branches
from covid_monai.data.phantom.anatomy import (
    Surfaces,
    chest_axes,
    chest_centre,
    dependence,
    heart,
    midline,
    vertebra_centre,
)
from covid_monai.data.phantom.fields import Array, Grid
from covid_monai.data.phantom.patient import Patient
from covid_monai.data.phantom.shapes import (
    coverage,
    ellipse,
    ellipsoid,
    smooth_step,
    superellipse,
    turned,
    union,
)

AIR, FAT, MUSCLE, BLOOD = -1000.0, -105.0, 55.0, 42.0


def trunk(patient: Patient, grid: Grid, borders: Surfaces, mottle: Array) -> Array:
    """HU of the trunk without bones and lungs, air around it."""
    pixel = grid.spacing[0]
    image = np.full(grid.shape, np.float32(FAT))
    skin = body_outline(patient, grid)
    depth = -skin
    _add_chest_wall(image, patient, grid, borders, depth, mottle)
    inside = coverage(borders.chest, 2.0)
    organs = _organs(patient, grid, borders, mottle)
    image += inside * (organs - image)
    image += smooth_step(depth, 3.0, 1.6) * (np.float32(20) - image)
    image += coverage(depth, pixel) * (np.float32(AIR) - image)
    if patient.table:
        _add_table(image, patient, grid)
    return image


def body_outline(patient: Patient, grid: Grid) -> Array:
    """Signed distance from the skin in mm, negative in the body."""
    level = grid.z / np.float32(patient.height)
    half_width, half_depth = chest_axes(patient, np.minimum(grid.z, np.float32(0.4 * patient.height)))
    wall = patient.fat + patient.muscle
    shoulder = smooth_step(level, 0.45, 0.95)
    half_width = half_width + wall + 15 + 4 * shoulder
    half_depth = half_depth * (1 - 0.12 * shoulder) + 0.55 * wall + 24
    centre = chest_centre(patient, grid.z) * np.float32(0.4) + 8
    x = grid.x - midline(patient, grid.z) * np.float32(0.3)
    distance = superellipse(x, grid.y - centre, half_width, half_depth, 2.35)
    # the furrow over the spine, and the shallow one over the breastbone
    distance = distance + 5 * np.exp(-((x / 16) ** 2)) * (grid.y > 0)
    distance = distance + 4 * np.exp(-((x / 22) ** 2)) * (grid.y < 0)
    if patient.breast:
        size = (62.0, 2.2 * patient.breast, 0.26 * patient.height)
        front = centre - half_depth + 0.9 * patient.breast
        lobes = ellipsoid(np.abs(x) - 82, grid.y - front, grid.z - np.float32(0.4 * patient.height), size)
        distance = union(distance, lobes, 18)
    return distance


def _add_chest_wall(image: Array, patient: Patient, grid: Grid, borders: Surfaces, depth: Array, mottle: Array) -> None:
    """Two layers of muscle on the ribs, parted by fat; thick beside the spine and around the shoulders."""
    level = grid.z / np.float32(patient.height)
    back = smooth_step(grid.y, 40, 95)
    front = smooth_step(grid.y, -40, -80)
    fat = np.float32(patient.fat) * (1 + 0.1 * mottle - 0.35 * back + 0.2 * front)
    muscle = np.float32(MUSCLE) + 7 * mottle
    outer = coverage(fat - depth, 2.0)
    if patient.breast:
        # the breast is fat with strands of gland; muscle stays on the ribs
        on_ribs = coverage(borders.chest - np.float32(13 + patient.muscle), 3.0)
        gland = 0.75 * smooth_step(mottle, 0.3, 1.2) * smooth_step(depth, 5, 14)
        outer = outer * np.where(front > 0, on_ribs + (1 - on_ribs) * gland, 1)
    image += outer * (muscle - image)
    chest = borders.chest
    gap = np.float32(10.5) + 3.0 * mottle + 6 * smooth_step(level, 0.5, 0.9)
    lamella = np.exp(-(((chest - gap) / 1.5) ** 2)) + np.exp(-(((chest - gap * 2.1 - 4) / 1.3) ** 2))
    image += 0.85 * np.minimum(lamella, 1) * outer * (np.float32(FAT) - image)
    # fat of the armpits, with a few vessels and nodes
    size = (17.0, 40.0, 0.19 * patient.height)
    pit = (
        ellipsoid(
            np.abs(grid.x) - np.float32(patient.chest_half_width * 0.98),
            grid.y + 12,
            grid.z - np.float32(0.84 * patient.height),
            size,
        )
        + 2.5 * mottle
    )
    nodes = smooth_step(mottle, 1.3, 1.8)
    image += coverage(pit, 4.0) * ((FAT + (MUSCLE - FAT) * nodes) - image)
    # erector spinae
    from_spine = vertebra_centre(patient, grid.z) + 36
    x = np.abs(grid.x - midline(patient, grid.z))
    erector = ellipse(x - 25, grid.y - from_spine, np.float32(22), np.float32(15))
    image += coverage(np.maximum(erector, 4 - depth), 2.0) * (muscle + 2 - image)


def _organs(patient: Patient, grid: Grid, borders: Surfaces, mottle: Array) -> Array:
    """Contents of the chest's inside apart from the lungs: mediastinum above the diaphragm, organs below."""
    image = np.full(grid.shape, np.float32(FAT + 5))
    image += 10 * mottle
    _add_heart_and_vessels(image, patient, grid, mottle)
    abdomen = coverage(borders.diaphragm + 3, 4.0)
    if abdomen.any():
        image += abdomen * (_abdomen(patient, grid, borders, mottle) - image)
    _add_aorta(image, patient, grid)
    return image


def _add_heart_and_vessels(image: Array, patient: Patient, grid: Grid, mottle: Array) -> None:
    height = np.float32(patient.height)
    level = grid.z / height
    x, y = grid.x - midline(patient, grid.z), grid.y
    muscle = np.float32(46) + 3 * mottle
    image += coverage(heart(patient, x, y, grid.z) + 5, 3.0) * (muscle - image)
    # ascending aorta, upper vena cava, pulmonary trunk, gullet: vertical tubes over a range of levels
    tubes = (
        (-9, -0.33, 16.5, 0.42, 0.70),
        (-29, -0.24, 9.5, 0.40, 0.86),
        (22, -0.38, 14.0, 0.42, 0.56),
        (5, 0.27, 7.0, 0.05, 1.10),
        (14, -0.05, 6.0, 0.74, 1.10),
        (-16, -0.16, 6.5, 0.74, 1.10),
        (-23, -0.02, 6.5, 0.86, 1.10),
        (-20, 0.16, 12.0, 0.0, 0.32),
    )
    for across, along, radius, low, high in tubes:
        ends = 12 * (smooth_step(level, low + 0.03, low) + smooth_step(level, high - 0.03, high))
        distance = np.hypot(x - across, y - np.float32(along * patient.chest_half_depth)) - np.float32(radius) + ends
        image += coverage(distance, 2.0) * (np.float32(BLOOD) - image)
    branch = ellipsoid(x - 2, y + 8, grid.z - np.float32(0.49) * height, (42, 11, 0.055 * patient.height))
    image += coverage(branch, 2.0) * (np.float32(BLOOD) - image)


def _add_aorta(image: Array, patient: Patient, grid: Grid) -> None:
    """Descending aorta and arch, with calcium in the wall of some."""
    height = np.float32(patient.height)
    x = grid.x - midline(patient, grid.z)
    centre = vertebra_centre(patient, grid.z) - 17
    radius = np.float32(patient.aorta)
    end = 14 * smooth_step(grid.z / height, 0.67, 0.72)
    descending = np.hypot(x - radius - 11, grid.y - centre) - radius + end
    along, across = turned(x - 11, grid.y - 8, 62)
    arch = ellipsoid(along, across, grid.z - np.float32(0.69) * height, (44.0, 14.5, 0.055 * patient.height))
    aorta = np.minimum(descending, arch)
    image += coverage(aorta, 2.0) * (np.float32(BLOOD) - image)
    if patient.calcified:
        spots = smooth_step(np.sin(grid.z * 0.21) * np.sin(grid.y * 0.23 + grid.x * 0.17), 0.75, 0.95)
        wall = coverage(np.abs(aorta + 1) - np.float32(1.3), 1.5)
        image += wall * spots * (np.float32(480) - image)


def _abdomen(patient: Patient, grid: Grid, borders: Surfaces, mottle: Array) -> Array:
    """Liver on the right, spleen and stomach with its gas bubble on the left."""
    x, y = grid.x, grid.y
    liver = np.float32(58) + 4 * mottle
    left = smooth_step(x - 0.25 * y, 18, 34)
    image = liver + left * (np.float32(FAT) + 6 * mottle - liver)
    width, depth = patient.chest_half_width, patient.chest_half_depth
    spleen = ellipse(x - np.float32(0.72 * width), y - np.float32(0.42 * depth), np.float32(38), np.float32(50))
    image += coverage(spleen, 3.0) * (np.float32(50) + 3 * mottle - image)
    stomach = ellipse(x - np.float32(0.45 * width), y + np.float32(0.22 * depth), np.float32(42), np.float32(36))
    stomach = np.maximum(stomach, borders.diaphragm + 7)
    content = 25 - 945 * coverage(y + np.float32(0.25 * depth), 2.0)
    image += coverage(stomach, 2.5) * (np.float32(45) - image)
    image += coverage(stomach + 4, 2.5) * (content - image)
    # crura and muscle of the diaphragm hold the surface together
    image += coverage(np.abs(borders.diaphragm) - 2, 3.0) * (np.float32(50) - image)
    return image


def _add_table(image: Array, patient: Patient, grid: Grid) -> None:
    """A carbon shell around foam, curved under the back."""
    top = 8 + patient.chest_half_depth + 0.55 * (patient.fat + patient.muscle) + 28
    sag = np.float32(top) - (grid.x / 90) ** 2 * 6
    distance = grid.y - sag
    shell = coverage(np.abs(distance - 1.5) - 1.2, 1.5) + coverage(np.abs(distance - 26) - 1.2, 1.5)
    foam = coverage(np.abs(distance - 13.5) - 12.5, 1.5)
    within = (np.abs(grid.x) < 195) & (image < -900)
    table = np.maximum(AIR + 60 * foam, AIR + 760 * np.minimum(shell, 1)).astype(np.float32)
    image[...] = np.where(within, np.maximum(image, table), image)


def lung_tissue(patient: Patient, grid: Grid, borders: Surfaces, mottle: Array, haze: Array) -> Array:
    """HU of the aerated lung: denser towards the back, hazy under the dependent pleura, patchy throughout."""
    back = dependence(patient, grid.y, grid.z)
    image = np.float32(patient.lung_hu) + np.float32(patient.gravity) * back * back
    image = image + 16 * mottle + 18 * haze
    # normal dependent atelectasis: a smooth veil that follows the pleura on both sides
    low = smooth_step(grid.z / np.float32(patient.height), 0.95, 0.35)
    veil = np.exp(np.minimum(borders.lungs, 0) / np.float32(7)) * smooth_step(back, 0.62, 0.95)
    image = image + np.float32(patient.dependent) * veil * (0.5 + 0.5 * low) * np.clip(0.8 + 0.4 * haze, 0.2, 1.5)
    # breathing smears the dome of the diaphragm, the beating heart smears its border
    smear = np.exp(-np.maximum(borders.diaphragm, 0) / np.float32(1.5 + 1.3 * patient.breathing))
    x = grid.x - midline(patient, grid.z)
    beat = np.exp(-np.maximum(heart(patient, x, grid.y, grid.z), 0) / np.float32(patient.heartbeat))
    return image + 520 * smear + 520 * beat


def add_fissures(image: Array, patient: Patient, grid: Grid, haze: Array) -> None:
    """The oblique fissures and the right lung's horizontal one, in place: thin, faint, wavy sheets."""
    height, depth = patient.height, patient.chest_half_depth
    wave = 3.5 * haze + 14 * np.cos(grid.x / np.float32(38)) + np.where(grid.x < 0, 0, 9).astype(np.float32)
    oblique = grid.z - np.float32(0.52 * height) - np.float32(0.36 * height / depth) * grid.y + wave
    steep = np.float32(np.hypot(1, 0.36 * height / depth))
    sheet = np.exp(-((oblique / steep / 1.3) ** 2))
    level = grid.z - np.float32(0.5 * height) - 0.12 * grid.x + 2 * wave
    horizontal = np.exp(-((level / 3.0) ** 2)) * ((grid.x < -15) & (oblique > 0)) * np.float32(0.6)
    image += 190 * np.maximum(sheet, horizontal)


def add_plates(image: Array, patient: Patient, grid: Grid, mottle: Array) -> None:
    """Plate-like atelectases near the diaphragm, in place: thin bands, seen in health too."""
    for across, along, height, tilt, half_width in patient.plates:
        x, y = turned(grid.x - np.float32(across), grid.y - np.float32(along), tilt)
        disc = np.sqrt(x * x + (y * y + (grid.z - np.float32(height)) ** 2) / 4)
        sheet = np.abs(y + 0.45 * (grid.z - np.float32(height)) + 1.5 * mottle) - np.float32(2.2)
        share = coverage(sheet, max(2.0, grid.spacing[0])) * smooth_step(disc, half_width, 0.7 * half_width)
        image += 0.8 * share * (np.float32(-40) - image)


def add_branches(image: Array, branches: Branches) -> None:
    """Lay vessels and airways into the lung, in place."""
    image += branches.vessels * np.maximum(np.float32(BLOOD) - image, 0)
    image += branches.walls * np.maximum(np.float32(-60) - image, 0)
    image += branches.lumen * (np.float32(-960) - image)
