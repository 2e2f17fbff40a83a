"""Whether a place could see the points: nothing that was measured lies in between."""

from __future__ import annotations

import numpy as np

from ..geometry import Array
from .sketch import Sketch

RAYS = 256
"""Points that are looked at from where they are said to have been seen."""

DISC = 0.8
"""Spacings: a point stands for a disc of this radius in its plane. A ray through a surface whose points
lie at random meets one of its discs in 85 of 100 cases."""

CLEAR = 4.0
"""Spacings at either end of a ray, within which nothing is in its way."""

_PIECE = 64  # rays at once


def hidden_share(sketch: Sketch, sensors: Array) -> float:
    """The share of points that the others hide from their sensors (M, 3), which are in the unit cube's frame.

    0.4 for a closed object and a place outside it; next to nothing for true sensors.
    """
    rows = np.linspace(0, len(sketch.rows) - 1, min(RAYS, len(sketch.rows))).astype(np.int64)
    hidden = 0
    for start in range(0, len(rows), _PIECE):
        hidden += int(_hidden(sketch, rows[start : start + _PIECE], sensors).sum())
    return hidden / len(rows)


def _hidden(sketch: Sketch, rows: np.ndarray, sensors: Array) -> np.ndarray:
    """Whether the ray from each point (R,) to its sensor meets the disc of another point."""
    points, planes = sketch.points, sketch.planes
    ray = sensors[rows] - points[rows]
    length = np.maximum(np.linalg.norm(ray, axis=1), 1e-300)
    ray /= length[:, None]
    slant = ray @ planes.T
    height = (points * planes).sum(1) - points[rows] @ planes.T
    with np.errstate(divide="ignore", invalid="ignore"):
        along = height / slant
    clear = CLEAR * sketch.spacing
    between = (along > clear) & (along < length[:, None] - clear)
    which, other = np.nonzero(between)
    met = points[rows[which]] + along[which, other, None] * ray[which]
    on_disc = ((met - points[other]) ** 2).sum(1) < (DISC * sketch.spacing[other]) ** 2
    return np.bincount(which[on_disc], minlength=len(rows)) > 0


def faces(sketch: Sketch, sensors: Array) -> float:
    """The mean cosine at which the planes of the points are seen from sensors (M, 3): 0 is edge on."""
    ray = sensors - sketch.points
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-300)
    return float(np.abs((ray * sketch.planes).sum(1)).mean())


def widening(sketch: Sketch, place: Array) -> float:
    """How the spacing grows with the distance from a place: its power; 1 for a sensor that stood there.

    0 where the distances hardly differ.
    """
    distance = np.log(np.maximum(np.linalg.norm(sketch.points - place, axis=1), 1e-300))
    distance -= distance.mean()
    variance = float((distance**2).mean())
    return float((distance * np.log(sketch.spacing)).mean()) / variance if variance > _ALIKE**2 else 0.0


_ALIKE = 0.05  # deviation of the logarithm of distances


def surrounded(sketch: Sketch, place: Array) -> bool:
    """Whether the points lie around a place rather than to one side of it."""
    away = sketch.points - place
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-300)
    return bool(np.linalg.norm(away.mean(0)) < ASIDE)


ASIDE = 0.5
"""Length of the mean direction from a place: 1 is far away, 0 in the middle."""
