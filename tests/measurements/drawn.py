"""A thorax of ellipsoids and spheres, drawn on any grid; its volumes between heights are known by formula."""

from dataclasses import dataclass

import numpy as np
import pytest

from covid_monai.measurements import measure
from covid_monai.measurements.definitions import SIDES
from covid_monai.measurements.geometry import SliceGeometry

GROUND_GLASS, CONSOLIDATION, EFFUSION = 1, 2, 3
HU = {"air": -1000, "body": 40, "lung": -850, GROUND_GLASS: -500, CONSOLIDATION: 30, EFFUSION: 10}


@dataclass(frozen=True)
class Ellipsoid:
    """RAS, mm."""

    centre: tuple[float, float, float]
    axes: tuple[float, float, float]

    def holds(self, points):
        distance = sum(((p - c) / a) ** 2 for p, c, a in zip(points, self.centre, self.axes, strict=True))
        return distance < 1

    def ml(self, low=-np.inf, high=np.inf):
        """The volume between two heights: the integral of the ellipses' areas."""
        a, b, c = self.axes
        low, high = np.clip([low - self.centre[2], high - self.centre[2]], -c, c)
        return np.pi * a * b * ((high - high**3 / (3 * c**2)) - (low - low**3 / (3 * c**2))) / 1000

    @property
    def ends(self):
        return self.centre[2] - self.axes[2], self.centre[2] + self.axes[2]


LUNGS = {"right": Ellipsoid((60, 5, 0), (45, 60, 100)), "left": Ellipsoid((-60, 5, 5), (40, 60, 90))}
OPACITY = Ellipsoid((62.3, 8.2, -42), (26, 32, 27))
"""Ground-glass in the right lung; its third's plane cuts it."""
DENSE = Ellipsoid((-59.3, 3.2, 37), (22, 30, 25))
"""Consolidation in the left lung; the carina's plane and the third's cut it."""
STRAY = Ellipsoid((0.3, -55.4, 0.6), (12, 14, 16))
"""Ground-glass outside both lungs."""
FLUID = Ellipsoid((-61.3, 15.2, -38), (18, 25, 26))
"""Effusion within the left cavity."""
TRACHEA = Ellipsoid((0, 15, 90), (9, 9, 60))
CARINA = (0.0, 15.0, 30.0)
VEINS = CARINA[2] - (CARINA[2] + 100) / 3


def lung_ml(side, low=-np.inf, high=np.inf):
    """The volume of R on a side between two heights: without effusion."""
    return LUNGS[side].ml(low, high) - (FLUID.ml(low, high) if side == "left" else 0)


@dataclass
class DrawnLungs:
    labels: np.ndarray
    airways: np.ndarray
    carina: np.ndarray | None = None
    cut: frozenset = frozenset()
    absent: frozenset = frozenset()
    warnings: tuple = ()


@dataclass
class Thorax:
    """What :func:`covid_monai.measurements.measure` takes."""

    hu: np.ndarray
    affine: np.ndarray
    mask: np.ndarray
    lungs: DrawnLungs
    extents: np.ndarray | None = None
    levels: np.ndarray | None = None

    def ends(self, side):
        """Lower and upper end of a lung as the grid shows them: the slabs' where slices are level."""
        low, high = LUNGS[side].ends
        if self.levels is None:
            found = SliceGeometry(self.hu.shape, self.affine, self.extents).range_of(
                self.lungs.labels == SIDES.index(side) + 1
            )
            assert found == pytest.approx((low, high), abs=0.7)
            return found
        middles = (self.levels[1:] + self.levels[:-1]) / 2
        inside = np.flatnonzero((self.levels > low) & (self.levels < high))
        return middles[inside[0] - 1], middles[inside[-1]]

    def measured(self, **options):
        return measure(self.hu, self.affine, self.mask, self.lungs, extents=self.extents, **options)


def centred(columns, shape):
    """The affine of voxels' edges (three columns, mm) whose middle lies at the origin."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(columns, float).T
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def uneven(count, length, seed=0):
    """Positions of slices (mm) at distances of 1 to 4 mm, and what each of them stands for."""
    steps = np.random.default_rng(seed).choice([1.0, 2.0, 4.0], count - 1)
    positions = np.concatenate([[0], np.cumsum(steps)]) * length / steps.sum()
    middles = (positions[1:] + positions[:-1]) / 2
    first, last = 2 * positions[0] - middles[0], 2 * positions[-1] - middles[-1]
    return positions, np.diff([first, *middles, last])


def draw(affine, shape, *, positions=None, extents=None, sides=("right", "left")):
    """The thorax on a grid; ``positions`` are the slices' places in mm along the affine's third axis, else its own."""
    i, j, k = np.meshgrid(*(np.arange(length, dtype=np.float32) for length in shape), indexing="ij", sparse=True)
    if positions is not None:
        k = (positions / np.linalg.norm(affine[:3, 2])).astype(np.float32)[None, None]
    points = [row[0] * i + row[1] * j + row[2] * k + row[3] for row in affine[:3]]
    labels, mask = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for value, side in enumerate(("right", "left"), start=1):
        if side in sides:
            labels[LUNGS[side].holds(points)] = value
    body = (np.abs(points[0]) < 113) & (np.abs(points[1] - 5) < 69)
    hu = np.where(np.broadcast_to(body, shape), HU["body"], HU["air"]).astype(np.int16)
    hu[labels > 0] = HU["lung"]
    airways = TRACHEA.holds(points)
    hu[airways] = HU["air"]
    mask[OPACITY.holds(points) | STRAY.holds(points)] = GROUND_GLASS
    mask[DENSE.holds(points)] = CONSOLIDATION
    mask[FLUID.holds(points)] = EFFUSION
    for value in (GROUND_GLASS, CONSOLIDATION, EFFUSION):
        hu[mask == value] = HU[value]
    absent = frozenset({"right", "left"} - set(sides))
    lungs = DrawnLungs(labels, airways, _carina(affine, k.ravel()), absent=absent)
    levels = np.unique(points[2]) if np.count_nonzero(np.abs(affine[2, :3]) > 1e-6) == 1 else None
    return Thorax(hu, affine, mask, lungs, extents, levels)


def _carina(affine, places):
    """Where the carina lies by the affine alone, which takes uneven slices (at ``places`` of index k) for even."""
    i, j, k, _ = np.linalg.solve(affine, [*CARINA, 1])
    return (affine @ [i, j, np.interp(k, places, np.arange(len(places))), 1])[:3]


def straight():
    """The thorax on an axial grid of 2 mm in LPS order."""
    shape = (144, 96, 108)
    return draw(centred([(-1.6, 0, 0), (0, -1.6, 0), (0, 0, 2)], shape), shape)
