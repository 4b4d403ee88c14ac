"""The lungs from the front, as a radiograph shows them, with the depth of lesion in colour and the zones' shares."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from covid_monai.measurements.definitions import LEVELS, SIDES
from covid_monai.palette import FINDING_COLOURS
from covid_monai.study_page.labels import Painted

_LUNG_GREY = 140
# mm of lung and of lesion, front to back, that are fully opaque
_LUNG_DEPTH, _LESION_DEPTH = 320.0, 80.0
_MARGIN_MM = 4.0
_LONGEST = 360


@dataclass(frozen=True)
class Projection:
    """The lungs from the front; the patient's right is at the left, the head above.

    Attributes:
        picture: PNG with transparency, for pages of any colour.
        size: of the picture in pixels, which are square in mm.
        edges: from the top of the picture, in percent of its height, where zones part; by plane.
    """

    picture: bytes
    size: tuple[int, int]
    edges: dict[str, float]


@dataclass(frozen=True)
class Zone:
    """A zone of a lung: its place in the picture from the top in percent, and what is measured of it."""

    side: str
    level: str
    place: float
    percent: float | None
    score: float | None


def projection_of(painted: Painted, spacing: tuple[float, float, float], planes: dict[str, float]) -> Projection | None:
    """The projection of a study; None where no lung was found.

    Args:
        painted: its labels.
        spacing: along x, y and z in mm.
        planes: the slices at which zones part, from the feet.
    """
    lung = painted.lungs > 0
    if not lung.any():
        return None
    margins = [max(1, round(_MARGIN_MM / spacing[axis])) for axis in (0, 2)]
    (left, right), (low, high) = (
        _range(np.asarray(lung.any(axis=others)), margin)
        for others, margin in zip(((1, 2), (0, 1)), margins, strict=True)
    )
    depths = {
        name: _seen(painted.of(name)[left:right, :, low:high].sum(axis=1) * spacing[1])
        for name in ("lesion", "ground_glass", "consolidation")
    }
    picture = _composed(_seen(lung[left:right, :, low:high].sum(axis=1) * spacing[1]), depths)
    width, height = (right - left) * spacing[0], (high - low) * spacing[2]
    scale = _LONGEST / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    with BytesIO() as buffer:
        picture.resize(size, Image.Resampling.BICUBIC).save(buffer, format="PNG", optimize=True)
        edges = {name: 100 * (high - 0.5 - place) / (high - low) for name, place in planes.items()}
        return Projection(buffer.getvalue(), size, edges)


def zones_of(document: dict[str, Any], edges: dict[str, float]) -> list[Zone]:
    """The six zones with their places; where the planes have none they share the height."""
    inner = [edges.get("carina", 100 / 3), edges.get("veins", 200 / 3)]
    bounds = np.clip([0.0, *inner, 100.0], 0, 100)
    places = dict(zip(LEVELS, (bounds[:-1] + bounds[1:]) / 2, strict=True))
    return [
        Zone(
            side,
            level,
            float(places[level]),
            document["zones"][side][level]["infected_percent"],
            document["severity"]["zone_scores"][side][level],
        )
        for side in SIDES
        for level in LEVELS
    ]


def _range(inside: NDArray[np.bool_], margin: int) -> tuple[int, int]:
    places = np.flatnonzero(inside)
    return max(0, int(places[0]) - margin), min(len(inside), int(places[-1]) + 1 + margin)


def _seen(depth: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """From (x, z), z towards the head, to rows from above."""
    return depth.T[::-1]


def _composed(lung: NDArray[Any], depths: dict[str, NDArray[Any]]) -> Image.Image:
    pixels = np.zeros((*lung.shape, 4), np.uint8)
    pixels[..., :3] = _LUNG_GREY
    # a thin edge of lung is still seen
    pixels[..., 3] = np.where(lung > 0, np.clip(40 + 150 * lung / _LUNG_DEPTH, 0, 200), 0)
    picture = Image.fromarray(pixels)
    for name, depth in depths.items():
        layer = np.zeros_like(pixels)
        layer[..., :3] = [round(255 * part) for part in to_rgb(FINDING_COLOURS[name])]
        layer[..., 3] = np.where(depth > 0, np.clip(70 + 185 * depth / _LESION_DEPTH, 0, 255), 0)
        picture = Image.alpha_composite(picture, Image.fromarray(layer))
    return picture
