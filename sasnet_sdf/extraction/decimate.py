"""Fewer triangles, by edge collapses that keep the topology of the surface and its creases."""

from __future__ import annotations

import numpy as np

from ..geometry import TriangleMesh
from ..runtime.progress import tick
from .collapse import collapse, compact, edges_with_costs, rings
from .error_quadrics import add_boundary, add_triangles

SHARE = 1 / 8
"""Share of the triangles that one pass removes. Smaller shares are slower and not more accurate."""


def decimate(mesh: TriangleMesh, faces: int) -> TriangleMesh:
    """Simplify a mesh to `faces` triangles, or one fewer; more remain if its topology needs them.

    Quadric edge collapse (Garland & Heckbert 1997). A closed mesh stays closed, a manifold one
    manifold; components and handles are kept. Vertex normals are recomputed from the triangles; colors
    and scalars are lost. A mesh that is small enough is returned unchanged.

    Each pass collapses the cheapest edges of the current mesh, each vertex at most once. This comes
    close to the order of a priority queue in a fraction of the time.
    """
    if len(mesh.faces) <= faces:
        return mesh
    center = mesh.vertices.mean(0)
    size = np.abs(mesh.vertices - center).max() or 1.0
    surface = _Surface((mesh.vertices - center) / size, mesh.faces.astype(np.int32))
    many = len(mesh.faces) - faces
    # Zero-length edges first: once their neighborhood has changed, many of them can no longer collapse.
    for most in (0.0, np.inf):
        while len(surface.faces) > faces:
            tick((len(mesh.faces) - len(surface.faces)) / many)
            goal = max(1, int(SHARE * len(surface.faces)))
            if not surface.collapse_cheapest(min(goal, len(surface.faces) - faces), most):
                break
    return TriangleMesh(surface.points * size + center, surface.faces.astype(np.int64))


class _Surface:
    """The mesh during decimation: its quadrics, and its edges with their costs."""

    def __init__(self, points: np.ndarray, faces: np.ndarray):
        """Overwrites points (V, 3) float64 and faces (F, 3) int32."""
        self.points, self.faces = points, faces
        self.quadrics, self.kind = np.zeros((len(points), 10)), np.zeros(len(points), np.uint8)
        self.edges = np.empty((3 * len(faces), 2), np.int32)
        self.space = np.empty(len(self.edges), np.float32)
        add_triangles(points, faces, self.quadrics)
        add_boundary(points, faces, *rings(faces, len(points)), self.quadrics, self.kind)
        self._find_edges()

    def collapse_cheapest(self, goal: int, most: float) -> int:
        """Remove about `goal` triangles, by edges of cost `most` or less; returns how many were removed."""
        order = _by_cost(self.costs)[: np.count_nonzero(self.costs <= most)]
        state = self.points, self.quadrics, self.kind, self.faces
        tick()
        removed = collapse(order, self.edges, goal, *state, *self.rings)
        if removed:
            tick()
            # in place: the quadrics take most of the memory
            vertices, faces = compact(*state)
            self.points, self.quadrics, self.kind = (array[:vertices] for array in state[:3])
            self.faces = self.faces[:faces]
            self._find_edges()
        return removed

    def _find_edges(self) -> None:
        tick()
        self.rings = rings(self.faces, len(self.points))
        tick()
        state = self.points, self.quadrics, self.kind, self.faces
        self.costs = self.space[: edges_with_costs(*state, *self.rings, self.edges, self.space)]


def _by_cost(costs: np.ndarray) -> np.ndarray:
    """The order (E,) that sorts non-negative float32 costs, to two or three significant digits.

    The upper 16 bits of such numbers sort as the numbers do, and 16-bit keys sort in linear time.
    """
    return np.argsort((costs.view(np.uint32) >> 16).astype(np.uint16), kind="stable")
