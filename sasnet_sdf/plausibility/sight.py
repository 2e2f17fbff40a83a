"""Whether a place could see the points: nothing that was measured lies in between."""

from __future__ import annotations

import numpy as np

from ..geometry import Array
from ..supervision.compiled import kernel
from ..threads import over_ranges
from .sketch import Sketch

RAYS = 256
"""Points that are looked at from where they are said to have been seen."""

DISC = 0.8
"""Spacings: a point stands for a disc of this radius in its plane. A ray through a surface whose points
lie at random meets one of its discs in 85 of 100 cases."""

CLEAR, CLEAR_FROM_ABOVE = 4.0, 1.5
"""Spacings at either end of a ray, within which nothing is in its way: a ray that grazes a noisy surface
meets its neighbors. From above it hardly does, and the other side of a plate is near."""


def hidden_share(sketch: Sketch, sensors: Array, clear: float = CLEAR) -> float:
    """The share of points that the others hide from their sensors (M, 3), which are in the unit cube's frame.

    clear: spacings at either end of a ray, within which nothing is in its way. 0.4 for a closed object
    and a place outside it; next to nothing for true sensors.
    """
    rows = np.linspace(0, len(sketch.rows) - 1, min(RAYS, len(sketch.rows))).astype(np.int64)
    hidden = np.zeros(len(rows), np.bool_)
    ends = np.ascontiguousarray(sensors[rows])
    over_ranges(
        _hidden,
        len(rows),
        sketch.points,
        sketch.planes,
        sketch.spacing * clear,
        sketch.spacing * DISC,
        rows,
        ends,
        hidden,
    )
    return float(hidden.mean())


@kernel
def _hidden(start, stop, points, planes, clear, disc, rows, ends, hidden):
    for r in range(start, stop):
        px, py, pz = points[rows[r], 0], points[rows[r], 1], points[rows[r], 2]
        dx, dy, dz = ends[r, 0] - px, ends[r, 1] - py, ends[r, 2] - pz
        length = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-300
        dx, dy, dz = dx / length, dy / length, dz / length
        for q in range(len(points)):
            nx, ny, nz = planes[q, 0], planes[q, 1], planes[q, 2]
            ox, oy, oz = points[q, 0] - px, points[q, 1] - py, points[q, 2] - pz
            slant = dx * nx + dy * ny + dz * nz
            if slant == 0.0:
                continue
            along = (ox * nx + oy * ny + oz * nz) / slant
            if along <= clear[q] or along >= length - clear[q]:
                continue
            mx, my, mz = along * dx - ox, along * dy - oy, along * dz - oz
            if mx * mx + my * my + mz * mz < disc[q] ** 2:
                hidden[r] = True
                break


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
