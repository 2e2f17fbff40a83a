"""Colours and other attributes of the data at places on the surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import igl
import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from ..supervision import CloudTarget

NEIGHBOURS = 12
"""Points beside the nearest one that are averaged."""

WIDTH = 0.7
"""The Gaussian's standard deviation in local spacings: about five points count, and edges stay crisp."""

WIDER = 0.3
"""What is added to it of the distance from the nearest point, for places where there are no data."""

LABELS = 64
"""Integers of so few different values are names of things, as classes are: they are not averaged."""

CHUNK = 1 << 15


@dataclass(frozen=True)
class Blend:
    """At M places the rows (M, k) of the data that count there and their weights (M, k), of sum 1."""

    rows: NDArray[np.integer]
    weights: Array

    @classmethod
    def of_cloud(cls, target: CloudTarget, places: Array) -> Blend:
        """The nearest point and its neighbours, weighted by a Gaussian of their distances."""
        nearest = target.tree.nearest(np.ascontiguousarray(places, np.float64))
        rows = np.concatenate([nearest[:, None], target.lists[nearest, :NEIGHBOURS]], 1)
        squared = ((target.points[rows] - places[:, None]) ** 2).sum(2)
        width = WIDTH * target.spacing[nearest] + WIDER * np.sqrt(squared[:, 0])
        # the difference from the smallest: far away all weights would vanish
        weights = np.exp((squared.min(1, keepdims=True) - squared) / (2 * width[:, None] ** 2))
        return cls(rows, weights / weights.sum(1, keepdims=True))

    @classmethod
    def of_mesh(cls, vertices: Array, faces: NDArray, places: Array) -> Blend:
        """The corners of the nearest triangle, by the barycentric coordinates of its nearest point."""
        found = igl.point_mesh_squared_distance(np.ascontiguousarray(places), vertices, faces)
        foot, corners = np.asarray(found[2]), faces[np.ravel(np.asarray(found[1]))]
        a, b, c = (vertices[corners[:, n]] for n in range(3))
        whole = np.cross(b - a, c - a)
        size = (whole * whole).sum(1)
        flat = size < 1e-300
        parts = [np.cross(c - b, foot - b), np.cross(a - c, foot - c), np.cross(b - a, foot - a)]
        weights = np.stack([(part * whole).sum(1) for part in parts], 1).clip(0)
        weights[flat] = [1, 0, 0]
        return cls(corners, weights / weights.sum(1, keepdims=True))

    def of(self, values: NDArray) -> NDArray:
        """Values (N,) or (N, c) of the data at the places: the weighted mean, or a label's value.

        A label, which is an integer of at most LABELS different values, or a truth value, is the one
        that counts most. Means are float64; what is not finite does not count.
        """
        if is_label(values):
            return values[self.rows[np.arange(len(self.rows)), self.weights.argmax(1)]]
        picked = values[self.rows].astype(np.float64)
        weights = self.weights.reshape(self.weights.shape + (1,) * (picked.ndim - 2))
        finite = np.isfinite(picked)
        weights = np.where(finite, weights, 0.0)
        total = weights.sum(1)
        mean = (weights * np.where(finite, picked, 0.0)).sum(1)
        return np.divide(mean, total, out=np.full(mean.shape, np.nan), where=total > 0)


def is_label(values: NDArray) -> bool:
    """Whether values are names of things rather than amounts of one."""
    return values.dtype == bool or (
        np.issubdtype(values.dtype, np.integer) and values.ndim == 1 and len(np.unique(values)) <= LABELS
    )


def blend(values: Mapping[str, NDArray], at: Callable[[Array], Blend], places: Array) -> dict[str, NDArray]:
    """Every attribute (N, ...) of the data at places (M, 3): (M, ...), a few places at a time."""
    parts = []
    for start in range(0, max(len(places), 1), CHUNK):
        here = at(places[start : start + CHUNK])
        parts.append({name: here.of(data) for name, data in values.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in values}
