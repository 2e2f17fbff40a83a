"""The implicit surface of an oriented cloud: algebraic spheres fitted to points and normals.

Guennebaud & Gross 2007 (algebraic point set surfaces), in the closed form of Guennebaud, Germann
& Gross 2008, sec. 3. Neighbours are weighed by their distance from where the query falls on the
surface, not from the query: weights that followed the query off the surface would bend the slope
of the distance. Where the normals around a query fall into groups, at an edge or between two
sheets, each group is a surface of its own, and the solid is their intersection or their union
(Ohtake et al. 2003, sec. 4.2).
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel, part

GROUPS = 3
PROJECTIONS = 2
_ALIKE = 0.5  # the cosine between normals from which they belong to one group
_AGREEMENT = 0.3  # 1 - cos of the normals' angle at which a neighbour's weight falls to exp(-1/2)
_FEWEST = 6
_APART = 0.1  # widths that groups must lie beside one another to be told apart
_HOLE = 1.2  # widths across which there may be no sample, to either side
_REACH = 1.2  # widths from the nearest point that a foot may be


@kernel
def signed_distances(start, stop, surfels, lists, width, queries, nearest, distances, gradients):
    """Signed distances (M,) and unit gradients (M, 3) at queries start..stop of (M, 3), negative inside.

    surfels (6 N,): points and normals, flat. lists (N, k): neighbours. width (N,): the radius of
    the fit around each point. nearest (M,): the point nearest to each query.
    """
    count = lists.shape[1] + 1
    near, group = np.empty(count, np.int64), np.empty(count, np.int64)
    heads = np.empty(GROUPS, np.int64)
    spheres = np.empty((GROUPS, 8))
    for q in range(start, stop):
        x, y, z = queries[q, 0], queries[q, 1], queries[q, 2]
        near[0] = nearest[q]
        for k in range(1, count):
            near[k] = lists[near[0], k - 1]
        j = near[0]
        apart = _APART * width[j]
        value = g0 = g1 = g2 = 0.0
        for g in range(_split(surfels, near, x, y, z, group, heads)):
            here, h0, h1, h2 = _project(surfels, near, group, g, heads[g], width[j], x, y, z, spheres[g])
            if g > 0:
                there = _offset(surfels, near, group, g, spheres[0])
                back = _offset(surfels, near, group, np.int64(0), spheres[g])
                behind, before = max(there, back) < -apart, min(there, back) > apart
                if not ((behind and here > value) or (before and here < value)):
                    continue
            value, g0, g1, g2 = here, h0, h1, h2
        straight = _squared_distance(surfels, j, x, y, z)
        # the surface is no nearer than through the middle of the widest hole between samples
        closest = np.sqrt(max(straight - (_HOLE * width[j]) ** 2, 0.0))
        farthest = np.sqrt(straight) + 0.5 * width[j]
        size = min(max(abs(value), closest), farthest)
        distances[q] = size if value >= 0 else -size
        gradients[q, 0], gradients[q, 1], gradients[q, 2] = g0, g1, g2


@part
def _squared_distance(surfels, i, x, y, z):
    return (surfels[6 * i] - x) ** 2 + (surfels[6 * i + 1] - y) ** 2 + (surfels[6 * i + 2] - z) ** 2


@part
def _cosine(surfels, i, j):
    a, b = 6 * i + 3, 6 * j + 3
    return surfels[a] * surfels[b] + surfels[a + 1] * surfels[b + 1] + surfels[a + 2] * surfels[b + 2]


@part
def _split(surfels, near, x, y, z, group, heads):
    """Number the groups of alike normals among points `near`; how many there are.

    A group has at least a FEWEST-th of the points, since normals that were estimated are wrong
    here and there; points of lesser groups are in none. The first group is that of the nearest
    such point. A group's head is its member nearest to (x, y, z).
    """
    count, found, kept = len(near), 0, 0
    for k in range(count):
        group[k] = -1
        for g in range(found):
            if _cosine(surfels, near[k], heads[g]) > _ALIKE:
                group[k] = g
                break
        if group[k] < 0 and found < len(heads):
            group[k], heads[found] = found, near[k]
            found += 1
    for g in range(found):
        size, least, head = 0, np.inf, heads[g]
        for k in range(count):
            if group[k] == g:
                size += 1
                d = _squared_distance(surfels, near[k], x, y, z)
                if d < least:
                    least, head = d, near[k]
        if size * _FEWEST >= count:
            heads[kept] = head
            kept += 1
        for k in range(count):
            if group[k] == g:
                group[k] = kept - 1 if size * _FEWEST >= count else -1
    if kept == 0:  # no two alike: the nearest point is all there is
        group[0], heads[0], kept = 0, near[0], 1
    return kept


@part
def _project(surfels, near, group, which, head, width, x, y, z, sphere):
    """The signed distance of (x, y, z) from a group's surface and its unit gradient there."""
    px, py, pz = surfels[6 * head], surfels[6 * head + 1], surfels[6 * head + 2]
    g0, g1, g2 = surfels[6 * head + 3], surfels[6 * head + 4], surfels[6 * head + 5]
    distance = (x - px) * g0 + (y - py) * g1 + (z - pz) * g2
    reach = _REACH * width
    for _ in range(PROJECTIONS):
        fx, fy, fz = x - distance * g0 - px, y - distance * g1 - py, z - distance * g2 - pz
        far = np.sqrt(fx * fx + fy * fy + fz * fz)
        if far > reach:  # beyond the neighbours a fit says nothing
            fx, fy, fz = fx * reach / far, fy * reach / far, fz * reach / far
        sphere[5], sphere[6], sphere[7] = px + fx, py + fy, pz + fz
        _fit(surfels, near, group, which, head, width, sphere)
        rx, ry, rz = x - sphere[5], y - sphere[6], z - sphere[7]
        value = _value(sphere, x, y, z)
        distance = 2 * value / (1 + np.sqrt(max(1 + 4 * sphere[4] * value, 0.0)))
        g0, g1, g2 = (
            sphere[1] + 2 * sphere[4] * rx,
            sphere[2] + 2 * sphere[4] * ry,
            sphere[3] + 2 * sphere[4] * rz,
        )
        length = np.sqrt(g0 * g0 + g1 * g1 + g2 * g2)
        if length < 1e-9:
            g0, g1, g2, length = surfels[6 * head + 3], surfels[6 * head + 4], surfels[6 * head + 5], 1.0
        g0, g1, g2 = g0 / length, g1 / length, g2 / length
    return distance, g0, g1, g2


@part
def _value(sphere, x, y, z):
    x, y, z = x - sphere[5], y - sphere[6], z - sphere[7]
    return sphere[0] + sphere[1] * x + sphere[2] * y + sphere[3] * z + sphere[4] * (x * x + y * y + z * z)


@part
def _offset(surfels, near, group, which, sphere):
    """The mean of a sphere's values at a group's points."""
    total, size = 0.0, 0
    for k in range(len(near)):
        if group[k] == which:
            i = 6 * near[k]
            total += _value(sphere, surfels[i], surfels[i + 1], surfels[i + 2])
            size += 1
    return total / max(size, 1)


@part
def _fit(surfels, near, group, which, head, width, sphere):
    """sphere[:5] = u of S(x) = u0 + u.x + u4 x.x about sphere[5:8], scaled so that |grad S| = 1 on S = 0."""
    cx, cy, cz = sphere[5], sphere[6], sphere[7]
    w = pn = pp = 0.0
    p0 = p1 = p2 = n0 = n1 = n2 = 0.0
    for k in range(len(near)):
        if group[k] != which:
            continue
        i = 6 * near[k]
        x, y, z = surfels[i] - cx, surfels[i + 1] - cy, surfels[i + 2] - cz
        squared = x * x + y * y + z * z
        share = 1 - squared / (width * width)
        if share <= 0:
            continue
        weight = share * share * np.exp(-0.5 * ((1 - _cosine(surfels, near[k], head)) / _AGREEMENT) ** 2)
        a, b, c = surfels[i + 3], surfels[i + 4], surfels[i + 5]
        w += weight
        p0, p1, p2 = p0 + weight * x, p1 + weight * y, p2 + weight * z
        n0, n1, n2 = n0 + weight * a, n1 + weight * b, n2 + weight * c
        pn += weight * (x * a + y * b + z * c)
        pp += weight * squared
    if w <= 0:
        i = 6 * head
        n0, n1, n2 = surfels[i + 3], surfels[i + 4], surfels[i + 5]
        sphere[0] = (cx - surfels[i]) * n0 + (cy - surfels[i + 1]) * n1 + (cz - surfels[i + 2]) * n2
        sphere[1], sphere[2], sphere[3], sphere[4] = n0, n1, n2, 0.0
        return
    spread = pp - (p0 * p0 + p1 * p1 + p2 * p2) / w
    u4 = 0.0
    if spread > 1e-12 * width * width * w:
        u4 = 0.5 * (pn - (p0 * n0 + p1 * n1 + p2 * n2) / w) / spread
    u1, u2, u3 = (n0 - 2 * u4 * p0) / w, (n1 - 2 * u4 * p1) / w, (n2 - 2 * u4 * p2) / w
    u0 = -(u1 * p0 + u2 * p1 + u3 * p2 + u4 * pp) / w
    scale = np.sqrt(max(u1 * u1 + u2 * u2 + u3 * u3 - 4 * u0 * u4, 1e-12))
    sphere[0], sphere[1], sphere[2], sphere[3], sphere[4] = (
        u0 / scale,
        u1 / scale,
        u2 / scale,
        u3 / scale,
        u4 / scale,
    )
