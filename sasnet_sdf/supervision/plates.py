"""Thin plates that were scanned on both sides: two layers of points, closer than noise would be told from."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from ..geometry import Array
from ..runtime.progress import pieces

_NEIGHBORS = 40  # both layers, as far around as a plate's thickness is taken for noise
_PROBES = 2000  # points that tell whether there are two layers
_TWO = 1.6  # of m4 / m2^2 of heights over the middle plane: 1 for two layers, 1.8 for a bowl, 3 for noise
_APART = 0.1  # deviation of those heights over that of the places beside them: less is one layer
_ROUNDS = 2  # of telling the layers apart and fitting a plane to one's own
_PIECE = 1 << 14  # points that are looked at together


def in_layers(points: Array) -> bool:
    """Whether most of the points (N, 3) lie in two layers, closer than a few spacings."""
    some = np.linspace(0, len(points) - 1, min(_PROBES, len(points))).astype(np.int64)
    around = _around(points, KDTree(points), some)
    heights, _ = _over_middle(around)
    variance = (heights**2).mean(1)
    apart = variance > _APART**2 * (around**2).sum(2).mean(1)
    spread = (heights[apart] ** 4).mean(1) / variance[apart] ** 2
    return bool(apart.mean() > 0.5 and np.median(spread) < _TWO)


def normals_of_plates(points: Array) -> Array:
    """Outward unit normals (N, 3) of points (N, 3) in two layers.

    A point's normal is that of the plane through its neighbors in its own layer, away from the other.
    """
    tree = KDTree(points)
    normals = np.empty_like(points)
    for piece in pieces(len(points), _PIECE):
        normals[piece] = _away_from_other(_around(points, tree, np.arange(len(points))[piece]))
    return normals


def _around(points: Array, tree: KDTree, rows: np.ndarray) -> Array:
    """Points `rows` (M,) and their neighbors (M, k, 3), themselves first, about themselves."""
    near = tree.query(points[rows], min(_NEIGHBORS + 1, len(points)), workers=-1)[1]
    return points[near] - points[rows, None]


def _over_middle(around: Array) -> tuple[Array, Array]:
    """Heights (M, k) over the plane through all neighbors, and its unit normals (M, 3)."""
    centred = around - around.mean(1, keepdims=True)
    normals = _least(centred, np.ones(around.shape[:2]))
    return _dot(centred, normals), normals


def _away_from_other(around: Array) -> Array:
    """The normals (M, 3) of the first of each neighborhood (M, k, 3)."""
    heights, normals = _over_middle(around)
    side = np.where(heights[:, :1] < 0, -1.0, 1.0)
    own = heights * side >= 0
    for _ in range(_ROUNDS):
        centre = (own[..., None] * around).sum(1, keepdims=True) / own.sum(1)[:, None, None]
        planes = _least(around - centre, own.astype(np.float64))
        normals = planes * np.where((planes * normals).sum(1, keepdims=True) < 0, -1.0, 1.0)
        heights = _dot(around - centre, normals)
        others = ~own
        gap = (heights * others).sum(1, keepdims=True) / np.maximum(others.sum(1, keepdims=True), 1)
        # nearer to one's own layer than to the other
        own = np.abs(heights) <= np.abs(heights - gap)
        own[:, 0] = True
    return normals * side


def _least(centred: Array, weights: Array) -> Array:
    """The directions (M, 3) along which weighted neighborhoods (M, k, 3) are thinnest."""
    return np.linalg.eigh(np.einsum("nk,nki,nkj->nij", weights, centred, centred))[1][:, :, 0]


def _dot(vectors: Array, normals: Array) -> Array:
    return np.einsum("nki,ni->nk", vectors, normals)
