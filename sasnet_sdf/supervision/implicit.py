"""The implicit surface of an oriented cloud: algebraic spheres fitted to points and normals.

Guennebaud & Gross 2007 (algebraic point set surfaces), in the closed form of Guennebaud, Germann & Gross
2008, sec. 3. Neighbors are weighted by their distance from the query's projection onto the surface. Weights
by the distance from the query itself would change with its height and so distort the slope of the result. If
the normals around a query fall into groups, at an edge or between two sheets, each group has its own surface,
and the solid is their intersection or their union (Ohtake et al. 2003, sec. 4.2). Weights grow towards the
query as an inverse square, so that the surface nearly interpolates exact points (Shen, O'Brien & Shewchuk
2004).
"""

from __future__ import annotations

import numpy as np

from ..geometry import Array, Indices
from ..runtime.compiled import kernel, over_ranges, part

_GROUPS = 3  # largest number of groups of normals around a query
_PROJECTIONS = 2  # number of times the query is projected onto the surface before neighbors are weighted
_ALIKE = 0.5  # the cosine between normals from which on they belong to the same group
_AGREEMENT = 0.3  # 1 - cos of the angle between normals at which a neighbor's weight falls to exp(-1/2)
_FEWEST = 6  # the number of neighbors over the least size of a group
_APART = 0.1  # least distance, in widths, between the surfaces of groups that count as two
_HOLE = 1.2  # distance from a point, in widths, within which there may be no other sample
_REACH = 1.2  # largest distance, in widths, of a projection from the nearest point


def signed_distances(
    surfels: Array, lists: Indices, width: Array, core: float, queries: Array, nearest: Indices
) -> tuple[Array, Array]:
    """Signed distances (M,), negative inside, and unit gradients (M, 3) at queries (M, 3).

    surfels: (6 N,) points and outward unit normals, flat. lists: (N, k) neighbors. width: (N,) radius of the
    fit around each point. core: added to squared distances (in squared radii) in the denominator of the
    weights. nearest: (M,) the point nearest to each query.
    """
    found = np.empty(len(queries)), np.empty((len(queries), 3))
    over_ranges(_distances, len(queries), surfels, lists, width, core, queries, nearest, *found)
    return found


@kernel
def _distances(start, stop, surfels, lists, width, core, queries, nearest, distances, gradients):
    count = lists.shape[1] + 1
    near, group = np.empty(count, np.int64), np.empty(count, np.int64)
    heads = np.empty(_GROUPS, np.int64)
    query, slope, sums = np.empty(3), np.empty(3), np.empty(6)
    first, other = np.empty(8), np.empty(8)
    for q in range(start, stop):
        query[:], near[0] = queries[q], nearest[q]
        near[1:] = lists[near[0]]
        radius = width[near[0]]
        apart, value = _APART * radius, 0.0
        for g in range(_split(surfels, near, query, group, heads)):
            sphere = first if g == 0 else other
            here = _project(surfels, near, group, g, heads[g], radius, core, query, sphere, slope, sums)
            if g > 0:
                there = _offset(surfels, near, group, g, first)
                back = _offset(surfels, near, group, np.int64(0), other)
                behind, before = max(there, back) < -apart, min(there, back) > apart
                if not ((behind and here > value) or (before and here < value)):
                    continue
            value, gradients[q] = here, slope
        distances[q] = bounded(value, squared_distance(surfels, near[0], query), radius)


@part
def bounded(value: float, squared: float, radius: float) -> float:
    """A signed distance, limited to what the squared distance to the nearest point allows."""
    # the surface is at least as far away as the middle of the widest hole between samples would be
    closest = np.sqrt(max(squared - (_HOLE * radius) ** 2, 0.0))
    farthest = np.sqrt(squared) + 0.5 * radius
    size = min(max(abs(value), closest), farthest)
    return size if value >= 0 else -size


@part
def squared_distance(surfels: Array, i: int, place: Array) -> float:
    """The squared distance between point i of surfels (6 N,) and a place (3,)."""
    total = 0.0
    for a in range(3):
        total += (surfels[6 * i + a] - place[a]) ** 2
    return total


@part
def _cosine(surfels, i, j):
    total = 0.0
    for a in range(3, 6):
        total += surfels[6 * i + a] * surfels[6 * j + a]
    return total


@part
def _split(surfels, near, query, group, heads):
    """Group points `near` by their normals; returns the number of groups.

    A group has at least 1/_FEWEST of the points, since some estimated normals are wrong; the points of
    smaller groups are omitted. The first group contains the nearest of the remaining points. The head of a
    group is its member nearest to the query.
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
                d = squared_distance(surfels, near[k], query)
                if d < least:
                    least, head = d, near[k]
        if size * _FEWEST >= count:
            heads[kept] = head
            kept += 1
        for k in range(count):
            if group[k] == g:
                group[k] = kept - 1 if size * _FEWEST >= count else -1
    if kept == 0:  # no group is large enough: only the nearest point counts
        group[0], heads[0], kept = 0, near[0], 1
    return kept


@part
def _project(surfels, near, group, which, head, width, core, query, sphere, slope, sums):
    """The signed distance of the query from a group's surface; writes its unit gradient to `slope`."""
    distance = 0.0
    for a in range(3):
        slope[a] = surfels[6 * head + 3 + a]
        distance += (query[a] - surfels[6 * head + a]) * slope[a]
    for _ in range(_PROJECTIONS):
        far = 0.0
        for a in range(3):
            sphere[5 + a] = query[a] - distance * slope[a] - surfels[6 * head + a]
            far += sphere[5 + a] ** 2
        # a fit is meaningless beyond its neighbors
        share = min(_REACH * width / np.sqrt(far + 1e-300), 1.0)
        for a in range(3):
            sphere[5 + a] = surfels[6 * head + a] + share * sphere[5 + a]
        _fit(surfels, near, group, which, head, width, core, sphere, sums)
        value = _value(sphere, query, np.int64(0))
        distance = 2 * value / (1 + np.sqrt(max(1 + 4 * sphere[4] * value, 0.0)))
        length = 0.0
        for a in range(3):
            slope[a] = sphere[1 + a] + 2 * sphere[4] * (query[a] - sphere[5 + a])
            length += slope[a] ** 2
        length = np.sqrt(length)
        for a in range(3):
            slope[a] = slope[a] / length if length > 1e-9 else surfels[6 * head + 3 + a]
    return distance


@part
def _value(sphere, places, i):
    """The value of a sphere at places[i : i + 3]; passing a slice would take longer to compile."""
    total = sphere[0]
    for a in range(3):
        off = places[i + a] - sphere[5 + a]
        total += (sphere[1 + a] + sphere[4] * off) * off
    return total


@part
def _offset(surfels, near, group, which, sphere):
    """The mean of the values of a sphere at the points of a group."""
    total, size = 0.0, 0
    for k in range(len(near)):
        if group[k] == which:
            total += _value(sphere, surfels, 6 * near[k])
            size += 1
    return total / max(size, 1)


@part
def _fit(surfels, near, group, which, head, width, core, sphere, sums):
    """Fit S(x) = u0 + u.x + u4 x.x about sphere[5:8] to a group, scaled so that |grad S| = 1 on S = 0.

    Writes u to sphere[:5].
    """
    w = pn = pp = 0.0
    sums[:] = 0.0  # of points, and of normals
    for k in range(len(near)):
        if group[k] != which:
            continue
        i = 6 * near[k]
        squared = along = 0.0
        for a in range(3):
            off = surfels[i + a] - sphere[5 + a]
            squared += off * off
            along += off * surfels[i + 3 + a]
        share = 1 - squared / (width * width)
        if share <= 0:
            continue
        unlike = (1 - _cosine(surfels, near[k], head)) / _AGREEMENT
        weight = share * share / (squared / (width * width) + core) * np.exp(-0.5 * unlike * unlike)
        w += weight
        pn += weight * along
        pp += weight * squared
        for a in range(3):
            sums[a] += weight * (surfels[i + a] - sphere[5 + a])
            sums[3 + a] += weight * surfels[i + 3 + a]
    if w <= 0:  # if no neighbor is near enough, use the head's plane
        w = 1.0
        for a in range(3):
            sums[a], sums[3 + a] = surfels[6 * head + a] - sphere[5 + a], surfels[6 * head + 3 + a]
    cross = square = 0.0
    for a in range(3):
        cross += sums[a] * sums[3 + a] / w
        square += sums[a] * sums[a] / w
    spread = pp - square
    sphere[4] = 0.5 * (pn - cross) / spread if spread > 1e-12 * width * width * w else 0.0
    sphere[0] = -sphere[4] * pp / w
    scale = 0.0
    for a in range(3):
        sphere[1 + a] = (sums[3 + a] - 2 * sphere[4] * sums[a]) / w
        sphere[0] -= sphere[1 + a] * sums[a] / w
        scale += sphere[1 + a] ** 2
    scale = np.sqrt(max(scale - 4 * sphere[0] * sphere[4], 1e-12))
    for a in range(5):
        sphere[a] /= scale
