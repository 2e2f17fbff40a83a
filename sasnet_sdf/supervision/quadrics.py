"""Quadrics fitted around points, each to as wide a neighbourhood as it can explain."""

from __future__ import annotations

import numpy as np

from .compiled import kernel, part
from .planes import least_axis
from .search import find_within

TERMS = 6
"""Of a quadric over the tangent plane: h = c0 + c1 u + c2 v + c3 uu + c4 uv + c5 vv."""
MOST = 4096
"""Points that a neighbourhood can hold; of a denser one the rest is left out."""
# the power of 1 - leverage that divides a residual: 1 would leave the centre out (cross-validation) and
# count a fit's variance in full, 1/2 would count its bias only; windows that overlap are averaged later,
# which takes away variance and no bias
_AVERAGED = 0.6
# root-mean-square residual in radii of a window, up to which it holds the noise: 0.45 is a ball filled
# evenly, whose points only seem to lie near a surface because those farther off were cut away
_FILLED = 0.33
_FEWEST = 6  # quadrics of others that must hold a point for it to belong to their surface
_SUMS = TERMS * (TERMS + 1) // 2 + TERMS + 2  # of products of terms, of terms by heights, of squares, of ones


@kernel
def tangent_planes(start, stop, points, boxes, spacing, width, normals):
    """Unit normals (N, 3) of planes through the points within `width` spacings of each."""
    found, moments, axes = np.empty(MOST, np.int64), np.empty((3, 3)), np.empty((3, 3))
    mean, off = np.empty(3), np.empty(3)
    for i in range(start, stop):
        count = find_within(points, boxes, i, (width * spacing[i]) ** 2, found)
        for a in range(3):
            mean[a] = 0.0
            for b in range(3):
                moments[a, b] = 0.0
        for k in range(count):
            for a in range(3):
                off[a] = points[3 * found[k] + a] - points[3 * i + a]
                mean[a] += off[a] / count
            for a in range(3):
                for b in range(3):
                    moments[a, b] += off[a] * off[b] / count
        for a in range(3):
            for b in range(3):
                moments[a, b] -= mean[a] * mean[b]
        least = least_axis(moments, axes)
        for a in range(3):
            normals[i, a] = axes[a, least]


@kernel
def fit_quadrics(
    start, stop, points, boxes, spacing, widths, normals, limits, noise, doubt, quadrics, misses
):
    """Least-squares quadrics around points start..stop, over their tangent planes.

    points (3 N,) and boxes: of a tree. widths (W,): radii in `spacing` (N,) that a fit may have,
    ascending; the widest is that of index `limits` (N,), and one follows another while the mean
    squared residual is no more than `noise` (N,), squared lengths, plus `doubt` standard deviations
    of such a mean. quadrics (N, 8): terms, then the variance of c0 and the squared radius of the
    fit, which is 0 where there is none. misses (N, W): how far every fit misses its centre, as if
    that had little part in it; infinite where the noise is wider than the window.
    """
    found, sums = np.empty(MOST, np.int64), np.empty((len(widths), _SUMS))
    terms, solution, frame = np.empty(TERMS), np.empty(TERMS), np.empty(9)
    for i in range(start, stop):
        _tangents(normals, i, frame)
        last = limits[i]
        unit = widths[last] * spacing[i]
        count = find_within(points, boxes, i, unit * unit, found)
        for w in range(last + 1):
            for s in range(_SUMS):
                sums[w, s] = 0.0
        for k in range(count):
            u, v, h = _local(points, found[k], i, frame)
            radius, w = np.sqrt(u * u + v * v + h * h) / spacing[i], 0
            while radius > widths[w] and w < last:
                w += 1
            _add_to(sums, w, u / unit, v / unit, h, terms)
        quadrics[i, TERMS + 1] = 0.0
        for w in range(last + 1):
            misses[i, w] = np.inf
            if w > 0:
                for s in range(_SUMS):
                    sums[w, s] += sums[w - 1, s]
            freedom = sums[w, _SUMS - 1] - TERMS
            if freedom < 2:
                continue
            spread = _solve(sums, w, solution)
            if not 0 <= spread < 0.9:
                continue
            residual = sums[w, _SUMS - 2]
            for a in range(TERMS):
                residual -= solution[a] * sums[w, _SUMS - 2 - TERMS + a]
            residual = max(residual, 0.0) / freedom
            fails = residual > noise[i] * (1 + doubt * np.sqrt(2.0 / freedom))
            if fails and quadrics[i, TERMS + 1] > 0:
                break
            for a in range(TERMS):
                quadrics[i, a] = solution[a] / unit ** _degree(a)
            # where not even the narrowest fits, it is worth less
            quadrics[i, TERMS] = (residual if fails else noise[i]) * spread
            quadrics[i, TERMS + 1] = (widths[w] * spacing[i]) ** 2
            if residual < (_FILLED * widths[w] * spacing[i]) ** 2:
                misses[i, w] = abs(solution[0]) / (1 - spread) ** _AVERAGED


@kernel
def choose_widths(start, stop, points, boxes, spacing, width, misses, limits, least):
    """The index of the width whose fits miss least, in the mean of the points within `width` spacings.

    misses (N, W). limits (N,) takes the index, least (N,) that mean; the widest and infinity where
    no width has enough fits.
    """
    found = np.empty(MOST, np.int64)
    for i in range(start, stop):
        count = find_within(points, boxes, i, (width * spacing[i]) ** 2, found)
        limits[i], least[i] = misses.shape[1] - 1, np.inf
        for w in range(misses.shape[1]):
            total, held = 0.0, 0
            for k in range(count):
                if misses[found[k], w] < np.inf:
                    total += misses[found[k], w]
                    held += 1
            if 2 * held > count and total < least[i] * held:
                limits[i], least[i] = w, total / held


@kernel
def gather(start, stop, points, boxes, spacing, width, normals, noise, quadrics, tolerance, moved, turned):
    """Points start..stop where the quadrics around points within `width` spacings see them.

    The mean of what those say that reach so far, weighted by their certainty and by how near their
    centres are; one that would have the point displaced `tolerance` standard deviations of the
    noise is of another surface. moved, turned (N, 3): places, and unit normals, NaN where hardly
    any holds the point.
    """
    found, frame, sums = np.empty(MOST, np.int64), np.empty(9), np.empty(6)
    for i in range(start, stop):
        total, limit, held = 0.0, tolerance * np.sqrt(noise[i]), 0
        for a in range(6):
            sums[a] = 0.0
        for k in range(find_within(points, boxes, i, (width * spacing[i]) ** 2, found)):
            j = found[k]
            if j == i:  # an outlier's own quadric would hold it
                continue
            _tangents(normals, j, frame)
            u, v, h = _local(points, i, j, frame)
            share = 1 - (u * u + v * v + h * h) / max(quadrics[j, TERMS + 1], 1e-300)
            c3, c4, c5 = quadrics[j, 3], quadrics[j, 4], quadrics[j, 5]
            height = quadrics[j, 0] + (quadrics[j, 1] + c3 * u + c4 * v) * u + (quadrics[j, 2] + c5 * v) * v
            off = (height - h) / limit
            if share <= 0 or off * off >= 1:
                continue
            weight = share * ((1 - off * off) / quadrics[j, TERMS]) ** 2
            du = quadrics[j, 1] + 2 * c3 * u + c4 * v
            dv = quadrics[j, 2] + c4 * u + 2 * c5 * v
            slope = 1 / np.sqrt(1 + du * du + dv * dv)
            along = 0.0
            for a in range(3):
                frame[a] = (frame[a] - du * frame[3 + a] - dv * frame[6 + a]) * slope
                along += frame[a] * normals[i, a]
            for a in range(3):
                sums[a] += weight * (height - h) * slope * frame[a]
                sums[3 + a] += weight * (frame[a] if along >= 0 else -frame[a])
            total += weight
            held += 1
        length = np.sqrt(sums[3] ** 2 + sums[4] ** 2 + sums[5] ** 2)
        for a in range(3):
            moved[i, a] = points[3 * i + a] + (sums[a] / total if held >= _FEWEST else 0.0)
            turned[i, a] = sums[3 + a] / length if held >= _FEWEST else np.nan


@part
def _add_to(sums, w, u, v, h, terms):
    terms[0], terms[1], terms[2] = 1.0, u, v
    terms[3], terms[4], terms[5] = u * u, u * v, v * v
    s = 0
    for a in range(TERMS):
        for b in range(a + 1):
            sums[w, s] += terms[a] * terms[b]
            s += 1
    for a in range(TERMS):
        sums[w, s] += h * terms[a]
        s += 1
    sums[w, s] += h * h
    sums[w, s + 1] += 1.0


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
        off = points[3 * j + a] - points[3 * i + a]
        h += off * frame[a]
        u += off * frame[3 + a]
        v += off * frame[6 + a]
    return u, v, h


@part
def _degree(term):
    return 0 if term == 0 else (1 if term < 3 else 2)


@part
def _solve(sums, w, solution):
    """Solve by Cholesky's factors, and the first entry of the inverse; -1 where it is singular."""
    lower, unit = np.empty(_SUMS), np.empty(TERMS)
    for a in range(TERMS):
        row = a * (a + 1) // 2
        for b in range(a + 1):
            other = b * (b + 1) // 2
            total = sums[w, row + b]
            for c in range(b):
                total -= lower[row + c] * lower[other + c]
            if b < a:
                lower[row + b] = total / lower[other + b]
            elif total <= 1e-12 * sums[w, row + a]:
                return -1.0
            else:
                lower[row + a] = np.sqrt(total)
    first = 0.0
    for a in range(TERMS):
        row = a * (a + 1) // 2
        solution[a], unit[a] = sums[w, _SUMS - 2 - TERMS + a], 1.0 if a == 0 else 0.0
        for c in range(a):
            solution[a] -= lower[row + c] * solution[c]
            unit[a] -= lower[row + c] * unit[c]
        solution[a] /= lower[row + a]
        unit[a] /= lower[row + a]
        first += unit[a] ** 2
    for a in range(TERMS - 1, -1, -1):
        for c in range(a + 1, TERMS):
            solution[a] -= lower[c * (c + 1) // 2 + a] * solution[c]
        solution[a] /= lower[a * (a + 1) // 2 + a]
    return first
