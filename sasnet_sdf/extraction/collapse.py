"""Edge collapses that keep the topology of a triangle mesh and do not fold it.

An edge may collapse if the only common neighbors of its ends are the vertices opposite to it in its
triangles (the link condition: Dey, Edelsbrunner, Guha & Nekhayev, Topology preserving edge contraction,
1999); the boundary counts as one more vertex, adjacent to all boundary vertices. This keeps a manifold
mesh manifold.

The triangles around vertex v are refs[first[v]:last[v]]; a removed triangle has -1 as its first corner.
"""

from __future__ import annotations

import numpy as np

from .error_quadrics import BORDER, LOCKED, best_place, cross, difference, dot, place
from .lattice import jit

QUALITY = 0.035
"""Least quality of a triangle: 1 for an equilateral one, 0 for one without area.

Below it, the normal of an existing triangle is not reliable, so the triangle may turn over.
"""

FOLD = -0.9
"""Cosine between the normals of adjacent triangles below which the surface counts as folded."""

TOUCHING = 1e-7
"""Distance below which two points coincide once stored as float32, for a mesh within [-1, 1]."""

LEAST = 1e-30
"""Least cost of an edge that is longer than TOUCHING."""

FLAT = 1e-9
"""Quality of a triangle below which its area is rounding error and its normal undefined."""


@jit
def rings(faces, count):
    """first (V,), last (V,) and refs of `count` vertices; refs has space for lists of merged vertices."""
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
def edges_with_costs(points, quadrics, kind, faces, first, last, refs, edges, costs):
    """Fill edges (E, 2) and costs (E,) with all edges that may collapse; returns their number.

    The cost is zero only for edges whose ends coincide.
    """
    seen = np.full(len(points), -1, np.int32)
    count = 0
    for v in range(len(points)):
        if kind[v] == LOCKED:
            continue
        for r in range(first[v], last[v]):
            for k in range(3):
                w = faces[refs[r], k]
                if w > v and seen[w] != v and kind[w] != LOCKED:
                    seen[w] = v
                    edges[count, 0], edges[count, 1] = v, w
                    along = difference(place(points, w), place(points, v))
                    cost = best_place(points, quadrics, v, w)[0] + LEAST
                    costs[count] = cost if dot(along, along) > TOUCHING**2 else 0.0
                    count += 1
    return count


@jit
def collapse(order, edges, goal, points, quadrics, kind, faces, first, last, refs):
    """Collapse edges in the given order until `goal` triangles are removed; returns how many were.

    A vertex takes part in at most one collapse, since costs and order hold for the unchanged mesh.
    """
    mark = np.zeros(len(points), np.int32)
    slot = np.empty(len(points), np.int32)
    moved = np.zeros(len(points), np.bool_)
    normals = np.empty((64, 3))
    stamp, removed, end = 0, 0, 3 * len(faces)
    for n in order:
        a, b = edges[n, 0], edges[n, 1]
        if moved[a] or moved[b]:
            continue
        shared = _shared(faces, first, last, refs, kind, a, b, mark, stamp + 1)
        stamp += 2
        if not shared:
            continue
        _, p = best_place(points, quadrics, a, b)
        limits = QUALITY, FOLD
        sound = False
        for _ in range(2):
            stamp += 1
            sound = _sound(points, faces, first, last, refs, a, b, p, limits, mark, stamp, slot, normals)
            if sound:
                break
            limits = _state(points, faces, first, last, refs, a, b)
        if not sound:
            continue
        begin = end
        for side in range(2):
            v, gone = (a, b) if side == 0 else (b, a)
            for r in range(first[v], last[v]):
                f = refs[r]
                if faces[f, 0] < 0:
                    continue
                if faces[f, 0] == gone or faces[f, 1] == gone or faces[f, 2] == gone:
                    faces[f, 0] = -1
                    continue
                for k in range(3):
                    if faces[f, k] == b:
                        faces[f, k] = a
                refs[end] = f
                end += 1
        first[a], last[a] = begin, end
        points[a, 0], points[a, 1], points[a, 2] = p
        for k in range(10):
            quadrics[a, k] += quadrics[b, k]
        kind[a] = max(kind[a], kind[b])
        moved[a] = moved[b] = True
        removed += shared
        if removed >= goal:
            break
    return removed


@jit
def _shared(faces, first, last, refs, kind, a, b, mark, stamp):
    """Number of triangles at edge (a, b), 1 or 2; 0 if its collapse would change the topology.

    mark (V,) holds numbers below `stamp`; `stamp` and `stamp` + 1 are used.
    """
    shared = around_a = around_b = common = 0
    for r in range(first[a], last[a]):
        f = refs[r]
        if faces[f, 0] < 0:
            continue
        around_a += 1
        for k in range(3):
            mark[faces[f, k]] = stamp
            shared += faces[f, k] == b
    mark[a] = mark[b] = stamp + 1
    for r in range(first[b], last[b]):
        f = refs[r]
        if faces[f, 0] < 0:
            continue
        around_b += 1
        for k in range(3):
            if mark[faces[f, k]] == stamp:
                mark[faces[f, k]] = stamp + 1
                common += 1
    if shared != common or shared > 2:
        return 0
    if kind[a] == BORDER and kind[b] == BORDER and shared == 2:
        return 0
    # a triangle or a tetrahedron by itself stays
    if around_a == around_b == 2 * shared - 1:
        return 0
    return shared


@jit
def _sound(points, faces, first, last, refs, a, b, p, limits, mark, stamp, slot, normals):
    """Whether edge (a, b) can become point p without a triangle too narrow, turned over or folded.

    limits: the least quality, and the cosine of the sharpest fold. mark (V,) holds numbers below
    `stamp`, which is used; normals (M, 3): a buffer; more than M triangles are refused.
    """
    quality, fold = limits
    count = 0
    for side in range(2):
        v, other = (a, b) if side == 0 else (b, a)
        for r in range(first[v], last[v]):
            s, t = _others(faces, refs[r], v)
            if s < 0 or s == other or t == other:
                continue
            start, end = place(points, s), place(points, t)
            before, was = _normal_and_quality(place(points, v), start, end)
            normal, now = _normal_and_quality(p, start, end)
            turned = dot(before, normal) <= 0 and was >= QUALITY
            if now < quality or turned or count == len(normals):
                return False
            normals[count, 0], normals[count, 1], normals[count, 2] = normal
            slot[s], mark[s] = count, stamp
            count += 1
    for side in range(2):
        v, other = (a, b) if side == 0 else (b, a)
        for r in range(first[v], last[v]):
            s, t = _others(faces, refs[r], v)
            if s < 0 or s == other or t == other:
                continue
            normal = place(normals, slot[s])
            if mark[t] == stamp and dot(normal, place(normals, slot[t])) < fold:
                return False
            beyond = _across(faces, first, last, refs, s, t, refs[r])
            if beyond >= 0 and dot(normal, _normal(points, faces, beyond)) < fold:
                return False
    return True


@jit
def _state(points, faces, first, last, refs, a, b):
    """Limits for the surroundings of edge (a, b) that are already worse than QUALITY or FOLD."""
    quality, fold = QUALITY, FOLD
    for side in range(2):
        v = a if side == 0 else b
        for r in range(first[v], last[v]):
            f = refs[r]
            s, t = _others(faces, f, v)
            if s < 0:
                continue
            corner, start, end = place(points, v), place(points, s), place(points, t)
            normal, here = _normal_and_quality(corner, start, end)
            quality = min(quality, 0.9 * here if here > FLAT else 0.0)
            for k in range(2):
                beyond = _across(faces, first, last, refs, s, t if k == 0 else v, f)
                if beyond >= 0:
                    fold = min(fold, dot(normal, _normal(points, faces, beyond)))
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
def _across(faces, first, last, refs, s, t, f):
    """The triangle on the other side of edge (s, t) of triangle f, or -1."""
    for r in range(first[s], last[s]):
        g = refs[r]
        if g != f and faces[g, 0] >= 0 and (faces[g, 0] == t or faces[g, 1] == t or faces[g, 2] == t):
            return g
    return -1


@jit
def _normal_and_quality(p, q, r):
    """A triangle's unit normal, zero where it is flat, and its quality."""
    u, v = difference(q, p), difference(r, p)
    w = difference(r, q)
    x, y, z = cross(u, v)
    twice = np.sqrt(x * x + y * y + z * z)
    if twice == 0:
        return (0.0, 0.0, 0.0), 0.0
    quality = 2 * np.sqrt(3.0) * twice / (dot(u, u) + dot(v, v) + dot(w, w))
    scale = 1 / twice if quality > FLAT else 0.0
    return (x * scale, y * scale, z * scale), quality


@jit
def _normal(points, faces, f):
    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
    return _normal_and_quality(place(points, i), place(points, j), place(points, k))[0]


@jit
def compact(points, quadrics, kind, faces):
    """Move remaining vertices and triangles to the front of the arrays; returns their numbers."""
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
