"""The implicit surface of an oriented cloud: algebraic spheres fitted to points and normals.

Guennebaud & Gross 2007 (algebraic point set surfaces), in the closed form of Guennebaud, Germann
& Gross 2008, sec. 3. Neighbours are weighed by their distance from where the query falls on the
surface, not from the query: weights that followed the query off the surface would bend the slope
of the distance. Where the normals around a query fall into groups, at an edge or between two
sheets, each group is a surface of its own, and the solid is their intersection or their union
(Ohtake et al. 2003, sec. 4.2). Weights grow towards the query as an inverse square, so that the
surface nearly interpolates exact points (Shen, O'Brien & Shewchuk 2004).
"""

from __future__ import annotations

import numpy as np

from ..runtime.compiled import kernel, part

GROUPS = 3
PROJECTIONS = 2
_ALIKE = 0.5  # the cosine between normals from which they belong to one group
_AGREEMENT = 0.3  # 1 - cos of the normals' angle at which a neighbour's weight falls to exp(-1/2)
_FEWEST = 6
_APART = 0.1  # widths that groups must lie beside one another to be told apart
_HOLE = 1.2  # widths across which there may be no sample, to either side
_REACH = 1.2  # widths from the nearest point that a foot may be


@kernel
def signed_distances(start, stop, surfels, lists, width, core, queries, nearest, distances, gradients):
    """Signed distances (M,) and unit gradients (M, 3) at queries start..stop of (M, 3), negative inside.

    surfels (6 N,): points and normals, flat. lists (N, k): neighbours. width (N,): the radius of
    the fit around each point. core: added to squared distances, in squared radii, in
    the weights' denominator. nearest (M,): the point nearest to each query.
    """
    count = lists.shape[1] + 1
    near, group = np.empty(count, np.int64), np.empty(count, np.int64)
    heads = np.empty(GROUPS, np.int64)
    query, slope, sums = np.empty(3), np.empty(3), np.empty(6)
    first, other = np.empty(8), np.empty(8)
    for q in range(start, stop):
        for a in range(3):
            query[a] = queries[q, a]
        near[0] = nearest[q]
        for k in range(1, count):
            near[k] = lists[near[0], k - 1]
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
            value = here
            for a in range(3):
                gradients[q, a] = slope[a]
        distances[q] = bounded(value, squared_distance(surfels, near[0], query), radius)


@part
def bounded(value, squared, radius):
    """A signed distance, no smaller or larger than the squared distance to the nearest point allows."""
    # the surface is no nearer than through the middle of the widest hole between samples
    closest = np.sqrt(max(squared - (_HOLE * radius) ** 2, 0.0))
    farthest = np.sqrt(squared) + 0.5 * radius
    size = min(max(abs(value), closest), farthest)
    return size if value >= 0 else -size


@part
def squared_distance(surfels, i, place):
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
    """Number the groups of alike normals among points `near`; how many there are.

    A group has at least a FEWEST-th of the points, since normals that were estimated are wrong
    here and there; points of lesser groups are in none. The first group is that of the nearest
    such point. A group's head is its member nearest to the query.
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
    if kept == 0:  # no two alike: the nearest point is all there is
        group[0], heads[0], kept = 0, near[0], 1
    return kept


@part
def _project(surfels, near, group, which, head, width, core, query, sphere, slope, sums):
    """The signed distance of the query from a group's surface; `slope` is its unit gradient there."""
    distance = 0.0
    for a in range(3):
        slope[a] = surfels[6 * head + 3 + a]
        distance += (query[a] - surfels[6 * head + a]) * slope[a]
    for _ in range(PROJECTIONS):
        far = 0.0
        for a in range(3):
            sphere[5 + a] = query[a] - distance * slope[a] - surfels[6 * head + a]
            far += sphere[5 + a] ** 2
        # beyond the neighbours a fit says nothing
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
    """A sphere's value at places[i : i + 3], which as a slice would take longer to compile."""
    total = sphere[0]
    for a in range(3):
        off = places[i + a] - sphere[5 + a]
        total += (sphere[1 + a] + sphere[4] * off) * off
    return total


@part
def _offset(surfels, near, group, which, sphere):
    """The mean of a sphere's values at a group's points."""
    total, size = 0.0, 0
    for k in range(len(near)):
        if group[k] == which:
            total += _value(sphere, surfels, 6 * near[k])
            size += 1
    return total / max(size, 1)


@part
def _fit(surfels, near, group, which, head, width, core, sphere, sums):
    """sphere[:5] = u of S(x) = u0 + u.x + u4 x.x about sphere[5:8], scaled so that |grad S| = 1 on S = 0."""
    w = pn = pp = 0.0
    for a in range(6):
        sums[a] = 0.0  # of points, and of normals
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
    if w <= 0:  # no neighbour is near enough: the plane of the head
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
