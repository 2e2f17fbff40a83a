"""Planes through the neighbors of points: normals, their signs, and plates scanned on both sides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from ..errors import Finding, warning
from ..geometry import Array, Indices
from ..runtime.compiled import kernel, over_ranges, part
from ..runtime.progress import each, pieces
from ..spatial import find_around

MOST = 4096
"""The largest number of points in a neighborhood; further points of a denser neighborhood are ignored."""

BEHIND = -0.1
"""The cosine below which a point counts as seen from behind, so that it belongs to another sheet."""

_SWEEPS = 6  # of Jacobi rotations; convergence is quadratic, and five sweeps reach machine precision


def fit_planes(points: Array, lists: Indices, rows: Indices | None = None) -> tuple[Array, Array]:
    """Least-squares planes, each through a point and its neighbors.

    points: (N, 3). lists: (N, k) indices of neighbors. rows: (M,) indices of the points whose planes are
    fitted; all by default. Returns unit normals (M, 3) of either sign, and the root-mean-square distances
    (M,) of the points from the planes.
    """
    rows = np.arange(len(points)) if rows is None else rows
    normals, residuals = np.empty((len(rows), 3)), np.empty(len(rows))
    over_ranges(_fit_planes, len(rows), points.ravel(), lists, rows, normals, residuals)
    return normals, residuals


@kernel
def _fit_planes(start, stop, points, lists, rows, normals, residuals):
    count = lists.shape[1] + 1
    moments, axes = np.empty((3, 3)), np.empty((3, 3))
    mean, offset, place = np.empty(3), np.empty(3), np.empty(3)
    for r in range(start, stop):
        row = rows[r]
        mean[:], moments[:] = 0.0, 0.0
        place[:] = points[3 * row : 3 * row + 3]  # moments about this point, to avoid rounding errors
        for k in range(count):
            _add(points, row if k == 0 else lists[row, k - 1], place, count, offset, mean, moments)
        least = _least_axis(mean, moments, axes)
        normals[r] = axes[:, least]
        residuals[r] = np.sqrt(max(moments[least, least], 0.0))


@part
def _add(points, i, place, count, offset, mean, moments):
    """Add the contribution of point i, one of `count`, to the first and second moments about a place."""
    for a in range(3):
        offset[a] = points[3 * i + a] - place[a]
        mean[a] += offset[a] / count
    for a in range(3):
        for b in range(3):
            moments[a, b] += offset[a] * offset[b] / count


@part
def _least_axis(mean, moments, axes):
    """The column of `axes` (3, 3) along which the variance is least.

    `moments` (3, 3), about any place, are overwritten; the diagonal then holds the variances along the axes.
    """
    for a in range(3):
        for b in range(3):
            moments[a, b] -= mean[a] * mean[b]
            axes[a, b] = 1.0 if a == b else 0.0
    for step in range(3 * _SWEEPS):  # Jacobi: rotate two axes in their plane until they are uncorrelated
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


class Scan(NamedTuple):
    """A tree's points with the sides they were seen from, as flat arrays for kernels.

    points: (3 N,). boxes: those of the tree. facing: (3 N,) unit vectors to the side that each point was seen
    from.
    """

    points: Array
    boxes: Array
    facing: Array


class Windows(NamedTuple):
    """Windows around points of a scan, with the surfaces fitted in them.

    centers: (C,) indices of the points. feet, normals: (C, 3) of the tangent planes. quadrics: (C, 8) heights
    over these planes: six coefficients, the variance of the first one, and the window's squared radius.
    """

    centers: Indices
    feet: Array
    normals: Array
    quadrics: Array


def tangent_planes(scan: Scan, windows: Windows, radii: Array, rounds: int) -> None:
    """Fit the tangent planes of windows to the points within `radii` (C,) of the centers.

    Normals point to the side that the center was seen from. A foot is the center's projection onto its plane;
    the plane is then fitted again around the foot, `rounds` times in total.
    """
    over_ranges(_tangent_planes, len(windows.centers), scan, windows, radii, rounds)


@kernel
def _tangent_planes(start, stop, scan, windows, radii, rounds):
    points, boxes, facing = scan
    found, moments, axes = np.empty(MOST, np.int64), np.empty((3, 3)), np.empty((3, 3))
    mean, offset, foot = np.empty(3), np.empty(3), np.empty(3)
    for c in range(start, stop):
        i = windows.centers[c]
        foot[:] = points[3 * i : 3 * i + 3]
        for _ in range(rounds):
            count = find_around(points, boxes, foot[0], foot[1], foot[2], radii[c] ** 2, found)
            count = seen_from_front(facing, i, facing, found, count)
            mean[:], moments[:] = 0.0, 0.0
            for k in range(count):
                _add(points, found[k], foot, count, offset, mean, moments)
            least, along, height = _least_axis(mean, moments, axes), 0.0, 0.0
            for a in range(3):
                along += axes[a, least] * facing[3 * i + a]
                height += (foot[a] + mean[a] - points[3 * i + a]) * axes[a, least]
            for a in range(3):
                windows.normals[c, a] = axes[a, least] if along >= 0 else -axes[a, least]
                foot[a] = points[3 * i + a] + height * axes[a, least]
        windows.feet[c] = foot


@part
def seen_from_front(axes: Array, i: int, facing: Array, found: Indices, count: int) -> int:
    """Move those of `found` seen from the side of axis i of (3 N,) to the front; returns their number."""
    kept = 0
    for k in range(count):
        if cosine_to_view(axes, i, facing, found[k]) >= BEHIND:
            found[kept] = found[k]
            kept += 1
    return kept


@part
def cosine_to_view(axes: Array, i: int, facing: Array, j: int) -> float:
    """The cosine between axis i of (3 N,) and the side that point j was seen from."""
    total = 0.0
    for a in range(3):
        total += axes[3 * i + a] * facing[3 * j + a]
    return total


def turn_to_sensors(points: Array, normals: Array, sensors: Array, lists: Indices) -> Array:
    """Normals (N, 3) turned to the side of the sensors that saw the points and their neighbors.

    sensors: (N, 3) the position of the sensor that saw each point. lists: (N, k) neighbors. A point seen at a
    grazing angle is unreliable by itself, since noise may have turned its plane away from the sensor. So its
    neighbors vote as well, each weighted by the cosine of its angle.
    """
    ray = sensors - points
    seen = (ray * normals).sum(1) / np.maximum(np.linalg.norm(ray, axis=1), 1e-300)
    votes = seen.copy()
    for near in each(lists.T):
        votes += (normals * normals[near]).sum(1) * seen[near]
    return np.where(votes[:, None] < 0, -normals, normals)


_NEAREST, _CHECKED = 4, 20_000  # number of neighbors of a point, and number of points, that are examined
_BESIDE = 0.3  # slope up to which a neighbor lies next to a point, and not behind it
_TORN = 0.02  # share from which on the user is warned; for scans it is 0.000 to 0.005


def thin_walls(points: Array, normals: Array, lists: Indices) -> list[Finding]:
    """A warning where the normals of neighbors contradict each other, as on walls thinner than the noise."""
    share = torn(points, normals, lists)
    if share <= _TORN:
        return []
    return [
        warning(
            f"at {share:.0%} of the points the normals of neighbors point to opposite sides: walls are "
            "thinner than the noise or the distance between points, or normals or sensors are wrong"
        )
    ]


def torn(points: Array, normals: Array, lists: Indices) -> float:
    """The share of the nearest neighbors that lie next to their point but have an opposite normal.

    points, normals: (N, 3). lists: (N, k) neighbors, nearest first. It is estimated from a part of the
    points.
    """
    some = np.linspace(0, len(points) - 1, min(_CHECKED, len(points))).astype(np.int64)
    opposite = 0.0
    for near in lists[some, :_NEAREST].T:
        across = points[near] - points[some]
        height = np.maximum(*(np.abs((across * normals[end]).sum(1)) for end in (near, some)))
        beside = height < _BESIDE * np.linalg.norm(across, axis=1)
        opposite += (beside & ((normals[some] * normals[near]).sum(1) < -_BESIDE)).mean()
    return float(opposite / min(_NEAREST, lists.shape[1]))


_NEIGHBORS = 40  # enough for both layers of plates whose thickness looks like noise
_PROBES = 2000  # number of points at which layers are searched for
_TWO = 1.6  # largest kurtosis of heights over the middle plane: 1 for two layers, 1.8 for a bowl, 3 for noise
_APART = 0.1  # least ratio of the standard deviations of heights and of offsets: less is one layer
_ROUNDS = 2  # of separating the layers and fitting a plane to the point's own layer
_PIECE = 1 << 14  # number of points that are processed together


def in_layers(points: Array) -> bool:
    """Whether most of the points (N, 3) lie in two layers, closer than a few spacings, as on a thin plate."""
    some = np.linspace(0, len(points) - 1, min(_PROBES, len(points))).astype(np.int64)
    around = _around(points, KDTree(points), some)
    heights, _ = _over_middle(around)
    variance = (heights**2).mean(1)
    apart = variance > _APART**2 * (around**2).sum(2).mean(1)
    kurtosis = (heights[apart] ** 4).mean(1) / variance[apart] ** 2
    return bool(apart.mean() > 0.5 and np.median(kurtosis) < _TWO)


def normals_of_plates(points: Array) -> Array:
    """Outward unit normals (N, 3) of points (N, 3) in two layers.

    The normal is that of the plane through the neighbors in a point's own layer, away from the other layer.
    """
    tree = KDTree(points)
    normals = np.empty_like(points)
    for piece in pieces(len(points), _PIECE):
        normals[piece] = _away_from_other(_around(points, tree, np.arange(len(points))[piece]))
    return normals


def _around(points: Array, tree: KDTree, rows: Indices) -> Array:
    """Offsets (M, k, 3) from points `rows` (M,) to themselves and their neighbors."""
    near = tree.query(points[rows], min(_NEIGHBORS + 1, len(points)), workers=-1)[1]
    return points[near] - points[rows, None]


def _over_middle(around: Array) -> tuple[Array, Array]:
    """Heights (M, k) over the plane through all neighbors, and its unit normals (M, 3)."""
    centered = around - around.mean(1, keepdims=True)
    normals = _least(centered, np.ones(around.shape[:2]))
    return np.einsum("nki,ni->nk", centered, normals), normals


def _away_from_other(around: Array) -> Array:
    """The outward normals (M, 3) of the first points of neighborhoods (M, k, 3)."""
    heights, normals = _over_middle(around)
    side = np.where(heights[:, :1] < 0, -1.0, 1.0)
    own = heights * side >= 0
    for _ in range(_ROUNDS):
        center = (own[..., None] * around).sum(1, keepdims=True) / own.sum(1)[:, None, None]
        planes = _least(around - center, own.astype(np.float64))
        normals = planes * np.where((planes * normals).sum(1, keepdims=True) < 0, -1.0, 1.0)
        heights = np.einsum("nki,ni->nk", around - center, normals)
        others = ~own
        gap = (heights * others).sum(1, keepdims=True) / np.maximum(others.sum(1, keepdims=True), 1)
        # closer to the point's own layer than to the other one
        own = np.abs(heights) <= np.abs(heights - gap)
        own[:, 0] = True
    return normals * side


def _least(centered: Array, weights: Array) -> Array:
    """The directions (M, 3) along which weighted neighborhoods (M, k, 3) are thinnest."""
    return np.linalg.eigh(np.einsum("nk,nki,nkj->nij", weights, centered, centered))[1][:, :, 0]
