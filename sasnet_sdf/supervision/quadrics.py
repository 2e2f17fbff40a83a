"""Fits quadrics around noisy points, each in the widest window that it explains; moves points onto them."""

from __future__ import annotations

import numpy as np

from ..geometry import Array, Indices
from ..runtime.compiled import kernel, over_ranges, part
from ..spatial import Tree, find_around
from .noise import AngularNoise
from .planes import BEHIND, MOST, Scan, Windows, cosine_to_view, seen_from_front

TERMS = 6
"""Number of terms of a quadric over a plane: h = c0 + c1 u + c2 v + c3 uu + c4 uv + c5 vv."""

SUMS = TERMS * (TERMS + 1) // 2 + TERMS + 2
"""Number of sums of the normal equations: products of terms, terms times heights, squared heights, ones."""

BALL = 0.0
"""The value of a window's height that stands for a ball."""

# largest root-mean-square residual, in radii, of a window that is wider than the noise. It is 0.45 for an
# evenly filled ball, in which points seem to lie near a surface only because farther ones were cut off
_FILLED = 0.33
_DOUBT = 2.0  # standard deviations by which the mean squared residual may exceed the variance of the noise
_STEEP = 0.4  # slope at which the height of a window grows towards its rim: that of the surface there
_FEWEST = 3  # least number of other points' quadrics that must contain a point on their surface


def fit_quadrics(
    scan: Scan,
    windows: Windows,
    radii: Array,
    limits: Indices | None,
    tall: Array | float,
    noise: Array | float,
    angular: AngularNoise,
) -> Array:
    """Fit quadrics over the tangent planes of windows; writes them to windows.quadrics.

    radii: (C, W) the possible radii of each window, ascending. limits: (C,) the index of the largest allowed
    radius; None allows all. A larger radius replaces a smaller one while the mean squared residual is no more
    than the variance `noise` (C,) plus a tolerance. tall: (C,) half the height of cylindrical windows, which
    does not depend on their radius, so that the noise does not select their points; BALL for balls. angular:
    how the variance of a point depends on the angle it was seen at; its inverse is the point's weight.

    Returns absolute leave-one-out residuals (C, W) at the centers (Cook & Weisberg 1982, sec. 2.2), divided
    by the relative standard deviation at the center's angle; infinite where there is no fit, or where the
    noise fills the ball.
    """
    count, widths = radii.shape
    limits = np.full(count, widths - 1) if limits is None else limits
    each = (np.array(np.broadcast_to(values, count), np.float64) for values in (tall, noise))
    misses = np.empty((count, widths))
    over_ranges(_fit_quadrics, count, scan, windows, radii, limits, *each, angular, misses)
    return misses


@kernel
def _fit_quadrics(start, stop, scan, windows, radii, limits, tall, noise, angular, misses):
    (points, boxes, facing), (centers, feet, normals, quadrics) = scan, windows
    widths = radii.shape[1]
    found, sums = np.empty(MOST, np.int64), np.empty((widths, SUMS))
    terms, solution, frame = np.empty(TERMS), np.empty(TERMS), np.empty(9)
    for c in range(start, stop):
        i, last = centers[c], limits[c]
        _tangents(normals, c, frame)
        unit = radii[c, last]
        flat = tall[c] > BALL
        reach = unit * unit + ((tall[c] + _STEEP * unit) ** 2 if flat else 0.0)
        count = find_around(points, boxes, feet[c, 0], feet[c, 1], feet[c, 2], reach, found)
        weight = _weight(normals.ravel(), c, facing, i, angular)
        own = 0.0
        for a in range(3):
            own += (points[3 * i + a] - feet[c, a]) * frame[a]
        count = seen_from_front(normals.ravel(), c, facing, found, count)
        sums[:] = 0.0
        for k in range(count):
            u, v, h = _local(points, found[k], feet.ravel(), c, frame)
            squared, w = u * u + v * v + (0.0 if flat else h * h), 0
            if flat and (squared > unit * unit or abs(h) > tall[c] + _STEEP * np.sqrt(squared)):
                continue
            while squared > radii[c, w] ** 2 and w < last:
                w += 1
            share = _weight(normals.ravel(), c, facing, found[k], angular)
            add_to_sums(sums, w, u / unit, v / unit, h, share, terms)
        quadrics[c, TERMS + 1], misses[c] = 0.0, np.inf
        for w in range(last + 1):
            if w > 0:
                sums[w] += sums[w - 1]
            freedom = sums[w, SUMS - 1] - TERMS
            if freedom < 2:
                continue
            spread = solve_quadric(sums, w, 1e-12, solution)
            own_share = weight * spread
            if not 0 <= own_share < 0.9:
                continue
            residual = sums[w, SUMS - 2]
            for a in range(TERMS):
                residual -= solution[a] * sums[w, SUMS - 2 - TERMS + a]
            residual = max(residual, 0.0) / freedom
            fails = residual > noise[c] * (1 + _DOUBT * np.sqrt(2.0 / freedom))
            if fails and quadrics[c, TERMS + 1] > 0:
                break
            for a in range(TERMS):
                quadrics[c, a] = solution[a] / unit ** ((a > 0) + (a > 2))  # scaled according to degree
            # if not even the narrowest window fits, its quadric counts less
            quadrics[c, TERMS] = (residual if fails else noise[c]) * spread
            quadrics[c, TERMS + 1] = radii[c, w] ** 2
            if flat or residual < (_FILLED * radii[c, w]) ** 2:
                misses[c, w] = abs(solution[0] - own) * np.sqrt(weight) / (1 - own_share)


def project(
    scan: Scan, windows: Windows, reach: Array, limits: Array, angular: AngularNoise
) -> tuple[Array, Array]:
    """Points projected onto the weighted mean of the quadrics around them, and unit normals there: (N, 3).

    reach: (N,) distance up to which quadrics are considered. A quadric counts if its window contains the
    point; its weight is the inverse of its variance times a factor that falls with the distance of its
    center. A quadric from which the point lies farther than `limits` (C,) belongs to another surface; these
    limits are for average noise (angular: see fit_quadrics). If fewer than 3 quadrics contain a point, it is
    not moved,
    and its normal is NaN.
    """
    count, feet = len(scan.points) // 3, Tree.of(windows.feet)
    moved, turned = np.empty((count, 3)), np.empty((count, 3))
    around = feet.points.ravel(), feet.boxes.ravel(), reach, limits, angular
    over_ranges(_project, count, scan, windows, *around, moved, turned)
    return moved, turned


@kernel
def _project(start, stop, scan, windows, places, boxes, reach, limits, angular, moved, turned):
    points, _, facing = scan
    centers, _, normals, quadrics = windows
    found, frame, sums = np.empty(MOST, np.int64), np.empty(9), np.empty(6)
    for i in range(start, stop):
        total, held = 0.0, 0
        sums[:] = 0.0
        x, y, z = points[3 * i], points[3 * i + 1], points[3 * i + 2]
        for k in range(find_around(places, boxes, x, y, z, reach[i] ** 2, found)):
            c = found[k]
            if centers[c] == i:  # skipped: an outlier's own quadric would contain it
                continue
            if cosine_to_view(normals.ravel(), c, facing, i) < BEHIND:
                continue
            _tangents(normals, c, frame)
            u, v, h = _local(points, i, places, c, frame)
            share = 1 - (u * u + v * v + h * h) / max(quadrics[c, TERMS + 1], 1e-300)
            c3, c4, c5 = quadrics[c, 3], quadrics[c, 4], quadrics[c, 5]
            height = quadrics[c, 0] + (quadrics[c, 1] + c3 * u + c4 * v) * u + (quadrics[c, 2] + c5 * v) * v
            off = (height - h) / limits[c] * np.sqrt(_weight(normals.ravel(), c, facing, i, angular))
            if share <= 0 or off * off >= 1:
                continue
            weight = share * ((1 - off * off) / quadrics[c, TERMS]) ** 2
            du = quadrics[c, 1] + 2 * c3 * u + c4 * v
            dv = quadrics[c, 2] + c4 * u + 2 * c5 * v
            slope = 1 / np.sqrt(1 + du * du + dv * dv)
            for a in range(3):
                across = (frame[a] - du * frame[3 + a] - dv * frame[6 + a]) * slope
                sums[a] += weight * (height - h) * slope * across
                sums[3 + a] += weight * across
            total += weight
            held += 1
        length = np.sqrt(sums[3] ** 2 + sums[4] ** 2 + sums[5] ** 2)
        for a in range(3):
            moved[i, a] = points[3 * i + a] + (sums[a] / total if held >= _FEWEST else 0.0)
            turned[i, a] = sums[3 + a] / length if held >= _FEWEST else np.nan


@part
def _weight(axes, i, facing, j, angular):
    """The inverse of the relative variance of point j along axis i of (3 N,)."""
    return 1 / (angular.flat + angular.rising * cosine_to_view(axes, i, facing, j) ** 2)


@part
def quadric_terms(u: float, v: float, terms: Array) -> None:
    """Write the terms (6,) of a quadric at (u, v)."""
    terms[0], terms[1], terms[2] = 1.0, u, v
    terms[3], terms[4], terms[5] = u * u, u * v, v * v


@part
def add_to_sums(
    sums: Array, w: int | np.int64, u: float, v: float, h: float, weight: float, terms: Array
) -> None:
    """Add a sample of height h at (u, v) to the sums of the normal equations in row w of (W, SUMS)."""
    quadric_terms(u, v, terms)
    s = 0
    for a in range(TERMS):
        for b in range(a + 1):
            sums[w, s] += weight * terms[a] * terms[b]
            s += 1
    for a in range(TERMS):
        sums[w, s] += weight * h * terms[a]
        s += 1
    sums[w, s] += weight * h * h
    sums[w, s + 1] += 1.0


@part
def _tangents(normals, i, frame):
    """Write to frame (9,) normal i and two unit vectors orthogonal to it."""
    x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
    # Duff et al. 2017: an orthonormal basis without a branch at the poles
    sign = 1.0 if z >= 0 else -1.0
    a = -1 / (sign + z)
    b = x * y * a
    frame[0], frame[1], frame[2] = x, y, z
    frame[3], frame[4], frame[5] = 1 + sign * x * x * a, sign * b, -sign * x
    frame[6], frame[7], frame[8] = b, sign + y * y * a, -y


@part
def _local(points, j, places, i, frame):
    """Point j as seen from place i: coordinates along both tangents and along the normal."""
    h = u = v = 0.0
    for a in range(3):
        off = points[3 * j + a] - places[3 * i + a]
        h += off * frame[a]
        u += off * frame[3 + a]
        v += off * frame[6 + a]
    return u, v, h


@part
def solve_quadric(sums: Array, w: int | np.int64, singular: float, solution: Array) -> float:
    """Solve the normal equations in row w of `sums` by Cholesky's factorization.

    Writes the coefficients (6,) and returns the first entry of the inverse matrix, or -1 if a pivot is at
    most `singular` times its diagonal entry.
    """
    lower, unit = np.empty(SUMS), np.empty(TERMS)
    for a in range(TERMS):
        row = a * (a + 1) // 2
        for b in range(a + 1):
            other = b * (b + 1) // 2
            total = sums[w, row + b]
            for c in range(b):
                total -= lower[row + c] * lower[other + c]
            if b < a:
                lower[row + b] = total / lower[other + b]
            elif not total > singular * sums[w, row + a]:
                return -1.0
            else:
                lower[row + a] = np.sqrt(total)
    first = 0.0
    for a in range(TERMS):
        row = a * (a + 1) // 2
        solution[a], unit[a] = sums[w, SUMS - 2 - TERMS + a], 1.0 if a == 0 else 0.0
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
