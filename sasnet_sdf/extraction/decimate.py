"""Fewer triangles, by edge collapses that keep the topology of the surface and its creases."""

from __future__ import annotations

import numpy as np

from ..geometry import TriangleMesh
from ..progress import tick
from .collapse import collapse, compact, edges_with_costs, rings
from .error_quadrics import add_boundary, add_triangles

SHARE = 1 / 8
"""Of the triangles, how many a pass removes: fewer follow the costs no better and take longer."""


def decimate(mesh: TriangleMesh, faces: int) -> TriangleMesh:
    """The mesh with `faces` triangles, or one fewer; more where its topology takes more.

    Closed stays closed, manifold stays manifold, components and handles stay. Normals are those of the
    triangles around a vertex; colors and scalars are lost. A mesh that is small enough comes back as
    it is.

    Each pass collapses the cheapest edges of what the last one left, each vertex once at most. That
    is nearly the order of a priority queue, and takes a fraction of its time.
    """
    if len(mesh.faces) <= faces:
        return mesh
    center = mesh.vertices.mean(0)
    size = np.abs(mesh.vertices - center).max() or 1.0
    surface = _Surface((mesh.vertices - center) / size, mesh.faces.astype(np.int32))
    many = len(mesh.faces) - faces
    # Edges without length go first: later, the sides of a row of needles are no longer opposite each other.
    for most in (0.0, np.inf):
        while len(surface.faces) > faces:
            tick((len(mesh.faces) - len(surface.faces)) / many)
            goal = max(1, int(SHARE * len(surface.faces)))
            if not surface.collapse_cheapest(min(goal, len(surface.faces) - faces), most):
                break
    return TriangleMesh(surface.points * size + center, surface.faces.astype(np.int64))


class _Surface:
    """What is left of a mesh, its quadrics, and its edges with their costs; for collapse.py."""

    def __init__(self, points: np.ndarray, faces: np.ndarray):
        """points (V, 3) float64 and faces (F, 3) int32 are overwritten."""
        self.points, self.faces = points, faces
        self.quadrics, self.kind = np.zeros((len(points), 10)), np.zeros(len(points), np.uint8)
        self.edges = np.empty((3 * len(faces), 2), np.int32)
        self.space = np.empty(len(self.edges), np.float32)
        add_triangles(points, faces, self.quadrics)
        add_boundary(points, faces, *rings(faces, len(points)), self.quadrics, self.kind)
        self._find_edges()

    def collapse_cheapest(self, goal: int, most: float) -> int:
        """Remove `goal` triangles by edges that cost `most` at most; how many were removed."""
        order = _by_cost(self.costs)[: np.count_nonzero(self.costs <= most)]
        state = self.points, self.quadrics, self.kind, self.faces
        tick()
        removed = collapse(order, self.edges, goal, *state, *self.rings)
        if removed:
            tick()
            # in place, since quadrics are most of the memory that is taken
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
    """The order (E,) of float32 costs that are not negative, told apart by their first two or three digits.

    Of such numbers the upper half of the bits is in the order of the numbers, and 16 bits are sorted
    in linear time.
    """
    return np.argsort((costs.view(np.uint32) >> 16).astype(np.uint16), kind="stable")
