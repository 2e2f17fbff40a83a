"""Inside or outside, away from the surface: the winding number of an oriented cloud."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..geometry import Array
from ..runtime.compiled import kernel, over_ranges
from ..runtime.progress import tick
from ..spatial import LEAF, Tree, combine_up

_OFFSET = 1.5  # spacings to either side of the surface, at which the level is measured
_BETA = 1.5  # radii away at which a node's points count as one (Barill et al. 2018)
_LEVEL_SAMPLES, _INFORMED = 2000, 0.05  # points at which the level is measured; the share that must tell


@dataclass(frozen=True)
class WindingNumber:
    """Dipoles of points, their sums over a tree (Barill et al. 2018), and the number on the surface.

    surfels (6 N,): points and normals, flat; areas (N,). nodes (7 * 2 L,): centre, dipole and the
    squared distance from which the dipole stands for a node's points, flat. `level` is 1/2 for a
    closed surface and about 0 for an open sheet.
    """

    surfels: Array
    areas: Array
    nodes: Array
    level: float

    def number(self, queries: Array) -> Array:
        """The winding number (M,) at queries (M, 3)."""
        numbers = np.empty(len(queries))
        over_ranges(_wind, len(queries), self.surfels, self.areas, self.nodes, queries, numbers)
        return numbers

    @classmethod
    def of_cloud(cls, tree: Tree, surfels: Array, spacing: Array) -> WindingNumber:
        """From points and outward normals (6 N,), spacing (N,); the level is measured beside the surface."""
        number, points, normals = cls.of_closed(tree, surfels, spacing), *_parts(surfels)
        some = np.linspace(0, len(points) - 1, min(len(points), _LEVEL_SAMPLES)).astype(np.int64)
        step = _OFFSET * spacing[some, None] * normals[some]
        outer, inner = number.number(points[some] + step), number.number(points[some] - step)
        # where the step inward leaves the solid again, or there is none, nothing is learnt
        across = inner - outer > 0.5
        level = np.median((outer + inner)[across]) / 2 if across.mean() > _INFORMED else 0.5
        return replace(number, level=float(level))

    @classmethod
    def of_closed(cls, tree: Tree, surfels: Array, spacing: Array) -> WindingNumber:
        """From points and outward normals (6 N,) and spacing (N,); the level is taken to be 1/2."""
        points, normals = _parts(surfels)
        # a lone point far from the others would otherwise stand for a large area
        areas = np.minimum(spacing, 2 * np.median(spacing)) ** 2
        weighted = np.concatenate([areas[:, None], areas[:, None] * points, areas[:, None] * normals], 1)
        tick()
        sums = combine_up(weighted, np.add, 0.0)
        tick()
        centre = sums[:, 1:4] / np.maximum(sums[:, :1], 1e-300)
        corner = np.maximum(centre - tree.boxes[:, :3], tree.boxes[:, 3:] - centre)
        clear = _BETA**2 * (np.maximum(corner, 0) ** 2).sum(1)  # zero where the node is empty
        nodes = np.concatenate([centre, sums[:, 4:], clear[:, None]], 1)
        return cls(surfels, areas, nodes.ravel(), 0.5)


def surfels_of(points: Array, normals: Array) -> Array:
    """Points and normals (N, 3) side by side, flat (6 N,): one place in memory for each."""
    return np.concatenate([points, normals], 1).ravel()


def _parts(surfels: Array) -> tuple[Array, Array]:
    rows = surfels.reshape(-1, 6)
    return rows[:, :3], rows[:, 3:]


@kernel
def _wind(start, stop, surfels, areas, nodes, queries, numbers):
    leaves, stack = len(nodes) // 14, np.empty(64, np.int64)
    for q in range(start, stop):
        x, y, z = queries[q, 0], queries[q, 1], queries[q, 2]
        total, top = 0.0, 0
        stack[0] = 1
        while top >= 0:
            node = stack[top]
            top -= 1
            n = 7 * node
            dx, dy, dz = nodes[n] - x, nodes[n + 1] - y, nodes[n + 2] - z
            squared = dx * dx + dy * dy + dz * dz
            if squared > nodes[n + 6]:
                flux = dx * nodes[n + 3] + dy * nodes[n + 4] + dz * nodes[n + 5]
                total += flux / (squared * np.sqrt(squared))
            elif node < leaves:
                stack[top + 1], stack[top + 2] = 2 * node, 2 * node + 1
                top += 2
            else:
                begin = (node - leaves) * LEAF
                for i in range(begin, min(begin + LEAF, len(areas))):
                    s = 6 * i
                    dx, dy, dz = surfels[s] - x, surfels[s + 1] - y, surfels[s + 2] - z
                    squared = dx * dx + dy * dy + dz * dz + 1e-300
                    flux = dx * surfels[s + 3] + dy * surfels[s + 4] + dz * surfels[s + 5]
                    total += areas[i] * flux / (squared * np.sqrt(squared))
        numbers[q] = total / (4 * np.pi)
