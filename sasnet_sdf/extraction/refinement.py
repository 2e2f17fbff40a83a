"""A field that follows the data where there are data, and the network where there are none.

A network blurs the surface that it is trained on, by more than the data's own error where the scan
is clean. So the surface is cut from a blend of the two: of the data's implicit surface beside them,
and of the network's field across holes, in parts that nobody saw, and far away. Since it is the
field that is blended, and not the vertices that are moved, triangles cannot fold, and no vertex is
pulled to another sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from ..supervision.evidence import Evidence
from .descent import ValueField
from .surface import GradientField

ZONE = 4.0
"""Cells from the data within which they are asked: a gap that is too narrow for a network is within."""

NEAR, FAR = 1.0, 2.0
"""Reaches along the surface from the nearest datum between which the data's word fades."""

BESIDE, SURE, BLUR = 0.5, 0.3, 0.15
"""The field overrules the data about the side where they are extrapolated by more reaches than the first,
and its value is more than the second of the distance from them and the third of the zone: beyond an edge,
a plane goes on for nothing, but nearer to the surface than that a network may itself be wrong."""

FACING, SUREST = 1.5, 0.5
"""The same straight above the data, farther off than so many reaches: the nearest datum may be one of the
other side of a thin part."""


@dataclass(frozen=True)
class Refined:
    """Values and gradients of the blend, at points (N, 3) of the unit cube.

    field: points -> values (N,), and field_with_gradient: points -> (values, gradients (N, 3)), are
    the network's. evidence: (points, zone) -> what the data say within `zone` of them. trust: what
    the data count beside the field, from 0 to 1.
    """

    field: ValueField
    field_with_gradient: GradientField
    evidence: Callable[[Array, float], Evidence]
    zone: float
    trust: float = 1.0

    def distance(self, points: Array) -> Array:
        """Values (N,) float64."""
        values = np.array(self.field(points), np.float64).reshape(-1)
        found = self.evidence(points, self.zone)
        share = self._share(found, values[found.rows])
        values[found.rows] += share * (found.distance - values[found.rows])
        return values

    def gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3), float64; as if the data's share were the same all around."""
        values, gradients = (np.array(part, np.float64) for part in self.field_with_gradient(points))
        values = values.reshape(-1)
        found = self.evidence(points, self.zone)
        share = self._share(found, values[found.rows])
        values[found.rows] += share * (found.distance - values[found.rows])
        gradients[found.rows] += share[:, None] * (found.gradient - gradients[found.rows])
        return values, gradients

    def _share(self, found: Evidence, values: Array) -> Array:
        """What the data count (K,), where the field has `values` (K,)."""
        along = np.sqrt(np.maximum(found.apart**2 - found.distance**2, 0.0)) / found.reach
        beyond = ((along - NEAR) / (FAR - NEAR)).clip(0, 1)
        share = self.trust * (1 - beyond * beyond * (3 - 2 * beyond))
        other = (values > 0) != (found.distance > 0)
        sure = np.abs(values) > np.maximum(SURE * found.apart, BLUR * self.zone)
        far = found.apart > FACING * found.reach
        surest = np.abs(values) > np.maximum(SUREST * found.apart, 2 * BLUR * self.zone)
        overruled = other & (((along > BESIDE) & sure) | (far & surest))
        return np.where(overruled, 0.0, share)
