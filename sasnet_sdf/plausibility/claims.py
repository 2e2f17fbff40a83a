"""Sides that a file claims, by normals or sensors, against the points' planes and against each other.

A place could see the points if nothing that was measured lies in between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from ..runtime.compiled import kernel, over_ranges
from .scale import Sketch

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
