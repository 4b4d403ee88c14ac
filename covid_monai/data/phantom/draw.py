"""One patient drawn by seed: anatomy, lesions, scan."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covid_monai.data.phantom.airways import branches
from covid_monai.data.phantom.anatomy import surfaces
from covid_monai.data.phantom.bones import add_bones
from covid_monai.data.phantom.fields import Grid, sampling_grid
from covid_monai.data.phantom.lesions import add_effusion, add_pneumonia, draw_disease, paint_lesions
from covid_monai.data.phantom.patient import draw_patient
from covid_monai.data.phantom.scanner import scan
from covid_monai.data.phantom.shapes import coverage
from covid_monai.data.phantom.tissues import (
    add_branches,
    add_fissures,
    add_plates,
    body_outline,
    lung_tissue,
    trunk,
)
from covid_monai.errors import InputError

SMALLEST_SIZE, FEWEST_SLICES = 48, 4


@dataclass(frozen=True)
class Phantom:
    """A drawn chest CT; arrays are (x, y, z), LPS: x to the patient's left, y to the back, z to the head."""

    image: NDArray[np.int16]
    """HU, -1024 to 3071."""
    label: NDArray[np.uint8]
    """0 background, 1 ground-glass, 2 consolidation, 3 pleural effusion."""
    lungs: NDArray[np.bool_]
    """The pleural cavities: aerated lung, vessels inside it, and all lesions."""
    affine: NDArray[np.float64]
    """Voxel to world (RAS, mm) as NIfTI keeps it: diag(-sx, -sy, sz, 1) and an origin."""


def draw_phantom(seed: int, size: int = 256, slices: int = 32) -> Phantom:
    """Draw the patient of ``seed``.

    The patient depends on the seed alone: another matrix size or number of slices samples the same anatomy
    and the same lesions. Only the scanner's noise differs.

    Args:
        seed: non-negative; the same seed, size and slices give the same arrays, bit by bit.
        size: pixels along x and along y, over a field of view of 360 to 400 mm; at least 48.
        slices: axial slices from the lungs' base to their apex; at least 4.

    Raises:
        InputError: the seed is negative, or size or slices are too small.
    """
    if seed < 0:
        raise InputError(f"phantom seed {seed}: must be 0 or more; choose another seed")
    if size < SMALLEST_SIZE:
        raise InputError(f"phantom size {size}: must be at least {SMALLEST_SIZE} pixels; choose a larger size")
    if slices < FEWEST_SLICES:
        raise InputError(f"phantom with {slices} slices: must be at least {FEWEST_SLICES}; ask for more slices")
    anatomy_rng, lesion_rng, vessel_rng, noise_rng = np.random.default_rng(seed).spawn(4)
    patient = draw_patient(anatomy_rng)
    disease = draw_disease(patient, lesion_rng)
    grid = sampling_grid(patient.field_of_view, size, 0.02 * patient.height, 1.01 * patient.height, slices)

    borders = surfaces(patient, grid)
    mottle = patient.mottle.on(grid)
    haze = patient.wobble.on(grid)
    image = trunk(patient, grid, borders, mottle)
    add_bones(image, patient, grid, borders)

    lung = lung_tissue(patient, grid, borders, mottle, haze)
    add_fissures(lung, patient, grid, haze)
    add_plates(lung, patient, grid, mottle)
    lesions = paint_lesions(disease, patient, grid, borders)
    add_pneumonia(lung, lesions)
    tree = branches(patient, grid, vessel_rng)
    add_branches(lung, tree)
    add_effusion(lung, lesions)

    lungs = borders.lungs < 0
    inside = coverage(borders.lungs, max(1.5, grid.spacing[0]))
    # trachea and main bronchi run outside the lungs
    image += tree.walls * (np.float32(20) - image) * (borders.chest < 0)
    image += tree.lumen * (np.float32(-985) - image)
    image += inside * (lung - image)
    ct = scan(image, patient, grid, body_outline(patient, grid), noise_rng)
    return Phantom(ct, lesions.label(lungs), lungs, _affine(grid))


def _affine(grid: Grid) -> NDArray[np.float64]:
    affine = np.diag([-grid.spacing[0], -grid.spacing[1], grid.spacing[2], 1.0])
    affine[:3, 3] = -grid.x.flat[0], -grid.y.flat[0], grid.z.flat[0]
    return affine
