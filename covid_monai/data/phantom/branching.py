"""Trees of tubes: they grow from a root through scattered tips and widen towards the root."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from covid_monai.data.phantom.fields import Array, Grid


@dataclass(frozen=True)
class Tubes:
    """Straight pieces: start and end (pieces x 3, mm) and the radius (pieces, mm) of each."""

    start: Array
    end: Array
    radius: Array


def grow_tree(root: Array, tips: Array, tip_radius: float, path_weight: float = 0.5, power: float = 2.4) -> Tubes:
    """Connect ``tips`` (n x 3, mm) to ``root`` (3) with short wiring and short paths to the root.

    A minimum spanning tree with a penalty on the path's length, as in Cuntz et al. 2010 (PLoS Comput Biol 6:
    e1000877). Radii follow Murray's law with the given power: r_parent^power = sum of r_child^power.
    """
    points = np.vstack([root, tips]).astype(np.float64)
    parents, order = _spanning_tree(points, path_weight)
    area = np.full(len(points), tip_radius**power)
    for node in order[::-1]:
        if parents[node] >= 0:
            area[parents[node]] += area[node]
    points = _straightened(points, parents, area)
    children = order[1:]
    return Tubes(
        points[parents[children]].astype(np.float32),
        points[children].astype(np.float32),
        (area[children] ** (1 / power)).astype(np.float32),
    )


def paint_tubes(grid: Grid, tubes: Tubes, thickness: float = 2.0, widen: float = 0.0) -> Array:
    """Share of each voxel, in [0, 1], that tubes cover.

    ``thickness`` is that of the slices, ``widen`` is added to every radius; both in mm.
    """
    covered = np.zeros(grid.shape, np.float32)
    pixel, _, step = grid.spacing
    origin = np.array([grid.x.flat[0], grid.y.flat[0], grid.z.flat[0]])
    spacing = np.array(grid.spacing)
    radii = tubes.radius + np.float32(widen)
    # tubes thinner than a pixel are drawn a pixel wide and paler by the share they fill
    drawn = np.maximum(radii, 0.5 * pixel)
    share = np.minimum(1, radii / (0.5 * pixel)) ** 1.5
    reach = drawn[:, None] + np.array([pixel, pixel, 0.5 * min(thickness, step)])
    first = np.ceil((np.minimum(tubes.start, tubes.end) - reach - origin) / spacing).astype(int)
    last = np.floor((np.maximum(tubes.start, tubes.end) + reach - origin) / spacing).astype(int) + 1
    first, last = np.maximum(first, 0), np.minimum(last, grid.shape)
    for piece in np.flatnonzero((first < last).all(axis=1)):
        box = tuple(slice(low, high) for low, high in zip(first[piece], last[piece], strict=True))
        distance = _distance_to_piece(grid, box, tubes.start[piece], tubes.end[piece], 0.5 * thickness)
        inside = np.clip(0.5 + (drawn[piece] - distance) / pixel, 0, 1) * share[piece]
        np.maximum(covered[box], inside, out=covered[box])
    return covered


def _spanning_tree(points: NDArray[np.float64], path_weight: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Parent of every point (-1 for the root, point 0) and the order in which the points joined."""
    count = len(points)
    parents = np.zeros(count, np.intp)
    parents[0] = -1
    path = np.zeros(count)
    distance = np.linalg.norm(points - points[0], axis=1)
    cost = distance.copy()
    cost[0] = np.inf
    order = np.zeros(count, np.intp)
    joined = np.zeros(count, bool)
    joined[0] = True
    for place in range(1, count):
        node = int(np.argmin(cost))
        order[place] = node
        joined[node] = True
        path[node] = path[parents[node]] + np.linalg.norm(points[node] - points[parents[node]])
        cost[node] = np.inf
        through = np.linalg.norm(points - points[node], axis=1) + path_weight * path[node]
        closer = (through < cost) & ~joined
        cost[closer] = through[closer]
        parents[closer] = node
    return parents, order


def _straightened(
    points: NDArray[np.float64], parents: NDArray[np.intp], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pull inner points towards the line between parent and (weighted) children: branches run smoothly."""
    for _ in range(3):
        total = np.zeros(len(points))
        pulled = np.zeros_like(points)
        np.add.at(total, parents[1:], weight[1:])
        np.add.at(pulled, parents[1:], weight[1:, None] * points[1:])
        inner = (total > 0) & (parents >= 0)
        onward = pulled[inner] / total[inner, None]
        points = points.copy()
        points[inner] = 0.5 * points[inner] + 0.25 * onward + 0.25 * points[parents[inner]]
    return points


def _distance_to_piece(grid: Grid, box: tuple[slice, ...], start: Array, end: Array, slack: float) -> Array:
    """Distance from voxels to a line piece, mm; ``slack`` mm along z (half a slice) count for nothing."""
    x = grid.x[box[0]] - start[0]
    y = grid.y[:, box[1]] - start[1]
    z = grid.z[:, :, box[2]] - start[2]
    along = end - start
    share = np.clip((x * along[0] + y * along[1] + z * along[2]) / max(float(along @ along), 1e-6), 0, 1)
    x, y, z = x - share * along[0], y - share * along[1], z - share * along[2]
    z = np.maximum(np.abs(z) - np.float32(slack), 0)
    return np.sqrt(x * x + y * y + z * z)
