"""Sides that a file claims, by normals or sensors, against the points' planes and against each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from .sketch import Sketch

STEEP = 0.5
"""Cosine of the angle between a normal and the plane's, below which they contradict each other."""

OFF = 0.5
"""The slope of the line to neighbors with a like normal, on average, over a point's own plane, above which
its normal is not borne out by them either. Across a thin wall, planes are those of both its sides."""

CONTRADICTING = 0.15
"""The share of such points, of those on a plane, from which on the normals are none. Measured: of true
normals, 0.00 to 0.04, thin walls and noise among them; of one direction for all points of an ellipsoid,
0.26; of random directions, 0.5."""

ENOUGH = 0.1
"""The share of points that must lie on a plane for these to speak for all."""

FLIPPED = 0.01
"""The share of pairs of neighbors with opposite normals from which on the sides were never made alike.

Measured: of clouds with true normals, 0 to 0.002; of those of Open3D's estimate_normals, 0.02 to 0.08;
of random signs, 0.5."""

TWO_SIDES = 0.5
"""The mean height of opposite neighbors over each other, in units of its root mean square, from which on
they are the two sides of something thin. About 0 where normals of one surface look to both sides."""

BEHIND = 0.1
"""The same over the distance between them, at least: what curvature leaves is less."""

CLOSED = 0.15
"""The length of the mean normal, weighted by area, up to which the points lie all around something."""

HOLLOW = 0.002
"""Of (enclosed volume) / area^1.5, which is 0.094 for a ball and 0.004 for a plate of 1 x 0.6 x 0.01: from
here on there is an inside."""

CERTAIN = 5.0
"""Standard deviations of the volume, which has those of a sum over points, for it to have a sign."""

GRAZING = 0.35
"""Cosine between ray and normal up to which a sensor says nothing about the side."""

SEEN_FROM_BOTH = 0.015
"""The share of pairs of neighbors that sensors saw from opposite sides, from which on it is no chance.

Measured: of noisy scans and their true sensors, 0.000 to 0.005, of a box of few points 0.009; of sensors
that are a good half of an object's size off, 0.012 to 0.05; of walls thinner than the noise, 0.2."""


@dataclass(frozen=True)
class Claims:
    """What normals say: contradicting and flipped are shares, of points and of pairs; inward is whether
    they look at the inside of what they surround."""

    contradicting: float
    flipped: float
    inward: bool

    @property
    def contradict(self) -> bool:
        return self.contradicting > CONTRADICTING

    @property
    def unlike(self) -> bool:
        """Whether their sides were never made alike."""
        return self.flipped > FLIPPED


def claims_of(normals: Array, sketch: Sketch) -> Claims:
    """Of unit normals (N, 3) of the cloud."""
    normals = normals[sketch.rows]
    steep = np.flatnonzero(np.abs((normals * sketch.planes).sum(1)) < STEEP)
    off = steep[_off_their_neighbors(normals, sketch, steep)]
    flat = int(sketch.flat.sum())
    contradicting = float(sketch.flat[off].sum()) / flat if flat > ENOUGH * len(normals) else 0.0
    return Claims(contradicting, _flipped(normals, sketch), inward(normals, sketch))


def seen_from_both(sensors: Array, sketch: Sketch) -> float:
    """The share of pairs of neighbors that their sensors (M, 3) saw from opposite sides of their planes."""
    ray = sensors - sketch.points
    seen = (ray * sketch.planes).sum(1) / np.maximum(np.linalg.norm(ray, axis=1), 1e-300)
    return _flipped(turned(sensors, sketch), sketch, np.abs(seen) > GRAZING)


def turned(sensors: Array, sketch: Sketch) -> Array:
    """The normals of the planes (M, 3) on the side of the sensors (M, 3)."""
    away = ((sensors - sketch.points) * sketch.planes).sum(1, keepdims=True) < 0
    return np.where(away, -sketch.planes, sketch.planes)


def inward(normals: Array, sketch: Sketch) -> bool:
    """Whether normals (M, 3) look at the inside of what they surround."""
    areas = np.minimum(sketch.spacing, 2 * np.median(sketch.spacing)) ** 2
    total = areas.sum()
    if np.linalg.norm((areas[:, None] * normals).sum(0)) > CLOSED * total:
        return False
    around = sketch.points - np.average(sketch.points, axis=0, weights=areas)
    parts = areas * (around * normals).sum(1) / 3
    least = max(HOLLOW * total**1.5, CERTAIN * float(parts.std()) * np.sqrt(len(parts)))
    return bool(parts.sum() < -least)


def _off_their_neighbors(normals: Array, sketch: Sketch, rows: np.ndarray) -> np.ndarray:
    """Whether those of points `rows` are steep to the lines to the neighbors with like normals too."""
    near = sketch.lists[rows]
    across = sketch.points[near] - sketch.points[rows, None]
    alike = np.einsum("nki,ni->nk", normals[near], normals[rows]) > STEEP
    height = (alike * np.einsum("nki,ni->nk", across, normals[rows]) ** 2).sum(1)
    length = (alike * (across**2).sum(2)).sum(1)
    return (height > OFF**2 * length) | (alike.sum(1) < 3)


def _flipped(normals: Array, sketch: Sketch, rows: np.ndarray | None = None) -> float:
    """The share of pairs of neighbors, of which both are in `rows` (M,), whose normals are opposite."""
    one, other = sketch.beside(normals)
    if rows is not None:
        both = rows[one] & rows[other]
        one, other = one[both], other[both]
    if not len(one):
        return 0.0
    opposite = (normals[one] * normals[other]).sum(1) < 0
    if not opposite.any():
        return 0.0
    one, other = one[opposite], other[opposite]
    across = sketch.points[other] - sketch.points[one]
    # of opposite normals of one sheet, its curvature cancels here, and noise has either sign
    height = (across * (normals[one] - normals[other])).sum(1)
    thick = BEHIND * float(np.linalg.norm(across, axis=1).mean())
    if abs(height.mean()) > max(TWO_SIDES * float(np.sqrt((height**2).mean())), 2 * thick):
        return 0.0
    return float(opposite.mean())
