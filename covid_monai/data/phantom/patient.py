"""What makes one patient differ from the next."""

from dataclasses import dataclass

import numpy as np

from covid_monai.data.phantom.fields import RandomField, random_field


@dataclass(frozen=True)
class Patient:
    """Measures of one patient, in mm unless said otherwise; drawn by ``draw_patient``."""

    height: float
    """From the lowest tip of the lungs to their apex."""
    chest_half_width: float
    chest_half_depth: float
    squareness: float
    """Power of the superellipse that outlines the chest."""
    fat: float
    """Mean thickness of the subcutaneous fat."""
    muscle: float
    breast: float
    """Half-depth of the breasts; 0 draws none."""
    heart: float
    """Size of the heart relative to a middling one."""
    heart_turn: float
    """Degrees from the patient's left by which the heart's long axis points to the front."""
    aorta: float
    """Radius of the descending aorta."""
    calcified: bool
    """Whether the aortic wall carries calcium."""
    domes: tuple[float, float]
    """Height of the right and left diaphragm, as a share of ``height``."""
    scoliosis: float
    rib_offset: tuple[float, float]
    rib_spacing: float
    rib_drop: float
    lung_hu: float
    """Density of the lung in front, in HU."""
    gravity: float
    """Rise of the lung's density from front to back, in HU."""
    dependent: float
    """Strength of the atelectasis under the dependent pleura, in HU."""
    breathing: float
    """How far the diaphragm moved during the scan, mm."""
    heartbeat: float
    """How far the heart's border moved during the scan, mm."""
    plates: tuple[tuple[float, float, float, float, float], ...]
    """Plate-like atelectases: centre (x, y, z), tilt in degrees, half-width, all mm."""
    table: bool
    wobble: RandomField
    """Slow deformation of all outlines."""
    mottle: RandomField
    """Medium-scale inhomogeneity of tissue."""

    @property
    def field_of_view(self) -> float:
        """Width of the reconstruction, 360 to 400 mm, as an operator would fit it to the trunk."""
        return float(np.clip(2 * (self.chest_half_width + 30 + self.muscle + self.fat), 360, 400))


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a patient's measures."""
    stature = rng.uniform(0.93, 1.06)
    height = 262 * stature * rng.uniform(0.95, 1.05)
    fat = rng.uniform(8, 25)
    return Patient(
        height=height,
        chest_half_width=128 * stature * rng.uniform(0.95, 1.03),
        chest_half_depth=91 * stature * rng.uniform(0.93, 1.08),
        squareness=rng.uniform(2.15, 2.5),
        fat=fat,
        muscle=rng.uniform(6, 12),
        breast=float(rng.choice([0.0, rng.uniform(14, 24)])),
        heart=rng.uniform(0.92, 1.12),
        heart_turn=rng.uniform(32, 48),
        aorta=rng.uniform(11, 14.5),
        calcified=bool(rng.random() < 0.4),
        domes=(rng.uniform(0.29, 0.37), rng.uniform(0.24, 0.32)),
        scoliosis=rng.uniform(-7, 7),
        rib_offset=(rng.uniform(-4, 4), rng.uniform(-4, 4)),
        rib_spacing=rng.uniform(23.5, 26.5),
        rib_drop=rng.uniform(95, 130),
        lung_hu=rng.uniform(-885, -835),
        gravity=rng.uniform(60, 120),
        dependent=rng.uniform(220, 420),
        breathing=rng.uniform(4.0, 10.0),
        heartbeat=rng.uniform(4.0, 10.0),
        plates=tuple(_draw_plate(height, rng) for _ in range(rng.integers(2, 7))),
        table=bool(rng.random() < 0.7),
        wobble=random_field(rng, 42, -40, height + 60),
        mottle=random_field(rng, 13, -40, height + 60),
    )


def _draw_plate(height: float, rng: np.random.Generator) -> tuple[float, float, float, float, float]:
    side = rng.choice((-1.0, 1.0))
    centre = (side * rng.uniform(45, 100), rng.uniform(-45, 60), rng.uniform(0.28, 0.48) * height)
    return (*centre, rng.uniform(-35, 35), rng.uniform(16, 34))
