"""Planes through the neighbors of points: normals, on which side a sensor saw them, distances."""

from __future__ import annotations

import numpy as np

from ..errors import Finding, warning
from ..geometry import Array
from ..runtime.compiled import kernel, over_ranges, part
from ..runtime.progress import each
from ..spatial import find_around

BEHIND = -0.1
"""The cosine below which a point was seen from behind, so that it is of another sheet."""


@part
def of_one_side(axes, i, facing, found, count):
    """Move to the front those of `found` that were seen from the side that axis i of (3 N,) points to."""
    kept = 0
    for k in range(count):
        if along(axes, i, facing, found[k]) >= BEHIND:
            found[kept] = found[k]
            kept += 1
    return kept


@part
def along(axes, i, facing, j):
    """The cosine between axis i of (3 N,) and the side that point j was seen from."""
    total = 0.0
    for a in range(3):
        total += axes[3 * i + a] * facing[3 * j + a]
    return total


_SWEEPS = 6  # of Jacobi rotations; they converge quadratically, and five reach machine precision


def fit_planes(points: Array, lists: np.ndarray, rows: np.ndarray | None = None) -> tuple[Array, Array]:
    """Planes through points `rows` (M,), or all, and their neighbours: lists (N, k).

    Returns unit normals (M, 3) of either sign, and the points' root-mean-square distances (M,)
    from the planes.
    """
    rows = np.arange(len(points)) if rows is None else rows
    normals, residuals = np.empty((len(rows), 3)), np.empty(len(rows))
    over_ranges(_fit_planes, len(rows), points.ravel(), lists, rows, normals, residuals)
    return normals, residuals


@kernel
def _fit_planes(start, stop, points, lists, rows, normals, residuals):
    count = lists.shape[1] + 1
    moments, axes = np.empty((3, 3)), np.empty((3, 3))
    mean, offset = np.empty(3), np.empty(3)
    for r in range(start, stop):
        row = rows[r]
        mean[:], moments[:] = 0.0, 0.0
        for k in range(count):  # about the point itself, so that nothing is lost to rounding
            i = 3 * (row if k == 0 else lists[row, k - 1])
            for a in range(3):
                offset[a] = points[i + a] - points[3 * row + a]
                mean[a] += offset[a] / count
            for a in range(3):
                for b in range(3):
                    moments[a, b] += offset[a] * offset[b] / count
        for a in range(3):
            for b in range(3):
                moments[a, b] -= mean[a] * mean[b]
        least = least_axis(moments, axes)
        for a in range(3):
            normals[r, a] = axes[a, least]
        residuals[r] = np.sqrt(max(moments[least, least], 0.0))


@part
def least_axis(moments, axes):
    """The column of `axes` (3, 3) along which `moments`, which become diagonal, are least."""
    for a in range(3):
        for b in range(3):
            axes[a, b] = 1.0 if a == b else 0.0
    for step in range(3 * _SWEEPS):  # Jacobi: turn the plane of two axes until they are uncorrelated
        a, b = step % 3, (step + 1) % 3
        if abs(moments[a, b]) <= 1e-300:
            continue
        ratio = (moments[b, b] - moments[a, a]) / (2 * moments[a, b])
        tangent = (1.0 if ratio >= 0 else -1.0) / (abs(ratio) + np.sqrt(ratio * ratio + 1))
        cosine = 1 / np.sqrt(tangent * tangent + 1)
        sine = tangent * cosine
        for c in range(3):
            u, v = moments[c, a], moments[c, b]
            moments[c, a], moments[c, b] = cosine * u - sine * v, sine * u + cosine * v
        for c in range(3):
            u, v = moments[a, c], moments[b, c]
            moments[a, c], moments[b, c] = cosine * u - sine * v, sine * u + cosine * v
        for c in range(3):
            u, v = axes[c, a], axes[c, b]
            axes[c, a], axes[c, b] = cosine * u - sine * v, sine * u + cosine * v
    least = 0
    for a in range(1, 3):
        if moments[a, a] < moments[least, least]:
            least = a
    return least


MOST = 4096
"""Points that a neighborhood can hold; of a denser one the rest is left out."""


@kernel
def tangent_planes(start, stop, points, boxes, facing, centers, radii, rounds, feet, normals):
    """Planes through the points within `radii` (C,) of points `centers` (C,): unit normals, feet (C, 3).

    facing (3 N,): unit vectors to where each point was seen from, to which normals point. A foot is
    where the center falls on its plane; around it the plane is fitted again, `rounds` times in all.
    """
    found, moments, axes = np.empty(MOST, np.int64), np.empty((3, 3)), np.empty((3, 3))
    mean, off, foot = np.empty(3), np.empty(3), np.empty(3)
    for c in range(start, stop):
        i = centers[c]
        for a in range(3):
            foot[a] = points[3 * i + a]
        for _ in range(rounds):
            count = find_around(points, boxes, foot[0], foot[1], foot[2], radii[c] ** 2, found)
            count = of_one_side(facing, i, facing, found, count)
            for a in range(3):
                mean[a] = 0.0
                for b in range(3):
                    moments[a, b] = 0.0
            for k in range(count):
                for a in range(3):
                    off[a] = points[3 * found[k] + a] - foot[a]
                    mean[a] += off[a] / count
                for a in range(3):
                    for b in range(3):
                        moments[a, b] += off[a] * off[b] / count
            for a in range(3):
                for b in range(3):
                    moments[a, b] -= mean[a] * mean[b]
            least, along, height = least_axis(moments, axes), 0.0, 0.0
            for a in range(3):
                along += axes[a, least] * facing[3 * i + a]
                height += (foot[a] + mean[a] - points[3 * i + a]) * axes[a, least]
            for a in range(3):
                normals[c, a] = axes[a, least] if along >= 0 else -axes[a, least]
                foot[a] = points[3 * i + a] + height * axes[a, least]
        for a in range(3):
            feet[c, a] = foot[a]


_NEAREST = 4
_CHECKED = 20_000
_BESIDE = 0.3  # slope up to which a neighbor lies beside a point, and not behind it
# share of neighbors side by side that look to opposite sides, above which the user is told: of scans it is
# 0.000 to 0.005
_TORN = 0.02


def of_thin_walls(points: Array, normals: Array, lists: np.ndarray) -> list[Finding]:
    """A warning where the normals are torn."""
    share = torn(points, normals, lists)
    if share <= _TORN:
        return []
    return [
        warning(
            f"at {share:.0%} of the points neighbors look to opposite sides: walls are thinner than the "
            "noise or the distance between points, or normals or sensors are wrong"
        )
    ]


def torn(points: Array, normals: Array, lists: np.ndarray) -> float:
    """The share of the nearest neighbors of points (N, 3) that lie beside them and look the other way.

    lists (N, k): neighbors, nearest first. Some of the points tell.
    """
    some = np.linspace(0, len(points) - 1, min(_CHECKED, len(points))).astype(np.int64)
    opposite = 0.0
    for near in lists[some, :_NEAREST].T:
        across = points[near] - points[some]
        height = np.maximum(*(np.abs((across * normals[end]).sum(1)) for end in (near, some)))
        beside = height < _BESIDE * np.linalg.norm(across, axis=1)
        opposite += (beside & ((normals[some] * normals[near]).sum(1) < -_BESIDE)).mean()
    return float(opposite / min(_NEAREST, lists.shape[1]))


def turn_to_sensors(points: Array, normals: Array, sensors: Array, lists: np.ndarray) -> Array:
    """The normals (N, 3), each flipped where it looks away from the sensors that saw the points around.

    sensors (N, 3): that of each point. lists (N, k): neighbours. A point that its sensor saw at a
    grazing angle tells little by itself, as noise may have turned its plane beyond the edge of
    view: neighbours vote with it, each by the cosine of that angle.
    """
    ray = sensors - points
    seen = (ray * normals).sum(1) / np.maximum(np.linalg.norm(ray, axis=1), 1e-300)
    votes = seen.copy()
    for near in each(lists.T):
        votes += (normals * normals[near]).sum(1) * seen[near]
    return np.where(votes[:, None] < 0, -normals, normals)
