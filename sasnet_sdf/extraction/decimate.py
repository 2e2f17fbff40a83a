"""Fewer triangles, by edge collapses that keep the topology of a mesh and do not fold it.

An edge may collapse if the only common neighbors of its ends are the vertices opposite to it in its
triangles (the link condition: Dey, Edelsbrunner, Guha & Nekhayev, Topology preserving edge contraction,
1999); the boundary counts as one more vertex, adjacent to all boundary vertices. This keeps a manifold
mesh manifold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, TriangleMesh
from ..runtime.progress import tick
from .error_quadrics import (
    BORDER,
    LOCKED,
    State,
    add_boundary,
    add_triangles,
    best_position,
    compact,
    cross,
    difference,
    dot,
    edges_with_costs,
    position,
    rings,
)
from .lattice import jit

SHARE = 1 / 8
"""Share of the triangles that one pass removes. Smaller shares are slower and not more accurate."""

QUALITY = 0.035
"""Least quality of a triangle: 1 for an equilateral one, 0 for one without area.

Below it, the normal of an existing triangle is not reliable, so the triangle may turn over.
"""

FOLD = -0.9
"""Cosine between the normals of adjacent triangles below which the surface counts as folded."""

FLAT = 1e-9
"""Quality of a triangle below which its area is rounding error and its normal undefined."""


def decimate(mesh: TriangleMesh, faces: int, locked: int = 0) -> TriangleMesh:
    """Simplify a mesh to `faces` triangles, or one fewer; more remain if its topology requires them.

    Quadric edge collapse (Garland & Heckbert 1997). A closed mesh stays closed and a manifold mesh stays
    manifold; components and handles are kept. Normals, colors and scalars are lost. A mesh that is
    already small enough is returned unchanged. locked: so many vertices, the first ones, stay as they are.

    Each pass collapses the cheapest edges of the current mesh; a vertex takes part in at most one collapse.
    This approximates the order of a priority queue in a fraction of the time.
    """
    if len(mesh.faces) <= faces:
        return mesh
    center = mesh.vertices.mean(0)
    size = np.abs(mesh.vertices - center).max() or 1.0
    surface = _Surface((mesh.vertices - center) / size, mesh.faces.astype(np.int32), locked)
    many = len(mesh.faces) - faces
    # Zero-length edges first: once their neighborhood has changed, many of them can no longer collapse.
    for most in (0.0, np.inf):
        while (left := len(surface.state.faces)) > faces:
            tick((len(mesh.faces) - left) / many)
            if not surface.collapse_cheapest(min(max(1, int(SHARE * left)), left - faces), most):
                break
    return TriangleMesh(surface.state.points * size + center, surface.state.faces.astype(np.int64))


class _Surface:
    """The mesh during decimation, and its edges with their costs."""

    def __init__(self, points: Array, faces: NDArray[np.int32], locked: int):
        """Take points (V, 3) and faces (F, 3), which will be overwritten; the first `locked` points stay."""
        quadrics, kind = np.zeros((len(points), 10)), np.zeros(len(points), np.uint8)
        self.edges, self.space = np.empty((3 * len(faces), 2), np.int32), np.empty(3 * len(faces), np.float32)
        self.state = State(points, quadrics, kind, faces, *rings(faces, len(points)))
        add_triangles(self.state)
        add_boundary(self.state)
        self.state.kind[:locked] = LOCKED
        self._find_edges()

    def collapse_cheapest(self, goal: int, most: float) -> int:
        """Remove about `goal` triangles by collapsing edges of cost up to `most`; returns how many."""
        order = _by_cost(self.costs)[: np.count_nonzero(self.costs <= most)]
        tick()
        removed = _collapse(order, self.edges, goal, self.state)
        if removed:
            tick()
            # in place, because the quadrics take most of the memory
            vertices, faces = compact(self.state)
            mesh, left = self.state, self.state.faces[:faces]
            kept = mesh.points[:vertices], mesh.quadrics[:vertices], mesh.kind[:vertices]
            tick()
            self.state = State(*kept, left, *rings(left, vertices))
            self._find_edges()
        return removed

    def _find_edges(self) -> None:
        tick()
        self.costs = self.space[: edges_with_costs(self.state, self.edges, self.space)]


def _by_cost(costs: NDArray[np.float32]) -> NDArray[np.int64]:
    """The order (E,) that sorts non-negative costs, to two or three significant digits.

    The upper 16 bits of non-negative floats have the same order as the floats, and 16-bit keys can be sorted
    in linear time.
    """
    return np.argsort((costs.view(np.uint32) >> 16).astype(np.uint16), kind="stable")


@jit
def _collapse(order, edges, goal, mesh):
    """Collapse edges in the given order until `goal` triangles are removed; returns how many were.

    A vertex takes part in at most one collapse, since costs and order are valid only for the unchanged mesh.
    """
    count, faces = len(mesh.points), mesh.faces
    mark, slot, moved = np.zeros(count, np.int32), np.empty(count, np.int32), np.zeros(count, np.bool_)
    buffers = mark, slot, np.empty((64, 3)), np.empty((64, 3), np.int32)
    stamp, removed, end = 1, 0, 3 * len(faces)
    for n in order:
        a, b = edges[n, 0], edges[n, 1]
        if moved[a] or moved[b]:
            continue
        stamp += 4
        lost = _triangles_lost(mesh, a, b, mark, stamp)
        if not lost:
            continue
        _, p = best_position(mesh, a, b)
        if not _is_sound(mesh, a, b, p, (QUALITY, FOLD), buffers, stamp + 2) and not _is_sound(
            mesh, a, b, p, _limits_around(mesh, a, b), buffers, stamp + 3
        ):
            continue
        begin = end
        for v, gone in ((a, b), (b, a)):
            for r in range(mesh.first[v], mesh.last[v]):
                f = mesh.refs[r]
                if faces[f, 0] < 0:
                    continue
                if faces[f, 0] == gone or faces[f, 1] == gone or faces[f, 2] == gone:
                    faces[f, 0] = -1
                    continue
                for k in range(3):
                    if faces[f, k] == b:
                        faces[f, k] = a
                mesh.refs[end] = f
                end += 1
        mesh.first[a], mesh.last[a] = begin, end
        mesh.points[a, 0], mesh.points[a, 1], mesh.points[a, 2] = p
        for k in range(10):
            mesh.quadrics[a, k] += mesh.quadrics[b, k]
        mesh.kind[a] = max(mesh.kind[a], mesh.kind[b])
        moved[a] = moved[b] = True
        removed += lost
        if removed >= goal:
            break
    return removed


@jit
def _triangles_lost(mesh, a, b, mark, stamp):
    """Number of triangles at edge (a, b), 1 or 2; 0 if its collapse would change the topology.

    mark (V,) holds numbers below `stamp`; `stamp` and `stamp` + 1 are used.
    """
    shared = around_a = around_b = common = 0
    for r in range(mesh.first[a], mesh.last[a]):
        f = mesh.refs[r]
        if mesh.faces[f, 0] < 0:
            continue
        around_a += 1
        for k in range(3):
            mark[mesh.faces[f, k]] = stamp
            shared += mesh.faces[f, k] == b
    mark[a] = mark[b] = stamp + 1
    for r in range(mesh.first[b], mesh.last[b]):
        f = mesh.refs[r]
        if mesh.faces[f, 0] < 0:
            continue
        around_b += 1
        for k in range(3):
            if mark[mesh.faces[f, k]] == stamp:
                mark[mesh.faces[f, k]] = stamp + 1
                common += 1
    if shared != common or shared > 2:
        return 0
    if mesh.kind[a] == BORDER and mesh.kind[b] == BORDER and shared == 2:
        return 0
    # an isolated triangle or tetrahedron is kept
    if around_a == around_b == 2 * shared - 1:
        return 0
    return shared


@jit
def _is_sound(mesh, a, b, p, limits, buffers, stamp):
    """Whether edge (a, b) can collapse to point p without making a triangle too narrow, flipped or folded.

    limits: the least quality, and the cosine of the sharpest fold. buffers: mark (V,), which holds
    numbers below `stamp`; slot (V,); normals and corners of M triangles. More triangles are refused.
    """
    quality, fold = limits
    mark, slot, normals, around = buffers
    count = 0
    for v, other in ((a, b), (b, a)):
        for r in range(mesh.first[v], mesh.last[v]):
            f = mesh.refs[r]
            s, t = _others(mesh.faces, f, v)
            if s < 0 or s == other or t == other:
                continue
            start, end = position(mesh.points, s), position(mesh.points, t)
            before, was = _normal_and_quality(position(mesh.points, v), start, end)
            normal, now = _normal_and_quality(p, start, end)
            turned = dot(before, normal) <= 0 and was >= QUALITY
            if now < quality or turned or count == len(normals):
                return False
            normals[count, 0], normals[count, 1], normals[count, 2] = normal
            around[count, 0], around[count, 1], around[count, 2] = s, t, f
            slot[s], mark[s] = count, stamp
            count += 1
    for n in range(count):
        s, t, f = around[n, 0], around[n, 1], around[n, 2]
        normal = position(normals, slot[s])
        if mark[t] == stamp and dot(normal, position(normals, slot[t])) < fold:
            return False
        beyond = _across(mesh, s, t, f)
        if beyond >= 0 and dot(normal, _normal(mesh, beyond)) < fold:
            return False
    return True


@jit
def _limits_around(mesh, a, b):
    """Limits for `_is_sound`, relaxed where the triangles around edge (a, b) already violate them."""
    quality, fold = QUALITY, FOLD
    for v in (a, b):
        for r in range(mesh.first[v], mesh.last[v]):
            f = mesh.refs[r]
            s, t = _others(mesh.faces, f, v)
            if s < 0:
                continue
            normal, here = _normal_and_quality(
                position(mesh.points, v), position(mesh.points, s), position(mesh.points, t)
            )
            quality = min(quality, 0.9 * here if here > FLAT else 0.0)
            for end in (t, v):
                beyond = _across(mesh, s, end, f)
                if beyond >= 0:
                    fold = min(fold, dot(normal, _normal(mesh, beyond)))
    return quality, fold


@jit
def _others(faces, f, v):
    """The two corners that follow v in a triangle; the first is -1 if the triangle was removed."""
    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
    if i < 0:
        return i, j
    if i == v:
        return j, k
    if j == v:
        return k, i
    return i, j


@jit
def _across(mesh, s, t, f):
    """The triangle on the other side of edge (s, t) of triangle f, or -1."""
    faces = mesh.faces
    for r in range(mesh.first[s], mesh.last[s]):
        g = mesh.refs[r]
        if g != f and faces[g, 0] >= 0 and (faces[g, 0] == t or faces[g, 1] == t or faces[g, 2] == t):
            return g
    return -1


@jit
def _normal_and_quality(p, q, r):
    """A triangle's unit normal, zero where it is flat, and its quality."""
    u, v, w = difference(q, p), difference(r, p), difference(r, q)
    x, y, z = cross(u, v)
    twice = np.sqrt(x * x + y * y + z * z)
    if twice == 0:
        return (0.0, 0.0, 0.0), 0.0
    quality = 2 * np.sqrt(3.0) * twice / (dot(u, u) + dot(v, v) + dot(w, w))
    scale = 1 / twice if quality > FLAT else 0.0
    return (x * scale, y * scale, z * scale), quality


@jit
def _normal(mesh, f):
    i, j, k = mesh.faces[f, 0], mesh.faces[f, 1], mesh.faces[f, 2]
    p, q, r = position(mesh.points, i), position(mesh.points, j), position(mesh.points, k)
    return _normal_and_quality(p, q, r)[0]
