"""Holes in the data: the parts of a surface that span them, their size, and closing open surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from ..geometry import Array, TriangleMesh
from ..mesh import areas, component_of_vertices, directed_edges, edge_graph
from ..runtime.progress import tick
from .descent import GradientField, ValueField
from .lattice import Lattice

FEWEST, MOST = 5, 40
"""Rounds of averaging: with fewer, steps of the lattice remain; with more, the gain is not worth the time."""

SAMPLES = 10_000
"""Number of triangles from which the mean edge length is computed."""


def smoothed(mesh: TriangleMesh, values: Array, width: float) -> Array:
    """Values (V,) averaged over about `width` around each vertex, and at least over an edge or two.

    Each round takes the mean of a vertex and its neighbors, which diffuses by 3/7 of a squared edge length.
    """
    if not len(mesh.faces):
        return values
    some = mesh.faces[:: max(1, len(mesh.faces) // SAMPLES)]
    edge = np.linalg.norm(mesh.vertices[some[:, 0]] - mesh.vertices[some[:, 1]], axis=1).mean()
    rounds = int(np.clip(round((width / edge) ** 2 * 7 / 3), FEWEST, MOST))
    starts, ends = directed_edges(mesh.faces)
    beside = edge_graph(starts, ends, len(values), np.ones(len(starts), np.float32))
    share = (1 / (1 + np.diff(beside.indptr))).astype(np.float32)
    values = values.astype(np.float32)
    for _ in range(rounds):
        tick()
        values = share * (values + beside @ values)
    return values.astype(np.float64)


def steps_from(mesh: TriangleMesh, sources: NDArray[np.int64], step: Array, most: float) -> Array:
    """Distances (V,) along edges from the nearest of some vertices, in local steps (V,); at most `most`.

    A path along edges is at most 1.5 times as long as the shortest path on the surface.
    """
    if not len(sources):
        return np.full(len(step), most)
    starts, ends = directed_edges(mesh.faces)
    length = np.linalg.norm(mesh.vertices[starts] - mesh.vertices[ends], axis=1) / step[starts]
    graph = edge_graph(starts, ends, len(step), np.maximum(length, 1e-12))
    tick()
    return np.minimum(dijkstra(graph, indices=sources, min_only=True, limit=most), most)


CHUNK = 1 << 15
"""Triangles that are processed together."""


@dataclass(frozen=True)
class Patches:
    """R connected regions of a mesh, each entirely supported by data or entirely not.

    region: (V,) the region of each vertex. supported: (R,) bool. area: (R,); a triangle in two regions
    counts for the one without support. opening: (R,) the area of the hole that an unsupported region
    spans, whatever its own shape: half |sum of a x b| over the directed edges of its rim, which are
    closed loops where no supported vertex is at a boundary of the mesh. Zero where it has no rim.
    beside: (R,) the area of the supported regions around it. farthest: (R,) the largest distance of
    its vertices from the data.
    """

    region: NDArray[np.int32]
    supported: NDArray[np.bool_]
    area: Array
    opening: Array
    beside: Array
    farthest: Array

    @property
    def supported_area(self) -> float:
        """The area of all supported regions."""
        return float(self.area[self.supported].sum())

    @property
    def floating(self) -> NDArray[np.bool_]:
        """The unsupported regions (R,) that touch no supported one."""
        return ~self.supported & (self.beside == 0)


def patches_of(mesh: TriangleMesh, supported: NDArray[np.bool_], distance: Array) -> Patches:
    """The regions of a mesh, by whether data support its vertices (V,); distance (V,): from the data."""
    region = component_of_vertices(mesh, supported)
    count = int(region.max(initial=-1)) + 1
    of_region = np.zeros(count, np.bool_)
    of_region[region] = supported
    farthest = np.zeros(count)
    np.maximum.at(farthest, region, distance)

    area, opening = np.zeros(count), np.zeros((count, 3))
    measured = areas(mesh.vertices, mesh.faces)
    touching = [np.empty((0, 2), np.int32)]
    for start in range(0, len(mesh.faces), CHUNK):
        tick()
        part = slice(start, start + CHUNK)
        faces = mesh.faces[part]
        known = supported[faces]
        first = np.where(known.all(1), 0, (~known).argmax(1))  # an unsupported corner, if any
        owner = region[np.take_along_axis(faces, first[:, None], 1)[:, 0]]
        area += np.bincount(owner, measured[part], count)
        rim = np.flatnonzero(known.sum(1) == 2)
        b, c = (faces[rim, (first[rim] + n) % 3] for n in (1, 2))
        np.add.at(opening, owner[rim], np.cross(mesh.vertices[b], mesh.vertices[c]) / 2)
        touching.append(np.stack([owner[rim], region[b]], 1))
    pairs = np.unique(np.concatenate(touching), axis=0)
    beside = np.zeros(count)
    np.add.at(beside, pairs[:, 0], area[pairs[:, 1]])
    return Patches(region, of_region, area, np.linalg.norm(opening, axis=1), beside, farthest)


INSET = 1.5
"""Cells between the border of the lattice and the walls; no lattice point lies on a wall."""

BESIDE = 0.01
"""Distance in cells within which a vertex counts as on a wall: Newton steps onto a plane are exact."""


@dataclass(frozen=True)
class Capped:
    """The field of a solid, given by another field, intersected with the box from low (3,) to high (3,)."""

    field: ValueField
    field_with_gradient: GradientField
    low: Array
    high: Array
    cell: float

    @classmethod
    def inside(cls, lattice: Lattice, field: ValueField, field_with_gradient: GradientField) -> Capped:
        """The field with walls just inside the border of the lattice."""
        low, high = lattice.points(np.array([[INSET] * 3, np.array(lattice.shape) - INSET]))
        return cls(field, field_with_gradient, low, high, lattice.cell)

    def at_walls(self, vertices: Array) -> NDArray[np.bool_]:
        """Which vertices (V, 3) of the capped field's surface lie on a wall."""
        return self._walls(vertices).max(1) >= -BESIDE * self.cell

    def distance(self, points: Array) -> Array:
        """Values (N,) at points (N, 3)."""
        return np.maximum(np.asarray(self.field(points)).reshape(-1), self._walls(points).max(1))

    def gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3) at points (N, 3)."""
        values, gradients = self.field_with_gradient(points)
        values, gradients = np.asarray(values, np.float64).reshape(-1), np.array(gradients, np.float64)
        walls = self._walls(points)
        nearest, beyond = walls.argmax(1), walls.max(1) > values
        gradients[beyond] = np.concatenate([-np.eye(3), np.eye(3)])[nearest[beyond]]
        return np.maximum(values, walls.max(1)), gradients

    def _walls(self, points: Array) -> Array:
        """Signed distances (N, 6) from the planes of the walls, negative inside."""
        return np.concatenate([self.low - points, points - self.high], 1)
