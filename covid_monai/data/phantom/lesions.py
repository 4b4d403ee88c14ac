"""Ground-glass, consolidation and pleural effusion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covid_monai.data.phantom.anatomy import Surfaces, chest_centre, midline, surfaces_at
from covid_monai.data.phantom.fields import Array, Grid, RandomField, random_field
from covid_monai.data.phantom.patient import Patient
from covid_monai.data.phantom.shapes import coverage, smooth_step

GROUND_GLASS, CONSOLIDATION, EFFUSION = 1, 2, 3


@dataclass(frozen=True)
class Patch:
    """One focus of pneumonia: where, how large (half-axes in mm, turned about z), how dense."""

    centre: tuple[float, float, float]
    half_axes: tuple[float, float, float]
    turn: float
    hu: float
    softness: float
    core: float
    """Part of the focus, 0 to 1, that is consolidated."""


@dataclass(frozen=True)
class Effusion:
    """Fluid in one pleural space: thickness at the back, how high and how far to the front it reaches, mm."""

    side: int
    thickness: float
    top: float
    level: float
    hu: float


@dataclass(frozen=True)
class Disease:
    """The lesions of one patient."""

    patches: tuple[Patch, ...]
    effusions: tuple[Effusion, ...]
    edge: RandomField
    """Makes outlines irregular."""
    weave: RandomField
    """Mottled texture inside ground-glass."""


@dataclass(frozen=True)
class Lesions:
    """Lesions on a grid: share of each voxel in [0, 1] and density in HU."""

    ground_glass: Array
    ground_glass_hu: Array
    consolidation: Array
    consolidation_hu: Array
    effusion: Array
    effusion_hu: Array

    def label(self, lungs: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The class that fills at least half of a voxel inside the pleural cavity; the denser class wins."""
        label = np.zeros(lungs.shape, np.uint8)
        for value, share in (
            (GROUND_GLASS, self.ground_glass),
            (CONSOLIDATION, self.consolidation),
            (EFFUSION, self.effusion),
        ):
            label[(share >= 0.5) & lungs] = value
        return label


def draw_disease(patient: Patient, rng: np.random.Generator) -> Disease:
    """Draw a patient's lesions: peripheral, dependent and basal sites are the likeliest."""
    load = rng.uniform(0.2, 1.0)
    count = 4 + round(8 * load)
    solid = rng.uniform(0.15, 0.55)
    centres = _sites(patient, count, rng)
    patches = tuple(_draw_patch(centre, load, solid, rng) for centre in centres)
    sides = [side for side in (-1, 1) if rng.random() < 0.3]
    effusions = tuple(_draw_effusion(patient, side, rng) for side in sides)
    top = patient.height + 60
    return Disease(patches, effusions, random_field(rng, 12, -40, top), random_field(rng, 4.5, -40, top))


def paint_lesions(disease: Disease, patient: Patient, grid: Grid, borders: Surfaces) -> Lesions:
    """The lesions on a grid."""
    edge, weave = disease.edge.on(grid), disease.weave.on(grid)
    shape = grid.shape
    glass, glass_hu = np.zeros(shape, np.float32), np.full(shape, np.float32(-900))
    solid = np.zeros(shape, np.float32)
    for patch in disease.patches:
        _paint_patch(patch, grid, edge, glass, glass_hu, solid)
    glass_hu += 55 * weave + 25 * edge
    np.clip(glass_hu, -760, -260, out=glass_hu)
    solid_hu = 28 + 14 * weave + 8 * edge
    fluid, fluid_hu = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for effusion in disease.effusions:
        _paint_effusion(effusion, patient, grid, borders, edge, fluid, fluid_hu)
    return Lesions(glass, glass_hu, solid, solid_hu, fluid, fluid_hu)


def add_pneumonia(image: Array, lesions: Lesions) -> None:
    """Lay ground-glass and consolidation into the lung, in place; ground-glass never darkens."""
    image += lesions.ground_glass * np.maximum(lesions.ground_glass_hu - image, 0)
    image += lesions.consolidation * (lesions.consolidation_hu - image)


def add_effusion(image: Array, lesions: Lesions) -> None:
    """Lay fluid over what it displaces, in place."""
    image += lesions.effusion * (lesions.effusion_hu - image)


def _sites(patient: Patient, count: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    draws = 6000
    x = rng.uniform(-patient.chest_half_width, patient.chest_half_width, draws).astype(np.float32)
    y = rng.uniform(-patient.chest_half_depth, 1.15 * patient.chest_half_depth, draws).astype(np.float32)
    z = rng.uniform(0.03, 0.95, draws).astype(np.float32) * np.float32(patient.height)
    borders = surfaces_at(patient, x, y, z)
    peripheral = np.exp(np.minimum(borders.chest + 6, 0) / 14)
    likely = (0.08 + peripheral) * (0.25 + smooth_step(y, -70, 70)) * (0.3 + smooth_step(z / patient.height, 0.9, 0.2))
    # asymmetry: one lung takes the larger part
    likely *= np.where(x < 0, *rng.dirichlet((6, 6)))
    kept = (borders.lungs < -3) & (rng.uniform(0, likely.max(), draws) < likely)
    chosen = np.flatnonzero(kept)[:count]
    return [(float(x[i]), float(y[i]), float(z[i])) for i in chosen]


def _draw_patch(centre: tuple[float, float, float], load: float, solid: float, rng: np.random.Generator) -> Patch:
    radius = rng.uniform(14, 20) + 16 * load * rng.random() ** 2
    return Patch(
        centre=centre,
        half_axes=(
            radius * rng.uniform(0.7, 1.1),
            radius * rng.uniform(0.9, 1.6),
            radius * rng.uniform(0.9, 1.5),
        ),
        turn=rng.uniform(0, 180),
        hu=rng.uniform(-590, -350),
        softness=rng.uniform(2, 5),
        core=rng.uniform(0.55, 0.9) if rng.random() < solid else 0.0,
    )


def _draw_effusion(patient: Patient, side: int, rng: np.random.Generator) -> Effusion:
    return Effusion(
        side=side,
        thickness=rng.uniform(12, 26),
        top=rng.uniform(0.3, 0.6) * patient.height,
        level=rng.uniform(0.1, 0.45) * patient.chest_half_depth,
        hu=rng.uniform(3, 20),
    )


def _paint_patch(patch: Patch, grid: Grid, edge: Array, glass: Array, glass_hu: Array, solid: Array) -> None:
    box = _box(grid, patch)
    if box is None:
        return
    x, y, z = grid.x[box[0]], grid.y[:, box[1]], grid.z[:, :, box[2]]
    cosine, sine = np.float32(np.cos(np.deg2rad(patch.turn))), np.float32(np.sin(np.deg2rad(patch.turn)))
    x, y, z = (
        x - np.float32(patch.centre[0]),
        y - np.float32(patch.centre[1]),
        z - np.float32(patch.centre[2]),
    )
    long_x, long_y = cosine * x + sine * y, cosine * y - sine * x
    a, b, c = (np.float32(half) for half in patch.half_axes)
    level = np.sqrt((long_x / a) ** 2 + (long_y / b) ** 2 + (z / c) ** 2) + np.float32(0.2) * edge[box]
    size = np.float32((patch.half_axes[0] * patch.half_axes[1]) ** 0.5)
    softness = max(patch.softness, grid.spacing[0])
    share = coverage((level - 1) * size, softness)
    glass_hu[box] = np.maximum(glass_hu[box], np.where(share > 0, np.float32(patch.hu), np.float32(-900)))
    np.maximum(glass[box], share, out=glass[box])
    if patch.core:
        core = coverage((level - np.float32(patch.core)) * size, max(0.6 * softness, grid.spacing[0]))
        np.maximum(solid[box], core, out=solid[box])


def _box(grid: Grid, patch: Patch) -> tuple[slice, slice, slice] | None:
    """The part of the grid that a patch can reach, its irregular edge included."""
    reach = 1.9 * max(patch.half_axes[:2]) + patch.softness
    slices = []
    for axis, centre, far in zip(
        (grid.x, grid.y, grid.z), patch.centre, (reach, reach, 1.9 * patch.half_axes[2] + 3), strict=True
    ):
        near = np.flatnonzero(np.abs(axis.ravel() - centre) < far)
        if not near.size:
            return None
        slices.append(slice(near[0], near[-1] + 1))
    return slices[0], slices[1], slices[2]


def _paint_effusion(
    effusion: Effusion,
    patient: Patient,
    grid: Grid,
    borders: Surfaces,
    edge: Array,
    fluid: Array,
    fluid_hu: Array,
) -> None:
    """A crescent along the back of the chest wall that thins upwards and to the front."""
    on_side = (effusion.side * (grid.x - midline(patient, grid.z)) > 0).astype(np.float32)
    y = grid.y - chest_centre(patient, grid.z)
    back = smooth_step(y, effusion.level, 0.95 * patient.chest_half_depth)
    low = smooth_step(grid.z, effusion.top, 0.25 * effusion.top)
    thickness = np.float32(effusion.thickness) * np.sqrt(back) * low * on_side
    # distance from the costal pleura; the mediastinal side counts as well, but less
    inward = -borders.chest
    distance = inward - thickness + np.float32(1.2) * edge
    share = coverage(distance, max(2.5, grid.spacing[0])) * smooth_step(thickness, 3, 6)
    np.maximum(fluid, share, out=fluid)
    fluid_hu += on_side * np.float32(effusion.hu)
