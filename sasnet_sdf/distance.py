"""The signed distance that a field gives: the network's value near the surface, a measured one elsewhere.

Away from the surface a network still knows inside from outside, but its values grow too fast or too
slowly. There the distance to the nearest data point is more accurate: for data of spacing s its error
at distance d is at most about s^2 / 2d. Where the surface covers a hole in the data, vertices of the
surface take the place of data points.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .extraction import REACH, Support
from .geometry import Array
from .supervision.morton import morton_order
from .supervision.tree import Tree

NEAR, FAR = 1.0, 3.0
"""Distance to the nearest point, in spacings, from which and up to which the network's value is blended
into the measured distance."""

OWN, SHARED = 0.02, 0.1
"""The network's value, divided by the distance to the nearest point. Below OWN the place is close to a part
of the network's surface that has no points, such as its continuation past the rim of an open scan, and the
network's value is used; above SHARED the measured distance is."""

BRIDGES = 1 << 17
"""Largest number of points that stand for the surface in holes of the data."""


def bridges_of(places: Array, support: Support) -> Array:
    """The places (N, 3) on a surface that lie in holes of the data, thinned to the data's spacing.

    (B, 3) float32.
    """
    distance, spacing = support.distance(places)
    places = places[distance > REACH * spacing]
    side = support.usual_spacing
    while True:
        _, first = np.unique(np.floor(places / side), axis=0, return_index=True)
        if len(first) <= BRIDGES:
            return places[np.sort(first)].astype(np.float32)
        side *= 2


def joined(support: Support, bridges: Array) -> Support:
    """The data points together with those that bridge their holes."""
    if not len(bridges):
        return support
    points = np.concatenate([support.tree.points, bridges])
    spacing = np.concatenate([support.spacing, np.full(len(bridges), support.usual_spacing)])
    order = morton_order(points)
    return replace(support, tree=Tree.of(points[order]), spacing=spacing[order])


class Blend:
    """A network's values (N,) at places (N, 3) of the unit cube, blended with distances to points.

    surface: the points, of the data and of bridges. distance: (N,) the result, signed.
    """

    def __init__(self, values: Array, surface: Support, places: Array):
        nearest = surface.tree.nearest(np.ascontiguousarray(places, np.float64))
        off, spacing = places - surface.tree.points[nearest], surface.spacing[nearest]
        apart = np.maximum(np.linalg.norm(off, axis=1), 1e-300)
        sign, share = np.where(values < 0, -1.0, 1.0), np.abs(values) / apart
        far, far_slope = _ramp(apart / spacing, NEAR, FAR)
        same, same_slope = _ramp(share, OWN, SHARED)
        weight, gap = far * same, sign * apart - values
        self.distance = values + weight * gap
        # derivatives of `distance` by the network's value and by `apart`; spacings count as constant
        self._by_value = 1 - weight + gap * far * same_slope * sign / apart
        self._by_apart = weight * sign + gap * (far_slope * same / spacing - far * same_slope * share / apart)
        self._away = off / apart[:, None]

    def gradient(self, gradients: Array) -> Array:
        """The gradients (N, 3) of `distance`, from the network's (N, 3)."""
        return self._by_value[:, None] * gradients + self._by_apart[:, None] * self._away


def _ramp(x: Array, low: float, high: float) -> tuple[Array, Array]:
    """A smooth step (N,) from 0 at `low` to 1 at `high`, and its derivative."""
    t = ((x - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t), 6 * t * (1 - t) / (high - low)
