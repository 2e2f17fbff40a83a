"""Checks of normals and sensors against the planes of the points, and against each other.

A point is visible from a position if no other part of the measured surface lies in between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, Frame, Indices, PointCloud
from ..runtime.compiled import kernel, over_ranges
from ..spatial import Tree, first_of_equals, morton_order
from ..supervision.planes import fit_planes

SEEN_FROM_BOTH = 0.015
"""Share of pairs of neighbors seen from opposite sides above which sensors are wrong or walls too thin.

Measured: 0.000 to 0.005 for noisy scans with their true sensors; 0.009 for a box of few points; 0.012 to 0.05
for sensors that are off by half of an object's size; 0.2 for walls thinner than the noise."""

CLEAR, CLEAR_FROM_ABOVE = 4.0, 1.5
"""Distance, in spacings, from either end of a ray within which nothing blocks it, since a ray that grazes a
noisy surface hits neighbors. CLEAR_FROM_ABOVE is smaller: such rays rarely graze, and plates are thin."""

_SAMPLE, _FEWEST = 16_000, 50  # largest and smallest number of points in a sketch
_NEIGHBORS = 12  # number of neighbors for fitting a plane; noise is small relative to a sketch's spacing
_THICK = 0.25  # mean distance of points from their plane, in spacings, above which it is unreliable
# neighbors on a smooth sheet have at least _ALIKE as the cosine between their normals, and at most _FLAT as
# the slope of the line between them
_ALIKE, _FLAT = 0.85, 0.35
_RAYS = 256  # number of points that are tested for occlusion
# radius, in spacings, of the disc that represents a point. A ray through a surface of random points hits one
# of the discs in 85 of 100 cases
_DISC = 0.8
_EQUAL = 0.05  # standard deviation of the logarithm of distances below which they are the same
_STEEP = 0.5  # cosine between a normal and the plane's below which they contradict each other
# mean slope, relative to a point's normal, of the lines to neighbors with similar normals, above which these
# do not confirm the normal either. This second test is for thin walls, where a fitted plane mixes both sides
_OFF = 0.5
# share of such points, among those on a plane, above which normals are wrong. Measured: 0.00 to 0.04 for true
# normals, with thin walls and noise; 0.26 for one direction at all points of an ellipsoid; 0.5 for random
# normals
_CONTRADICTING = 0.15
_ENOUGH = 0.1  # least share of points on a plane for these to represent all
# share of pairs of neighbors with opposite normals above which normals were never oriented. Measured: 0 to
# 0.002 for true normals; 0.02 to 0.08 for those of Open3D's estimate_normals; 0.5 for random signs
_FLIPPED = 0.01
# ratio of the mean to the root mean square of the height of neighbors with opposite normals over each other,
# above which they are two sides of something thin; about 0 if normals of one surface point to both sides
_TWO_SIDES = 0.5
_BEHIND = 0.1  # least ratio of such a height to the distance between the neighbors: curvature gives less
_CLOSED = 0.15  # length of the mean normal, weighted by area, up to which the points surround something
_HOLLOW = 0.002  # least volume / area^1.5 of an inside: 0.094 for a ball, 0.004 for a plate of 1 x 0.6 x 0.01
_CERTAIN = 5.0  # ratio of the volume, a sum over points, to its standard deviation for a certain sign
_GRAZING = 0.35  # cosine between ray and normal up to which a sensor does not determine the side


@dataclass(frozen=True)
class Sketch:
    """A random sample of a cloud's points, in the unit cube, on which a check takes a tenth of a second.

    rows: (M,) indices of the points in the cloud. tree: search tree of the points (M, 3). lists: (M, k) the
    nearest neighbors. spacing: (M,) their mean distance. planes: (M, 3) unit normals, of either sign, of the
    planes through them. flat: (M,) whether the points lie on these planes, as they do without noise. share: M
    over the number of points in the cloud.
    """

    rows: Indices
    tree: Tree
    lists: Indices
    spacing: Array
    planes: Array
    flat: NDArray[np.bool_]
    share: float

    @classmethod
    def of(cls, cloud: PointCloud, frame: Frame) -> Sketch | None:
        """The sketch of a cloud; None where it has too few distinct points."""
        rows = np.arange(len(cloud))
        if len(cloud) > _SAMPLE:
            rows = np.unique(np.random.default_rng(0).integers(0, len(cloud), _SAMPLE))
        points = frame.to_unit(cloud.points[rows])
        first = first_of_equals(points)
        if len(first) < _FEWEST:
            return None
        rows, points = rows[first], points[first]
        order = morton_order(points)
        rows, tree = rows[order], Tree.of(np.ascontiguousarray(points[order]))
        lists, distances = tree.neighbors(_NEIGHBORS)
        spacing = np.maximum(distances[:, :6].mean(1, dtype=np.float64), 1e-12)
        planes, residuals = fit_planes(tree.points, lists)
        share = len(rows) / len(cloud)
        return cls(rows, tree, lists, spacing, planes, residuals < _THICK * spacing, share)

    @property
    def points(self) -> Array:
        """The points (M, 3)."""
        return self.tree.points

    def beside(self, normals: Array) -> tuple[Indices, Indices]:
        """The indices (P,) and (P,) of pairs of neighbors on one smooth sheet, by normals (M, 3) of any sign.

        Points opposite each other on the two sides of a plate are not such a pair.
        """
        one = np.repeat(np.arange(len(self.rows)), self.lists.shape[1])
        other = self.lists.ravel().astype(np.int64)
        across = self.points[other] - self.points[one]
        length = np.linalg.norm(across, axis=1)
        flat = np.maximum(*(np.abs((across * normals[end]).sum(1)) for end in (one, other)))
        alike = np.abs((normals[one] * normals[other]).sum(1)) > _ALIKE
        same = alike & (flat < _FLAT * length)
        return one[same], other[same]


def hidden_share(sketch: Sketch, sensors: Array, clear: float = CLEAR) -> float:
    """The share of points that are occluded by others from their sensors (M, 3) in the unit cube.

    clear: distance, in spacings, from either end of a ray within which nothing blocks it. The share is about
    0.4 for a closed object and one position outside it, and close to 0 for true sensors.
    """
    rows = np.linspace(0, len(sketch.rows) - 1, min(_RAYS, len(sketch.rows))).astype(np.int64)
    hidden = np.zeros(len(rows), np.bool_)
    ends = np.ascontiguousarray(sensors[rows])
    discs = sketch.points, sketch.planes, sketch.spacing * clear, sketch.spacing * _DISC
    over_ranges(_hidden, len(rows), *discs, rows, ends, hidden)
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
    """The mean cosine between rays from sensors (M, 3) and the points' normals: 0 means edge-on."""
    ray = sensors - sketch.points
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-300)
    return float(np.abs((ray * sketch.planes).sum(1)).mean())


def widening(sketch: Sketch, place: Array) -> float:
    """The exponent with which the spacing grows with the distance from a position: 1 for a true sensor.

    0 where the distances hardly differ.
    """
    distance = np.log(np.maximum(np.linalg.norm(sketch.points - place, axis=1), 1e-300))
    distance -= distance.mean()
    variance = float((distance**2).mean())
    return float((distance * np.log(sketch.spacing)).mean()) / variance if variance > _EQUAL**2 else 0.0


@dataclass(frozen=True)
class NormalCheck:
    """The result of a check of normals.

    contradicting: share of points whose normals contradict their planes. flipped: share of pairs of neighbors
    whose normals are opposite. inward: whether normals point into the solid that they enclose.
    """

    contradicting: float
    flipped: float
    inward: bool

    @property
    def contradict(self) -> bool:
        """Whether too many normals contradict the points."""
        return self.contradicting > _CONTRADICTING

    @property
    def unoriented(self) -> bool:
        """Whether the normals were never oriented consistently."""
        return self.flipped > _FLIPPED


def check_normals(normals: Array, sketch: Sketch) -> NormalCheck:
    """The check of the unit normals (N, 3) of a cloud."""
    normals = normals[sketch.rows]
    steep = np.flatnonzero(np.abs((normals * sketch.planes).sum(1)) < _STEEP)
    off = steep[_off_their_neighbors(normals, sketch, steep)]
    flat = int(sketch.flat.sum())
    contradicting = float(sketch.flat[off].sum()) / flat if flat > _ENOUGH * len(normals) else 0.0
    return NormalCheck(contradicting, _flipped(normals, sketch), inward(normals, sketch))


def seen_from_both(sensors: Array, sketch: Sketch) -> float:
    """The share of pairs of neighbors that their sensors (M, 3) saw from opposite sides of their planes."""
    ray = sensors - sketch.points
    seen = (ray * sketch.planes).sum(1) / np.maximum(np.linalg.norm(ray, axis=1), 1e-300)
    return _flipped(turned(sensors, sketch), sketch, np.abs(seen) > _GRAZING)


def turned(sensors: Array, sketch: Sketch) -> Array:
    """The normals (M, 3) of the planes, flipped toward the sensors (M, 3)."""
    away = ((sensors - sketch.points) * sketch.planes).sum(1, keepdims=True) < 0
    return np.where(away, -sketch.planes, sketch.planes)


def inward(normals: Array, sketch: Sketch) -> bool:
    """Whether normals (M, 3) point into the solid that they enclose."""
    areas = np.minimum(sketch.spacing, 2 * np.median(sketch.spacing)) ** 2
    total = areas.sum()
    if np.linalg.norm((areas[:, None] * normals).sum(0)) > _CLOSED * total:
        return False
    around = sketch.points - np.average(sketch.points, axis=0, weights=areas)
    parts = areas * (around * normals).sum(1) / 3
    least = max(_HOLLOW * total**1.5, _CERTAIN * float(parts.std()) * np.sqrt(len(parts)))
    return bool(parts.sum() < -least)


def _off_their_neighbors(normals: Array, sketch: Sketch, rows: Indices) -> NDArray[np.bool_]:
    """Whether the normals of points `rows` are also not confirmed by neighbors with similar normals."""
    near = sketch.lists[rows]
    across = sketch.points[near] - sketch.points[rows, None]
    alike = np.einsum("nki,ni->nk", normals[near], normals[rows]) > _STEEP
    height = (alike * np.einsum("nki,ni->nk", across, normals[rows]) ** 2).sum(1)
    length = (alike * (across**2).sum(2)).sum(1)
    return (height > _OFF**2 * length) | (alike.sum(1) < 3)


def _flipped(normals: Array, sketch: Sketch, rows: NDArray[np.bool_] | None = None) -> float:
    """The share of pairs of neighbors, both in the mask `rows` (M,), whose normals are opposite."""
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
    # for opposite normals on one sheet, curvature cancels here, and noise has either sign
    height = (across * (normals[one] - normals[other])).sum(1)
    thick = _BEHIND * float(np.linalg.norm(across, axis=1).mean())
    if abs(height.mean()) > max(_TWO_SIDES * float(np.sqrt((height**2).mean())), 2 * thick):
        return 0.0
    return float(opposite.mean())
