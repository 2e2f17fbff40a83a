"""Colors and other attributes of the data, interpolated at points of the surface."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from ..mesh import cross_products
from ..runtime.progress import steps
from ..supervision import CloudTarget
from ..supervision.targets import MeshTree

NEIGHBORS = 12
"""Number of points that are averaged in addition to the nearest one."""

WIDTH = 0.7
"""Standard deviation of the Gaussian in local spacings: about five points count, and edges stay sharp."""

WIDER = 0.3
"""Share of the nearest point's distance that is added to the Gaussian's width, for places without data."""

LABELS = 64
"""Integers with at most this many different values are labels, such as classes, and are not averaged."""

CHUNK, CHUNK_OF_MESH = 1 << 15, 1 << 19
"""Places that are processed together; more for a mesh, since each call builds a tree of its triangles."""


@dataclass(frozen=True)
class Blend:
    """The rows (M, k) of the data that count at M places, and their weights (M, k), of sum 1."""

    rows: NDArray[np.integer]
    weights: Array

    @classmethod
    def of_cloud(cls, target: CloudTarget, places: Array) -> Blend:
        """The nearest points of a cloud and their neighbors, weighted by a Gaussian of their distances."""
        nearest = target.tree.nearest(np.ascontiguousarray(places, np.float64))
        rows = np.concatenate([nearest[:, None], target.lists[nearest, :NEIGHBORS]], 1)
        squared = ((target.points[rows] - places[:, None]) ** 2).sum(2)
        width = WIDTH * target.spacing[nearest] + WIDER * np.sqrt(squared[:, 0])
        # relative to the smallest distance: otherwise all weights would underflow far from the data
        weights = np.exp((squared.min(1, keepdims=True) - squared) / (2 * width[:, None] ** 2))
        return cls(rows, weights / weights.sum(1, keepdims=True))

    @classmethod
    def of_mesh(cls, vertices: Array, faces: NDArray[Any], places: Array) -> Blend:
        """The corners of the nearest triangles, with barycentric coordinates as weights."""
        _, face, foot = MeshTree(vertices, faces).nearest(np.ascontiguousarray(places))
        corners = faces[face]
        a, b, c = (vertices[corners[:, n]] for n in range(3))
        whole = cross_products(vertices, corners)
        size = (whole * whole).sum(1)
        flat = size < 1e-300
        parts = [np.cross(c - b, foot - b), np.cross(a - c, foot - c), np.cross(b - a, foot - a)]
        weights = np.stack([(part * whole).sum(1) for part in parts], 1).clip(0)
        weights[flat] = [1, 0, 0]
        return cls(corners, weights / weights.sum(1, keepdims=True))

    def foremost(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values (M, ...), from values (N, ...), of the row with the largest weight at each place."""
        return values[self.rows[np.arange(len(self.rows)), self.weights.argmax(1)]]

    def mean(self, values: NDArray[Any]) -> NDArray[Any]:
        """The weighted means (M, ...) float64 of values (N, ...), ignoring values that are not finite."""
        picked = values[self.rows].astype(np.float64)
        finite = np.isfinite(picked)
        if finite.all():
            return np.einsum("mk...,mk->m...", picked, self.weights)
        total = np.einsum("mk...,mk->m...", finite.astype(np.float64), self.weights)
        sums = np.einsum("mk...,mk->m...", np.where(finite, picked, 0.0), self.weights)
        return np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0)


def is_label(values: NDArray[Any]) -> bool:
    """Whether values are labels: Booleans, or integers of at most LABELS different values."""
    return values.dtype == bool or (
        np.issubdtype(values.dtype, np.integer) and values.ndim == 1 and len(np.unique(values)) <= LABELS
    )


def blend(
    values: Mapping[str, NDArray[Any]],
    at: Callable[[Array], Blend],
    places: Array,
    chunk: int = CHUNK,
    labels: Collection[str] | None = None,
) -> dict[str, NDArray[Any]]:
    """Each attribute (N, ...) of the data interpolated at places (M, 3): (M, ...), `chunk` at a time.

    A label is taken from the row with the largest weight and keeps its type; others are means, in float64.
    labels: the names of those that are labels; None: the values decide.
    """
    if labels is None:
        labels = {name for name, data in values.items() if is_label(data)}
    parts, step = [], steps()
    for start in range(0, max(len(places), 1), chunk):
        step((start + chunk) / max(len(places), 1))
        here = at(places[start : start + chunk])
        parts.append({n: here.foremost(v) if n in labels else here.mean(v) for n, v in values.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in values}
