"""Vessels and airways of the lungs, grown from the hila and the carina."""

from dataclasses import dataclass

import numpy as np

from covid_monai.data.phantom.anatomy import midline, surfaces_at
from covid_monai.data.phantom.branching import Tubes, grow_tree, paint_tubes
from covid_monai.data.phantom.fields import Array, Grid
from covid_monai.data.phantom.patient import Patient

TRACHEA_RADIUS = 8.5


@dataclass(frozen=True)
class Branches:
    """Share of each voxel, in [0, 1], that each structure covers."""

    vessels: Array
    walls: Array
    """Airway walls and lumen together."""
    lumen: Array


def branches(patient: Patient, grid: Grid, rng: np.random.Generator) -> Branches:
    """Arteries and veins, trachea and bronchi of both lungs."""
    vessels, airways = [_great_vessels(patient)], [_central_airways(patient)]
    for side in (-1, 1):
        hilum = _hilum(patient, side)
        behind = np.array([side * 2, 6, 0], np.float32)
        inside = _points_in_lung(patient, side, 1500, rng)
        vessels.append(grow_tree(hilum, inside[:620], 0.86))
        vein_root = hilum + np.array([-side * 6, -4, -22], np.float32)
        vessels.append(grow_tree(vein_root, inside[620:1100], 0.78, path_weight=0.3))
        airways.append(grow_tree(hilum + behind, inside[1100:1190], 0.62, power=2.5))
    bronchi = _joined(airways)
    return Branches(
        paint_tubes(grid, _joined(vessels)),
        paint_tubes(grid, bronchi, widen=0.9),
        paint_tubes(grid, bronchi),
    )


def carina(patient: Patient) -> Array:
    """Where the trachea divides, in mm."""
    z = np.float32(0.585 * patient.height)
    return np.array([midline(patient, z), 4, z], np.float32)


def _hilum(patient: Patient, side: int) -> Array:
    z = np.float32((0.485 if side < 0 else 0.505) * patient.height)
    return np.array([midline(patient, z) + side * 38, 2, z], np.float32)


def _central_airways(patient: Patient) -> Tubes:
    fork = carina(patient)
    top = np.float32(1.3 * patient.height)
    neck = np.array([midline(patient, top), -6, top], np.float32)
    right, left = _hilum(patient, -1), _hilum(patient, 1)
    back = np.array([0, 6, 0], np.float32)
    start = np.stack([neck, fork, fork])
    end = np.stack([fork, right + back, left + back])
    return Tubes(start, end, np.array([TRACHEA_RADIUS, 6.5, 5.8], np.float32))


def _great_vessels(patient: Patient) -> Tubes:
    """The pulmonary trunk's branches out to the hila; the trunk itself lies in the mediastinum."""
    start = np.stack(
        [
            _hilum(patient, side) * np.array([0.4, 1, 1], np.float32) - np.array([0, 8, 4], np.float32)
            for side in (-1, 1)
        ]
    )
    end = np.stack([_hilum(patient, side) for side in (-1, 1)])
    return Tubes(start, end, np.array([9, 9], np.float32))


def _points_in_lung(patient: Patient, side: int, count: int, rng: np.random.Generator) -> Array:
    """Scattered points at least 4 mm under the pleura, fewer near it."""
    draws = 9 * count
    x = np.float32(side) * rng.uniform(10, patient.chest_half_width, draws).astype(np.float32)
    y = rng.uniform(-patient.chest_half_depth, 1.15 * patient.chest_half_depth, draws).astype(np.float32)
    z = rng.uniform(0, patient.height, draws).astype(np.float32)
    depth = -surfaces_at(patient, x, y, z).lungs
    kept = depth > rng.uniform(4, 13, draws)
    return np.stack([x[kept], y[kept], z[kept]], axis=1)[:count]


def _joined(parts: list[Tubes]) -> Tubes:
    return Tubes(
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.end for part in parts]),
        np.concatenate([part.radius for part in parts]),
    )
