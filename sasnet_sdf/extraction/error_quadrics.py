"""The mesh during decimation, and its error quadrics: the cost of an edge collapse and the new position.

Garland & Heckbert, Surface simplification using quadric error metrics, SIGGRAPH 1997. The quadric of a vertex
is the sum of squared distances to the planes of its triangles. It is stored as the upper triangle, row by
row, of the symmetric matrix [A b; b' c] of x'Ax + 2b'x + c.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from .lattice import jit

SPREAD = 1e-6
"""Weight of the squared distance to a triangle's corner, relative to the squared distance to its plane.

It spreads vertices evenly over flat parts, and gives every quadric a unique minimum.
"""

BOUNDARY = 5.0
"""Weight of the plane through a boundary edge and perpendicular to its triangle; 1: as a triangle's plane."""

TOUCHING = 1e-7
"""Distance below which two points may coincide when stored as float32, for a mesh within [-1, 1]."""

LEAST = 1e-30
"""Least cost of an edge that is longer than TOUCHING."""

INNER, BORDER, LOCKED = 0, 1, 2
"""Kinds of vertices: interior, on the boundary, or not manifold (these do not move)."""

Vector = tuple[float, float, float]


class State(NamedTuple):
    """A mesh during decimation; a removed triangle has -1 as its first corner.

    points: (V, 3) float64. quadrics: (V, 10) float64. kind: (V,) uint8. faces: (F, 3) int32.
    refs[first[v]:last[v]]: the triangles around vertex v; first and last (V,), refs (6 F,) int32.
    """

    points: Array
    quadrics: Array
    kind: NDArray[np.uint8]
    faces: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    refs: NDArray[np.int32]


@jit
def position(points: Array, v: int) -> Vector:
    """The position of a vertex."""
    return points[v, 0], points[v, 1], points[v, 2]


@jit
def difference(p: Vector, q: Vector) -> Vector:
    """p - q."""
    return p[0] - q[0], p[1] - q[1], p[2] - q[2]


@jit
def dot(p: Vector, q: Vector) -> float:
    """The dot product."""
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]


@jit
def cross(p: Vector, q: Vector) -> Vector:
    """The cross product."""
    return p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]


@jit
def rings(
    faces: NDArray[np.int32], count: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """first, last and refs of a State with `count` vertices; refs has space for merged vertices' lists."""
    start = np.zeros(count + 1, np.int32)
    for f in range(len(faces)):
        for k in range(3):
            start[faces[f, k] + 1] += 1
    for v in range(count):
        start[v + 1] += start[v]
    last = start[:-1].copy()
    refs = np.empty(6 * len(faces), np.int32)
    for f in range(len(faces)):
        for k in range(3):
            v = faces[f, k]
            refs[last[v]] = f
            last[v] += 1
    return start[:-1].copy(), last, refs


@jit
def add_triangles(mesh: State) -> None:
    """Add each triangle's plane to the quadrics of its corners, weighted by a third of its area."""
    for f in range(len(mesh.faces)):
        i, j, k = mesh.faces[f, 0], mesh.faces[f, 1], mesh.faces[f, 2]
        a, b, c = position(mesh.points, i), position(mesh.points, j), position(mesh.points, k)
        x, y, z = cross(difference(b, a), difference(c, a))
        twice = np.sqrt(x * x + y * y + z * z)
        if twice == 0:
            continue
        normal = x / twice, y / twice, z / twice
        pull = SPREAD * twice / 6
        for v, corner in ((i, a), (j, b), (k, c)):
            quadric = mesh.quadrics[v]
            _add_plane(quadric, normal, a, twice / 6)
            for n, m in enumerate((0, 4, 7)):
                quadric[m] += pull
                quadric[m + 3 - n] -= pull * corner[n]
            quadric[9] += pull * dot(corner, corner)


@jit
def add_boundary(mesh: State) -> None:
    """Add the planes of boundary edges, weighted by squared length; fill the kind of each vertex."""
    faces, uses = mesh.faces, np.zeros(len(mesh.points), np.int32)
    for v in range(len(mesh.points)):
        around = mesh.refs[mesh.first[v] : mesh.last[v]]
        for f in around:
            for k in range(3):
                uses[faces[f, k]] = 0
        for f in around:
            for k in range(3):
                uses[faces[f, k]] += 1
        ends = 0
        for f in around:
            for k in range(3):
                w = faces[f, k]
                if uses[w] > 2 and w != v:
                    mesh.kind[v] = LOCKED
                elif uses[w] == 1 and w != v:
                    ends += 1
                    if w > v:
                        _add_edge(mesh, v, w, faces[f, 0] + faces[f, 1] + faces[f, 2] - v - w)
        if ends > 2:
            mesh.kind[v] = LOCKED
        elif ends and mesh.kind[v] == INNER:
            mesh.kind[v] = BORDER


@jit
def _add_edge(mesh, v, w, opposite):
    start = position(mesh.points, v)
    along = difference(position(mesh.points, w), start)
    across = difference(position(mesh.points, opposite), start)
    squared = dot(along, along)
    if squared == 0:
        return
    share = dot(across, along) / squared
    x, y, z = across[0] - share * along[0], across[1] - share * along[1], across[2] - share * along[2]
    length = np.sqrt(x * x + y * y + z * z)
    if length == 0:
        return
    normal = x / length, y / length, z / length
    _add_plane(mesh.quadrics[v], normal, start, BOUNDARY * squared)
    _add_plane(mesh.quadrics[w], normal, start, BOUNDARY * squared)


@jit
def _add_plane(quadric, normal, point, weight):
    """Add the squared distance to the plane through a point with a unit normal."""
    plane = normal[0], normal[1], normal[2], -dot(normal, point)
    n = 0
    for i in range(4):
        for j in range(i, 4):
            quadric[n] += weight * plane[i] * plane[j]
            n += 1


@jit
def best_position(mesh: State, a: int, b: int) -> tuple[float, Vector]:
    """The minimum of the sum of two vertices' quadrics, clamped to at least 0, and its position.

    Solved by an LDL' factorization relative to the edge's midpoint, for numerical accuracy.
    """
    q, r = mesh.quadrics[a], mesh.quadrics[b]
    p, o = position(mesh.points, a), position(mesh.points, b)
    x, y, z = (p[0] + o[0]) / 2, (p[1] + o[1]) / 2, (p[2] + o[2]) / 2
    a00, a01, a02, b0 = q[0] + r[0], q[1] + r[1], q[2] + r[2], q[3] + r[3]
    a11, a12, b1, a22, b2 = q[4] + r[4], q[5] + r[5], q[6] + r[6], q[7] + r[7], q[8] + r[8]
    g0 = a00 * x + a01 * y + a02 * z + b0
    g1 = a01 * x + a11 * y + a12 * z + b1
    g2 = a02 * x + a12 * y + a22 * z + b2
    value = q[9] + r[9] + x * (g0 + b0) + y * (g1 + b1) + z * (g2 + b2)
    l1, l2 = a01 / a00, a02 / a00
    d1 = a11 - l1 * a01
    l3 = (a12 - l1 * a02) / d1
    d2 = a22 - l2 * a02 - l3 * l3 * d1
    if a00 > 0 and d1 > 0 and d2 > 0:  # otherwise all triangles there are degenerate
        g1 -= l1 * g0
        g2 -= l2 * g0 + l3 * g1
        value -= g0 * g0 / a00 + g1 * g1 / d1 + g2 * g2 / d2
        z2 = g2 / d2
        z1 = g1 / d1 - l3 * z2
        z0 = g0 / a00 - l1 * z1 - l2 * z2
        x, y, z = x - z0, y - z1, z - z2
    return (value if value > 0 else 0.0), (x, y, z)


@jit
def edges_with_costs(mesh: State, edges: NDArray[np.int32], costs: NDArray[np.float32]) -> int:
    """Fill edges (E, 2) and costs (E,) with all edges that may collapse; returns their number.

    The cost is zero only for edges whose ends coincide.
    """
    seen = np.full(len(mesh.points), -1, np.int32)
    count = 0
    for v in range(len(mesh.points)):
        if mesh.kind[v] == LOCKED:
            continue
        for r in range(mesh.first[v], mesh.last[v]):
            for k in range(3):
                w = mesh.faces[mesh.refs[r], k]
                if w > v and seen[w] != v and mesh.kind[w] != LOCKED:
                    seen[w] = v
                    edges[count, 0], edges[count, 1] = v, w
                    along = difference(position(mesh.points, w), position(mesh.points, v))
                    cost = best_position(mesh, v, w)[0] + LEAST
                    costs[count] = cost if dot(along, along) > TOUCHING**2 else 0.0
                    count += 1
    return count


@jit
def compact(mesh: State) -> tuple[int, int]:
    """Move remaining vertices and triangles to the front of the arrays; returns their numbers."""
    points, quadrics, kind, faces = mesh.points, mesh.quadrics, mesh.kind, mesh.faces
    new = np.full(len(points), -1, np.int32)
    triangles = vertices = 0
    for f in range(len(faces)):
        if faces[f, 0] >= 0:
            for k in range(3):
                new[faces[f, k]] = 0
                faces[triangles, k] = faces[f, k]
            triangles += 1
    for v in range(len(points)):
        if new[v] == 0:
            new[v] = vertices
            kind[vertices] = kind[v]
            for k in range(3):
                points[vertices, k] = points[v, k]
            for k in range(10):
                quadrics[vertices, k] = quadrics[v, k]
            vertices += 1
    for f in range(triangles):
        for k in range(3):
            faces[f, k] = new[faces[f, k]]
    return vertices, triangles
