"""A smooth field through few points with normals: Hermite interpolation, blended from local patches.

If points are few, the surface bends more between neighbors than a sphere can follow. The field of a patch is
0 at all its points and has their normals as gradients there. It is the smoothest such field, a sum of r^3 and
its derivatives about the points (Macedo et al. 2011; Huang et al. 2019). Neighboring patches are blended as
in Ohtake et al. 2003. A patch contains both sides of a thin part, so that the sides need not be separated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..geometry import Array, Indices
from ..runtime.compiled import kernel, over_ranges, part
from ..runtime.progress import steps
from ..spatial import Tree
from .implicit import bounded, squared_distance

FEW, MANY = 25_000, 75_000
"""Up to FEW points the smooth field has full weight. From MANY points on it has none, since spheres are then
as accurate and take less time."""

MOST_MEMBERS, AT = 64, 5_000
"""MOST_MEMBERS: number of points of a patch in clouds of up to AT points. Larger clouds have smaller patches,
so that the time of the fits, which grows with the number of patches and the cube of their size, stays the
same."""

_SHARED = 8  # nearest neighbors of a patch's center, around which the patch is used too
_LOOSE = 0.1  # variance of normals, relative to that of the field's slope over a spacing: points may be close
_SLACK = 1e-9  # variance of values, for the same reason, in radii cubed
_FLAT = 100.0  # variance of the linear part of a patch's field, large compared with that of the rest
# At a sharp edge, spheres on each side are closer to the surface than a smooth field. Edges are recognized
# from _AROUND neighbors: a share of about _BEYOND of the normals differ by more than 60 degrees (cosine below
# _UNLIKE), and the others by a mean 1 - cos below _CRISP.
_AROUND, _BEYOND, _UNLIKE, _CRISP = 16, 0.2, 0.5, 0.02
_NEAR, _FAR = 0.75, 2.0  # distances from the nearest point, in widths, between which the weight falls to zero


class HermiteFits(NamedTuple):
    """The fields of patches, to be blended.

    patch: (N,) the patch of each point. members: (P, K) the points of each patch, its center first. radius:
    (P,) distance of the farthest member from the center. coefficients: (P, 4 K + 4) for each member's kernel
    and its three derivatives, then for the linear part about the center, in radii. share: (N,) weight of the
    fields around each point, from 0 to 1.
    """

    patch: Indices
    members: Indices
    radius: Array
    coefficients: Array
    share: Array

    @classmethod
    def of(cls, tree: Tree, surfels: Array, lists: Indices) -> HermiteFits:
        """Fit patches to the points of a tree.

        surfels: (6 N,) points and unit normals, flat. lists: (N, k) neighbors, nearest first.
        """
        count = len(tree.points)
        step = steps()
        step(0.2)
        size = round(MOST_MEMBERS * min(AT / count, 1.0) ** (1 / 3))
        near, distances = tree.neighbors(size - 1)
        patch, centers = _patches(near[:, :_SHARED])
        members = np.concatenate([centers[:, None], near[centers]], 1)
        radius = distances[centers, -1].astype(np.float64)
        spacing = distances[centers, :_SHARED].mean(1) / radius
        coefficients = np.empty((len(centers), 4 * members.shape[1] + 4))
        step(1.0)
        over_ranges(_fit, len(centers), surfels, members, radius, _LOOSE * spacing, coefficients)
        share = fewness(count) * (1 - _crispness(surfels, lists))
        return cls(patch, members, radius, coefficients, share)

    def distance(
        self, surfels: Array, lists: Indices, width: Array, queries: Array, nearest: Indices
    ) -> tuple[Array, Array, Array]:
        """Signed distances (M,), unit gradients (M, 3) and weights (M,) at queries (M, 3).

        surfels, lists: as in `of`. width: (N,) radius within which neighbors are blended. nearest: (M,) the
        point nearest to each query.
        """
        count = len(queries)
        found = np.empty(count), np.empty((count, 3)), np.empty(count)
        over_ranges(_evaluate, count, surfels, lists, width, self, queries, nearest, *found)
        return found


def fewness(count: int) -> float:
    """The weight of the smooth field for a number of points: 1 for few, 0 for many, smooth in between."""
    t = np.clip(np.log(count / FEW) / np.log(MANY / FEW), 0, 1)
    return float(1 - t * t * (3 - 2 * t))


def _patches(lists: Indices) -> tuple[Indices, Indices]:
    """The patch (N,) of each point, and the centers (P,): points that are in no earlier patch."""
    patch, centers = np.full(len(lists), -1, np.int32), []
    for point, near in enumerate(lists):
        if patch[point] < 0:
            patch[near[patch[near] < 0]] = patch[point] = len(centers)
            centers.append(point)
    return patch, np.array(centers)


def _crispness(surfels: Array, lists: Indices) -> Array:
    """How clearly points (N,) lie next to a sharp edge of a smooth surface, from 0 to 1."""
    normals = surfels.reshape(-1, 6)[:, 3:]
    cosines = np.einsum("nki,ni->nk", normals[lists[:, :_AROUND]], normals)
    alike = cosines > _UNLIKE
    bent = ((1 - cosines) * alike).sum(1) / np.maximum(alike.sum(1), 1)
    bent = bent[lists[:, :_AROUND]].mean(1)  # on both sides of the edge
    return np.minimum((1 - alike.mean(1)) / _BEYOND, 1) * np.exp(-((bent / _CRISP) ** 2))


@kernel
def _fit(start, stop, surfels, members, radius, loose, coefficients):
    count = members.shape[1]
    size = 4 * count
    matrix, off = np.empty((size, size)), np.empty(3)
    for p in range(start, stop):
        middle = 6 * members[p, 0]
        for i in range(count):
            m = 6 * members[p, i]
            for j in range(i, count):
                n = 6 * members[p, j]
                for a in range(3):
                    off[a] = (surfels[m + a] - surfels[n + a]) / radius[p]
                _covariances(matrix, 4 * i, 4 * j, off)
                along = 1.0  # and of the linear part
                for a in range(3):
                    x = (surfels[m + a] - surfels[middle + a]) / radius[p]
                    y = (surfels[n + a] - surfels[middle + a]) / radius[p]
                    along += x * y
                    matrix[4 * i, 4 * j + 1 + a] += _FLAT * x
                    matrix[4 * i + 1 + a, 4 * j] += _FLAT * y
                    matrix[4 * i + 1 + a, 4 * j + 1 + a] += _FLAT
                matrix[4 * i, 4 * j] += _FLAT * along
            matrix[4 * i, 4 * i] += _SLACK
            coefficients[p, 4 * i] = 0.0
            for a in range(1, 4):
                matrix[4 * i + a, 4 * i + a] += loose[p]
                coefficients[p, 4 * i + a] = surfels[m + 2 + a]
        _solve(matrix, coefficients[p])
        coefficients[p, size:] = 0.0
        for i in range(count):
            m = 6 * members[p, i]
            coefficients[p, size] += _FLAT * coefficients[p, 4 * i]
            for a in range(3):
                x = (surfels[m + a] - surfels[middle + a]) / radius[p]
                share = x * coefficients[p, 4 * i] + coefficients[p, 4 * i + 1 + a]
                coefficients[p, size + 1 + a] += _FLAT * share


@part
def _covariances(matrix, i, j, off):
    """Write the covariances of values and gradients at two places, `off` (3,) apart, for the kernel r^3."""
    r = np.sqrt(off[0] * off[0] + off[1] * off[1] + off[2] * off[2])
    bend = 3 / r if r > 0 else 0.0
    matrix[i, j] = r * r * r
    for a in range(3):
        matrix[i + 1 + a, j] = 3 * r * off[a]
        matrix[i, j + 1 + a] = -3 * r * off[a]
        for b in range(3):
            matrix[i + 1 + a, j + 1 + b] = -bend * off[a] * off[b]
        matrix[i + 1 + a, j + 1 + a] -= 3 * r


@part
def _solve(matrix, values):
    """Solve a positive definite system in place by Cholesky's factorization.

    The upper triangle is given. The factor is computed row by row, so that inner loops run along memory.
    """
    size = len(matrix)
    for k in range(size):
        root = np.sqrt(matrix[k, k])
        for j in range(k, size):
            matrix[k, j] /= root
        values[k] /= root
        for i in range(k + 1, size):
            share = matrix[k, i]
            values[i] -= share * values[k]
            for j in range(i, size):
                matrix[i, j] -= share * matrix[k, j]
    for k in range(size - 1, -1, -1):
        for j in range(k + 1, size):
            values[k] -= matrix[k, j] * values[j]
        values[k] /= matrix[k, k]


@kernel
def _evaluate(start, stop, surfels, lists, width, fits, queries, nearest, distances, gradients, shares):
    patch, members, radius, coefficients, share = fits
    most = lists.shape[1] + 1
    weights, used = np.empty(most), np.empty(most, np.int64)
    query, slope, total = np.empty(3), np.empty(3), np.empty(3)
    for q in range(start, stop):
        query[:], total[:] = queries[q], 0.0
        close = nearest[q]
        straight = squared_distance(surfels, close, query)
        count, whole, value, mean = 0, 0.0, 0.0, 0.0
        for k in range(most):
            i = close if k == 0 else lists[close, k - 1]
            # by squared distances along the surface: those from the query, less the square of its own
            # distance
            weight = 1 - (squared_distance(surfels, i, query) - straight) / (width[close] * width[close])
            if weight <= 0:
                continue
            u = 0
            while u < count and used[u] != patch[i]:
                u += 1
            if u == count:
                used[u], weights[u] = patch[i], 0.0
                count += 1
            weights[u] += weight * weight
            whole += weight * weight
            mean += weight * weight * share[i]
        # farther away the fit extrapolates, while the distance from a sphere remains a distance
        t = min(max((np.sqrt(straight) / width[close] - _NEAR) / (_FAR - _NEAR), 0.0), 1.0)
        shares[q] = mean / whole * (1 - t * t * (3 - 2 * t))
        for u in range(count):
            p = used[u]
            weight = weights[u] / whole
            inside = _value(surfels, members[p], radius[p], coefficients[p], query, slope)
            value += weight * radius[p] * inside
            for a in range(3):
                total[a] += weight * slope[a]
        length = np.sqrt(total[0] ** 2 + total[1] ** 2 + total[2] ** 2)
        for a in range(3):
            gradients[q, a] = total[a] / length if length > 1e-9 else surfels[6 * close + 3 + a]
        distances[q] = bounded(value / max(length, 1e-9), straight, width[close])


@part
def _value(surfels, members, radius, coefficients, query, slope):
    """The value of a patch's field at a query, in radii; writes its gradient to `slope` (3,)."""
    size, middle = 4 * len(members), 6 * members[0]
    value = coefficients[size]
    for a in range(3):
        slope[a] = coefficients[size + 1 + a]
        value += slope[a] * (query[a] - surfels[middle + a]) / radius
    for k in range(len(members)):
        m = 6 * members[k]
        x = (query[0] - surfels[m]) / radius
        y = (query[1] - surfels[m + 1]) / radius
        z = (query[2] - surfels[m + 2]) / radius
        c, cx, cy, cz = coefficients[4 * k : 4 * k + 4]
        r = np.sqrt(x * x + y * y + z * z)
        along = 3 * (cx * x + cy * y + cz * z)
        value += r * (c * r * r - along)
        radial = 3 * c * r - (along / r if r > 0 else 0.0)
        slope[0] += radial * x - 3 * r * cx
        slope[1] += radial * y - 3 * r * cy
        slope[2] += radial * z - 3 * r * cz
    return value
