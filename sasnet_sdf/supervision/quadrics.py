"""Quadrics fitted around points, each to as many neighbours as it can explain."""

from __future__ import annotations

import numpy as np

from .compiled import kernel, part

TERMS = 6
"""Of a quadric over the tangent plane: h = c0 + c1 u + c2 v + c3 uu + c4 uv + c5 vv."""
_SPARE = 2  # neighbours more than terms that a fit needs


@kernel
def fit_quadrics(start, stop, first, points, normals, lists, sizes, noise, doubt, quadrics, residuals):
    """Least-squares quadrics around points first + start..stop, over their tangent planes.

    points, normals (N, 3). lists: neighbours of points from `first` on, nearest first. sizes:
    numbers of points, the centre included, that a fit may have, ascending; one follows another
    while the mean squared residual is no more than `noise` (N,), squared lengths, plus `doubt`
    standard deviations of such a mean. quadrics (N, 8): terms, then the variance of c0 and the
    squared reach of the fit, which is 0 where there is none. residuals (N,): of the last fit.
    """
    moments, right = np.empty(TERMS * TERMS), np.empty(TERMS)
    terms, solution = np.empty(TERMS), np.empty(TERMS)
    frame = np.empty(9)
    for r in range(start, stop):
        i = first + r
        _tangents(normals, i, frame)
        for a in range(TERMS):
            right[a] = 0.0
            for b in range(TERMS):
                moments[TERMS * a + b] = 0.0
        squares, step = 0.0, 0
        unit = np.sqrt(_squared_distance(points, i, lists[r, lists.shape[1] - 1])) + 1e-300
        quadrics[i, TERMS + 1] = 0.0
        residuals[i] = 0.0
        for k in range(lists.shape[1] + 1):
            j = i if k == 0 else lists[r, k - 1]
            u, v, h = _local(points, j, i, frame)
            _monomials(u / unit, v / unit, terms)
            squares += h * h
            for a in range(TERMS):
                right[a] += h * terms[a]
                for b in range(a + 1):
                    moments[TERMS * a + b] += terms[a] * terms[b]
            if k + 1 != sizes[step]:
                continue
            spread = _solve(moments, right, solution)
            residual = squares
            for a in range(TERMS):
                residual -= solution[a] * right[a]
            freedom = max(k + 1 - TERMS, 1)
            residual = max(residual, 0.0) / freedom
            fails = spread < 0 or residual > noise[i] * (1 + doubt * np.sqrt(2.0 / freedom))
            if fails and step > 0:
                break
            if spread >= 0:
                for a in range(TERMS):
                    quadrics[i, a] = solution[a] / unit ** _degree(a)
                # what does not fit is worth less
                quadrics[i, TERMS] = max(noise[i], residual) * spread if fails else noise[i] * spread
                quadrics[i, TERMS + 1] = _squared_distance(points, i, j)
                residuals[i] = residual
            step += 1
            if step == len(sizes):
                break


@kernel
def gather(start, stop, first, points, normals, lists, noise, quadrics, tolerance, moved, turned):
    """Points first + start..stop where the quadrics around their neighbours see them.

    The mean of what those within reach say, weighted by their certainty and by how near their
    centres are; one that would have the point displaced `tolerance` standard deviations of the
    noise is of another surface. moved, turned (N, 3): places, and unit normals, NaN where no
    quadric holds the point.
    """
    frame = np.empty(9)
    sums = np.empty(6)
    for r in range(start, stop):
        i = first + r
        total = 0.0
        for a in range(6):
            sums[a] = 0.0
        limit = tolerance * np.sqrt(noise[i])
        for k in range(lists.shape[1] + 1):
            j = i if k == 0 else lists[r, k - 1]
            share = 1 - _squared_distance(points, i, j) / max(quadrics[j, TERMS + 1], 1e-300)
            if share <= 0:
                continue
            _tangents(normals, j, frame)
            u, v, h = _local(points, i, j, frame)
            c3, c4, c5 = quadrics[j, 3], quadrics[j, 4], quadrics[j, 5]
            du = quadrics[j, 1] + 2 * c3 * u + c4 * v
            dv = quadrics[j, 2] + c4 * u + 2 * c5 * v
            height = quadrics[j, 0] + (quadrics[j, 1] + c3 * u + c4 * v) * u + (quadrics[j, 2] + c5 * v) * v
            off = (height - h) / limit
            if off * off >= 1:
                continue
            weight = share * ((1 - off * off) / quadrics[j, TERMS]) ** 2
            slope = 1 / np.sqrt(1 + du * du + dv * dv)
            along = 0.0
            for a in range(3):
                along += (frame[a] - du * frame[3 + a] - dv * frame[6 + a]) * normals[i, a]
            sign = 1.0 if along >= 0 else -1.0
            for a in range(3):
                normal = (frame[a] - du * frame[3 + a] - dv * frame[6 + a]) * slope
                sums[a] += weight * (height - h) * slope * normal
                sums[3 + a] += weight * sign * normal
            total += weight
        length = np.sqrt(sums[3] ** 2 + sums[4] ** 2 + sums[5] ** 2)
        for a in range(3):
            moved[i, a] = points[i, a] + (sums[a] / total if total > 0 else 0.0)
            turned[i, a] = sums[3 + a] / length if length > 0 else np.nan


@part
def _squared_distance(points, i, j):
    total = 0.0
    for a in range(3):
        total += (points[i, a] - points[j, a]) ** 2
    return total


@part
def _tangents(normals, i, frame):
    """frame: normal i and two unit vectors across it."""
    x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
    # Duff et al. 2017: a base without a branch at the poles
    sign = 1.0 if z >= 0 else -1.0
    a = -1 / (sign + z)
    b = x * y * a
    frame[0], frame[1], frame[2] = x, y, z
    frame[3], frame[4], frame[5] = 1 + sign * x * x * a, sign * b, -sign * x
    frame[6], frame[7], frame[8] = b, sign + y * y * a, -y


@part
def _local(points, j, i, frame):
    """Point j seen from point i: along both tangents, and along the normal."""
    h = u = v = 0.0
    for a in range(3):
        off = points[j, a] - points[i, a]
        h += off * frame[a]
        u += off * frame[3 + a]
        v += off * frame[6 + a]
    return u, v, h


@part
def _monomials(u, v, terms):
    terms[0], terms[1], terms[2] = 1.0, u, v
    terms[3], terms[4], terms[5] = u * u, u * v, v * v


@part
def _degree(term):
    return 0 if term == 0 else (1 if term < 3 else 2)


@part
def _solve(moments, right, solution):
    """Solve by Cholesky's factors, and the first entry of the inverse; -1 where it is singular."""
    lower, unit = np.empty(TERMS * TERMS), np.empty(TERMS)
    for a in range(TERMS):
        for b in range(a + 1):
            total = moments[TERMS * a + b]
            for c in range(b):
                total -= lower[TERMS * a + c] * lower[TERMS * b + c]
            if b < a:
                lower[TERMS * a + b] = total / lower[TERMS * b + b]
            elif total <= 1e-12 * moments[TERMS * a + a]:
                return -1.0
            else:
                lower[TERMS * a + a] = np.sqrt(total)
    first = 0.0
    for a in range(TERMS):
        total, unit[a] = right[a], 1.0 if a == 0 else 0.0
        for c in range(a):
            total -= lower[TERMS * a + c] * solution[c]
            unit[a] -= lower[TERMS * a + c] * unit[c]
        solution[a] = total / lower[TERMS * a + a]
        unit[a] /= lower[TERMS * a + a]
        first += unit[a] ** 2
    for a in range(TERMS - 1, -1, -1):
        for c in range(a + 1, TERMS):
            solution[a] -= lower[TERMS * c + a] * solution[c]
        solution[a] /= lower[TERMS * a + a]
    return first
