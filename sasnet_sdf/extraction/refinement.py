"""A field that follows the data where there are data, and the network where there are none.

A network blurs the surface that it is trained on, and where the scan is clean this blur is larger than
the error of the data. So the mesh is extracted from a blend of two fields: the implicit surface of the
data near them, and the network's field across holes, in unseen parts, and far away. Blending the fields,
instead of moving the vertices of the network's mesh, also corrects its topology, and cannot fold
triangles or pull a vertex to another sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from ..supervision.evidence import Evidence
from .descent import GradientField, ValueField

ZONE = 4.0
"""Cells from the data within which the data count. A gap too narrow for a network lies within."""

FADE_START, FADE_END = 1.0, 2.0
"""Where the weight of the data falls from 1 to 0: distances along the surface from the nearest data point,
in reaches."""

EDGE_DISTANCE, EDGE_SHARE, EDGE_CELLS = 0.5, 0.3, 0.6
THIN_DISTANCE, THIN_SHARE, THIN_CELLS = 1.5, 0.5, 1.2
"""When the field overrules the data where the two disagree about inside and outside.

EDGE: more than so many reaches along the surface from the nearest data point, where the plane of the
data may have gone on beyond an edge of the object. THIN: more than so many reaches away from it, where
it may lie on the far side of a thin part. In both cases the field's value must exceed that share of the
distance from the data, and that many cells: nearer to its own surface a network may itself be wrong.
"""


@dataclass(frozen=True)
class Refined:
    """Values and gradients of the blend, at points (N, 3) of the unit cube.

    field: points -> values (N,), and field_with_gradient: points -> (values, gradients (N, 3)), are
    the network's. evidence: (points, zone) -> what the data say within `zone` of them. cell: the
    side of a lattice cell. trust: the weight of the data where they are dense, from 0 to 1; the
    field has the rest.
    """

    field: ValueField
    field_with_gradient: GradientField
    evidence: Callable[[Array, float], Evidence]
    cell: float
    trust: float = 1.0

    def distance(self, points: Array) -> Array:
        """Values (N,) float64."""
        found, asked = self._found(points)
        values = np.zeros(len(points))
        if len(asked):
            values[asked] = np.asarray(self.field(points[asked])).reshape(-1)
        self._blend(found, values)
        return values

    def gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3), float64. The weights count as constant."""
        found, asked = self._found(points)
        values, gradients = np.zeros(len(points)), np.zeros((len(points), 3))
        if len(asked):
            some, slopes = self.field_with_gradient(points[asked])
            values[asked], gradients[asked] = np.asarray(some).reshape(-1), slopes
        weight = self._blend(found, values)
        gradients[found.rows] += weight[:, None] * (found.gradient - gradients[found.rows])
        return values, gradients

    def _found(self, points: Array) -> tuple[Evidence, NDArray[np.int64]]:
        """The evidence of the data at points (N, 3), and the indices (K,) where the field must be evaluated.

        Elsewhere the weight of the data is 1 whatever the field's value is.
        """
        found = self.evidence(points, ZONE * self.cell)
        asked = np.ones(len(points), np.bool_)
        if self.trust == 1.0:
            near = _along(found) <= min(EDGE_DISTANCE, FADE_START)
            asked[found.rows[near & (found.apart <= THIN_DISTANCE * found.reach)]] = False
        return found, np.flatnonzero(asked)

    def _blend(self, found: Evidence, values: Array) -> Array:
        """Blend the data into the field's values (N,), in place; the weight of the data (K,)."""
        weight = self._weight(found, values[found.rows])
        values[found.rows] += weight * (found.distance - values[found.rows])
        return weight

    def _weight(self, found: Evidence, values: Array) -> Array:
        """The weight of the data (K,) where the field has `values` (K,)."""
        along = _along(found)
        faded = ((along - FADE_START) / (FADE_END - FADE_START)).clip(0, 1)
        weight = self.trust * (1 - faded * faded * (3 - 2 * faded))
        size, apart = np.abs(values), found.apart
        edge = (along > EDGE_DISTANCE) & (size > np.maximum(EDGE_SHARE * apart, EDGE_CELLS * self.cell))
        thin = apart > THIN_DISTANCE * found.reach
        thin &= size > np.maximum(THIN_SHARE * apart, THIN_CELLS * self.cell)
        disagree = (values > 0) != (found.distance > 0)
        return np.where(disagree & (edge | thin), 0.0, weight)


def _along(found: Evidence) -> Array:
    """The distance (K,) to the nearest data point along the surface, in reaches."""
    return np.sqrt(np.maximum(found.apart**2 - found.distance**2, 0.0)) / found.reach
