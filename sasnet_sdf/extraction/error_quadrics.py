"""Error quadrics: for each vertex, the sum of squared distances to the planes of its triangles.

Garland & Heckbert, Surface simplification using quadric error metrics, SIGGRAPH 1997. A quadric holds
ten coefficients of x'Ax + 2b'x + c: the upper triangle of A by rows, b, c.
"""

from __future__ import annotations

import numpy as np

from .lattice import jit

SPREAD = 1e-6
"""Weight of the squared distance to a triangle's corner, relative to that to its plane.

It spreads vertices evenly over flat parts, and gives every quadric a unique minimum.
"""

BOUNDARY = 5.0
"""Weight of the plane through a boundary edge, perpendicular to its triangle, relative to a triangle's."""

INNER, BORDER, LOCKED = 0, 1, 2
"""Kinds of vertices: interior, on the boundary, or not manifold (these do not move)."""


@jit
def place(points, v):
    """The point (3,) of a vertex as a tuple."""
    return points[v, 0], points[v, 1], points[v, 2]


@jit
def difference(p, q):
    return p[0] - q[0], p[1] - q[1], p[2] - q[2]


@jit
def dot(p, q):
    return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]


@jit
def cross(p, q):
    return p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]


@jit
def add_plane(quadric, normal, point, weight):
    """Add the squared distance to the plane through a point with a unit normal."""
    x, y, z = normal
    d = -dot(normal, point)
    quadric[0] += weight * x * x
    quadric[1] += weight * x * y
    quadric[2] += weight * x * z
    quadric[3] += weight * y * y
    quadric[4] += weight * y * z
    quadric[5] += weight * z * z
    quadric[6] += weight * x * d
    quadric[7] += weight * y * d
    quadric[8] += weight * z * d
    quadric[9] += weight * d * d


@jit
def add_triangles(points, faces, quadrics):
    """Add each triangle's plane to the quadrics of its corners, weighted by a third of its area."""
    for f in range(len(faces)):
        a, b, c = (place(points, faces[f, 0]), place(points, faces[f, 1]), place(points, faces[f, 2]))
        x, y, z = cross(difference(b, a), difference(c, a))
        twice = np.sqrt(x * x + y * y + z * z)
        if twice == 0:
            continue
        normal = x / twice, y / twice, z / twice
        for k in range(3):
            quadric, corner = quadrics[faces[f, k]], place(points, faces[f, k])
            add_plane(quadric, normal, a, twice / 6)
            pull = SPREAD * twice / 6
            quadric[0] += pull
            quadric[3] += pull
            quadric[5] += pull
            quadric[6] -= pull * corner[0]
            quadric[7] -= pull * corner[1]
            quadric[8] -= pull * corner[2]
            quadric[9] += pull * dot(corner, corner)


@jit
def add_boundary(points, faces, first, last, refs, quadrics, kind):
    """Add the planes of boundary edges, weighted by squared length; fill the kind (V,) of each vertex."""
    uses = np.zeros(len(points), np.int32)
    for v in range(len(points)):
        for r in range(first[v], last[v]):
            for k in range(3):
                uses[faces[refs[r], k]] = 0
        for r in range(first[v], last[v]):
            for k in range(3):
                uses[faces[refs[r], k]] += 1
        ends = 0
        for r in range(first[v], last[v]):
            f = refs[r]
            for k in range(3):
                w = faces[f, k]
                if uses[w] > 2 and w != v:
                    kind[v] = LOCKED
                elif uses[w] == 1 and w != v:
                    ends += 1
                    if w > v:
                        opposite = faces[f, 0] + faces[f, 1] + faces[f, 2] - v - w
                        _add_edge(points, v, w, opposite, quadrics)
        if ends > 2:
            kind[v] = LOCKED
        elif ends and kind[v] == INNER:
            kind[v] = BORDER


@jit
def _add_edge(points, v, w, opposite, quadrics):
    start = place(points, v)
    along = difference(place(points, w), start)
    across = difference(place(points, opposite), start)
    squared = dot(along, along)
    if squared == 0:
        return
    share = dot(across, along) / squared
    x, y, z = across[0] - share * along[0], across[1] - share * along[1], across[2] - share * along[2]
    length = np.sqrt(x * x + y * y + z * z)
    if length == 0:
        return
    normal = x / length, y / length, z / length
    add_plane(quadrics[v], normal, start, BOUNDARY * squared)
    add_plane(quadrics[w], normal, start, BOUNDARY * squared)


@jit
def best_place(points, quadrics, a, b):
    """The minimum, at least 0, of the sum of two vertices' quadrics, and its position.

    Solved by an LDL' factorization relative to the edge's midpoint, for numerical accuracy.
    """
    q, r = quadrics[a], quadrics[b]
    x, y, z = (
        (points[a, 0] + points[b, 0]) / 2,
        (points[a, 1] + points[b, 1]) / 2,
        (points[a, 2] + points[b, 2]) / 2,
    )
    a00, a01, a02, a11, a12, a22 = (
        q[0] + r[0],
        q[1] + r[1],
        q[2] + r[2],
        q[3] + r[3],
        q[4] + r[4],
        q[5] + r[5],
    )
    b0, b1, b2 = q[6] + r[6], q[7] + r[7], q[8] + r[8]
    g0 = a00 * x + a01 * y + a02 * z + b0
    g1 = a01 * x + a11 * y + a12 * z + b1
    g2 = a02 * x + a12 * y + a22 * z + b2
    value = q[9] + r[9] + x * (g0 + b0) + y * (g1 + b1) + z * (g2 + b2)
    l1, l2 = a01 / a00, a02 / a00
    d1 = a11 - l1 * a01
    l3 = (a12 - l1 * a02) / d1
    d2 = a22 - l2 * a02 - l3 * l3 * d1
    if a00 > 0 and d1 > 0 and d2 > 0:  # else no triangle there has area
        g1 -= l1 * g0
        g2 -= l2 * g0 + l3 * g1
        value -= g0 * g0 / a00 + g1 * g1 / d1 + g2 * g2 / d2
        z2 = g2 / d2
        z1 = g1 / d1 - l3 * z2
        z0 = g0 / a00 - l1 * z1 - l2 * z2
        x, y, z = x - z0, y - z1, z - z2
    return (value if value > 0 else 0.0), (x, y, z)
