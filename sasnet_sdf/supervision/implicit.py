"""The implicit surface of an oriented cloud: algebraic spheres fitted to points and normals.

Guennebaud & Gross 2007 (algebraic point set surfaces), in the closed form of Guennebaud, Germann
& Gross 2008, sec. 3. A query is first brought to the surface, and neighbours are weighed by their
distance from there, not from the query: weights that followed the query off the surface would
bend the slope of the distance.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

PROJECTIONS = 2
_AGREEMENT = 0.3  # 1 - cos of the normals' angle at which a neighbour's weight falls to exp(-1/2)
_MOST = 128


@njit(cache=True)
def _kth_smallest(values, count, k):
    """The k-th smallest (from 0) of the first `count` values, which are reordered."""
    lo, hi = 0, count - 1
    while lo < hi:
        pivot = values[(lo + hi) // 2]
        i, j = lo, hi
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            hi = j
        elif k >= i:
            lo = i
        else:
            break
    return values[k]


@njit(cache=True)
def _fit_sphere(points, normals, lists, nearest, centre, wanted, squared, ordered):
    """u0, u1..u3, u4 of S(x) = u0 + u.x + u4 x.x about `centre`, scaled so that |grad S| = 1 on S = 0."""
    count = lists.shape[1] + 1
    for k in range(count):
        i = nearest if k == 0 else lists[nearest, k - 1]
        d = 0.0
        for a in range(3):
            d += (points[i, a] - centre[a]) ** 2
        squared[k] = d
        ordered[k] = d
    radius = 1.1 * _kth_smallest(ordered, count, min(wanted, count - 1)) + 1e-300
    w = pn = pp = 0.0
    p0 = p1 = p2 = n0 = n1 = n2 = 0.0
    for k in range(count):
        if squared[k] >= radius:
            continue
        i = nearest if k == 0 else lists[nearest, k - 1]
        cosine = 0.0
        for a in range(3):
            cosine += normals[i, a] * normals[nearest, a]
        weight = (1 - squared[k] / radius) ** 2 * np.exp(-0.5 * ((1 - cosine) / _AGREEMENT) ** 2)
        x, y, z = points[i, 0] - centre[0], points[i, 1] - centre[1], points[i, 2] - centre[2]
        a, b, c = normals[i, 0], normals[i, 1], normals[i, 2]
        w += weight
        p0, p1, p2 = p0 + weight * x, p1 + weight * y, p2 + weight * z
        n0, n1, n2 = n0 + weight * a, n1 + weight * b, n2 + weight * c
        pn += weight * (x * a + y * b + z * c)
        pp += weight * (x * x + y * y + z * z)
    if w <= 0:
        n0, n1, n2 = normals[nearest, 0], normals[nearest, 1], normals[nearest, 2]
        p0, p1, p2 = (
            points[nearest, 0] - centre[0],
            points[nearest, 1] - centre[1],
            points[nearest, 2] - centre[2],
        )
        return -(n0 * p0 + n1 * p1 + n2 * p2), n0, n1, n2, 0.0
    spread = pp - (p0 * p0 + p1 * p1 + p2 * p2) / w
    u4 = 0.0
    if spread > 1e-12 * radius * w:
        u4 = 0.5 * (pn - (p0 * n0 + p1 * n1 + p2 * n2) / w) / spread
    u1, u2, u3 = (n0 - 2 * u4 * p0) / w, (n1 - 2 * u4 * p1) / w, (n2 - 2 * u4 * p2) / w
    u0 = -(u1 * p0 + u2 * p1 + u3 * p2 + u4 * pp) / w
    scale = np.sqrt(max(u1 * u1 + u2 * u2 + u3 * u3 - 4 * u0 * u4, 1e-12))
    return u0 / scale, u1 / scale, u2 / scale, u3 / scale, u4 / scale


@njit(cache=True, parallel=True)
def signed_distances(points, normals, lists, spacing, queries, nearest, wanted, distances, gradients):
    """Signed distances (M,) and unit gradients (M, 3) at queries (M, 3), negative inside.

    nearest (M,): the point nearest to each query. wanted (N,): how many neighbours each point's
    fit takes. The magnitude stays within what the distance to the nearest point, known to its
    `spacing` (N,), allows.
    """
    for q in prange(len(queries)):
        squared, ordered = np.empty(_MOST), np.empty(_MOST)
        j = nearest[q]
        centre, offset = np.empty(3), np.empty(3)
        height = 0.0
        for a in range(3):
            height += (queries[q, a] - points[j, a]) * normals[j, a]
        for a in range(3):  # first guess of the foot: the projection on the nearest point's plane
            centre[a] = queries[q, a] - height * normals[j, a]
        reach = 0.0
        for a in range(3):
            reach += (centre[a] - points[j, a]) ** 2
        limit = 2 * spacing[j]
        if reach > limit * limit:
            for a in range(3):
                centre[a] = points[j, a] + (centre[a] - points[j, a]) * limit / np.sqrt(reach)
        distance = 0.0
        for _ in range(PROJECTIONS):
            u0, u1, u2, u3, u4 = _fit_sphere(points, normals, lists, j, centre, wanted[j], squared, ordered)
            for a in range(3):
                offset[a] = queries[q, a] - centre[a]
            x, y, z = offset
            value = u0 + u1 * x + u2 * y + u3 * z + u4 * (x * x + y * y + z * z)
            distance = 2 * value / (1 + np.sqrt(max(1 + 4 * u4 * value, 0.0)))
            g0, g1, g2 = u1 + 2 * u4 * x, u2 + 2 * u4 * y, u3 + 2 * u4 * z
            length = np.sqrt(g0 * g0 + g1 * g1 + g2 * g2)
            if length < 1e-9:
                g0, g1, g2, length = normals[j, 0], normals[j, 1], normals[j, 2], 1.0
            gradients[q, 0], gradients[q, 1], gradients[q, 2] = g0 / length, g1 / length, g2 / length
            reach = 0.0
            for a in range(3):
                offset[a] = queries[q, a] - distance * gradients[q, a] - points[j, a]
                reach += offset[a] ** 2
            if reach > limit * limit:  # the foot has left the neighbourhood: the fit says nothing there
                break
            for a in range(3):
                centre[a] = points[j, a] + offset[a]
        straight = 0.0
        for a in range(3):
            straight += (queries[q, a] - points[j, a]) ** 2
        straight = np.sqrt(straight)
        farthest = straight + 0.5 * spacing[j]
        closest = straight - 1.5 * spacing[j]
        size = min(max(abs(distance), closest), farthest)
        distances[q] = size if distance >= 0 else -size
