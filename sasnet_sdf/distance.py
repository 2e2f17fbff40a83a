"""The distance that a field tells: the network's near the surface, that from the surface's points elsewhere.

A network trained around a surface knows the side everywhere, but away from the surface its slope is
rough. There the distance from the nearest data point is better: it is exact up to s^2 / 2d, at a
distance d from data of spacing s. Where the surface covers a hole in the data, points of the surface
itself stand for them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .extraction import REACH, Support
from .geometry import Array
from .supervision.morton import morton_order
from .supervision.tree import Tree

NEAR, FAR = 1.0, 3.0
"""Spacings from the nearest point between which the points take over from the network."""

OWN, SHARED = 0.02, 0.1
"""The network's value over the distance from the nearest point: up to OWN the network goes its own way, as
beyond the rim of an open surface, and its value stays; from SHARED on the two mean the same surface."""

BRIDGES = 1 << 17
"""Points for holes in the data, at most."""


def bridges_of(places: Array, support: Support) -> Array:
    """Which of the places (N, 3) on a surface are unsupported by data, as dense as these: (B, 3) float32."""
    distance, spacing = support.distance(places)
    places = places[distance > REACH * spacing]
    side = support.usual_spacing
    while True:
        _, first = np.unique(np.floor(places / side), axis=0, return_index=True)
        if len(first) <= BRIDGES:
            return places[np.sort(first)].astype(np.float32)
        side *= 2


def joined(support: Support, bridges: Array) -> Support:
    """The points of the support and those that bridge its holes."""
    if not len(bridges):
        return support
    points = np.concatenate([support.tree.points, bridges])
    spacing = np.concatenate([support.spacing, np.full(len(bridges), support.usual_spacing)])
    order = morton_order(points)
    return replace(support, tree=Tree.of(points[order]), spacing=spacing[order])


def with_data(values: Array, gradients: Array, surface: Support, places: Array) -> tuple[Array, Array]:
    """Signed distances (N,) and their gradients (N, 3), float64, from a network's at places (N, 3).

    All in the unit cube. surface: points all over the surface. The weight of their distance is
    differentiated too, but for their spacing.
    """
    nearest = surface.tree.nearest(np.ascontiguousarray(places, np.float64))
    off, spacing = places - surface.tree.points[nearest], surface.spacing[nearest]
    apart = np.linalg.norm(off, axis=1)
    away = off / np.maximum(apart, 1e-300)[:, None]
    sign, share = np.where(values < 0, -1.0, 1.0), np.abs(values) / np.maximum(apart, 1e-300)

    far, far_slope = _ramp(apart / spacing, NEAR, FAR)
    same, same_slope = _ramp(share, OWN, SHARED)
    weight = far * same
    # of far by apart, and of same by |value| and by apart
    by_apart = far_slope * same / spacing - far * same_slope * share / np.maximum(apart, 1e-300)
    by_value = far * same_slope * sign / np.maximum(apart, 1e-300)
    gap = sign * apart - values
    slope = (
        gradients * (1 - weight + gap * by_value)[:, None] + away * (weight * sign + gap * by_apart)[:, None]
    )
    return values + weight * gap, slope


def _ramp(x: Array, low: float, high: float) -> tuple[Array, Array]:
    """A smooth step (N,) from 0 at `low` to 1 at `high`, and its derivative."""
    t = ((x - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t), 6 * t * (1 - t) / (high - low)
