"""Planes through the neighbours of points: their normals, and how far points lie from them."""

from __future__ import annotations

import numpy as np

from ..geometry import Array
from ..threads import over_ranges
from .compiled import kernel, part

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
