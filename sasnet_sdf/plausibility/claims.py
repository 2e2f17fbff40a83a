"""Checks of normals and sensors against the planes of the points, and against each other.

A place could have seen a point if no other part of the measured surface lies in between.
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

Measured: of noisy scans and their true sensors, 0.000 to 0.005, of a box of few points 0.009; of sensors
that are half of an object's size off, 0.012 to 0.05; of walls thinner than the noise, 0.2."""

CLEAR, CLEAR_FROM_ABOVE = 4.0, 1.5
"""Spacings at either end of a ray within which nothing counts as in its way, since a ray that grazes a noisy
surface meets its neighbors. From above it hardly does, and the other side of a plate is near."""

_SAMPLE, _FEWEST = 16_000, 50  # points of a sketch, at most and at least
_NEIGHBORS = 12  # by which a plane is fitted; noise is small beside the spacing of so few points
_THICK = 0.25  # mean distance of points from their plane, in spacings, above which it is unreliable
# on a smooth sheet: least cosine between two normals, greatest slope of the line between the points
_ALIKE, _FLAT = 0.85, 0.35
_RAYS = 256  # points that are tested for being hidden
# spacings: radius of the disc that stands for a point. A ray through a surface whose points lie at random
# meets one of its discs in 85 of 100 cases
_DISC = 0.8
_EQUAL = 0.05  # standard deviation of the logarithm of distances below which they are the same
_STEEP = 0.5  # cosine between a normal and the plane's below which they contradict each other
# mean slope, over a point's own normal, of the lines to neighbors with a similar one, above which they do not
# confirm it either; across a thin wall, planes are those of both its sides
_OFF = 0.5
# share of such points, of those on a plane, above which normals are wrong. Measured: of true normals, 0.00 to
# 0.04, with thin walls and noise; of one direction for all points of an ellipsoid, 0.26; of random ones, 0.5
_CONTRADICTING = 0.15
_ENOUGH = 0.1  # least share of points on a plane for these to represent all
# share of pairs of neighbors with opposite normals above which normals were never oriented. Measured: of true
# normals, 0 to 0.002; of those of Open3D's estimate_normals, 0.02 to 0.08; of random signs, 0.5
_FLIPPED = 0.01
# mean height of neighbors with opposite normals over each other, over its root mean square, above which they
# are the two sides of something thin; about 0 where normals of one surface point to both sides
_TWO_SIDES = 0.5
_BEHIND = 0.1  # least such height over the distance between them: curvature leaves less
_CLOSED = 0.15  # length of the mean normal, weighted by area, up to which the points surround something
_HOLLOW = 0.002  # least volume / area^1.5 of an inside: 0.094 for a ball, 0.004 for a plate of 1 x 0.6 x 0.01
_CERTAIN = 5.0  # standard deviations of the volume, as a sum over points, for its sign to be certain
_GRAZING = 0.35  # cosine between ray and normal up to which a sensor says nothing about the side


@dataclass(frozen=True)
class Sketch:
    """A random sample of a cloud's points, in the unit cube, that checks finish on in a tenth of a second.

    rows: (M,) indices of the points in the cloud. tree: of the points (M, 3). lists: (M, k) the nearest
    others. spacing: (M,) their mean distance. planes: (M, 3) unit normals, of either sign, of the planes
    through them. flat: (M,) whether the points lie on these planes, as they do without noise. share: M over
    the number of points in the cloud.
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
        """The indices (P,) and (P,) of neighbors on one smooth sheet, by normals (M, 3) of any sign.

        Points behind each other, on the two sides of a plate, are no such pair.
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
    """The share of points that others hide from their sensors (M, 3), which are in the unit cube.

    clear: spacings at either end of a ray within which nothing counts as in its way. The share is about 0.4
    for a closed object and a place outside it, and next to nothing for true sensors.
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
    """The mean cosine between rays from sensors (M, 3) and the points' normals: 0 is edge on."""
    ray = sensors - sketch.points
    ray /= np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-300)
    return float(np.abs((ray * sketch.planes).sum(1)).mean())


def widening(sketch: Sketch, place: Array) -> float:
    """The power of the distance from a place with which the spacing grows: 1 for a sensor that stood there.

    0 where the distances hardly differ.
    """
    distance = np.log(np.maximum(np.linalg.norm(sketch.points - place, axis=1), 1e-300))
    distance -= distance.mean()
    variance = float((distance**2).mean())
    return float((distance * np.log(sketch.spacing)).mean()) / variance if variance > _EQUAL**2 else 0.0


@dataclass(frozen=True)
class NormalCheck:
    """What a check of normals found.

    contradicting: share of points whose normals contradict their planes. flipped: share of pairs of neighbors
    whose normals are opposite. inward: whether they point to the inside of what they surround.
    """

    contradicting: float
    flipped: float
    inward: bool

    @property
    def contradict(self) -> bool:
        """Whether too many of them contradict the points."""
        return self.contradicting > _CONTRADICTING

    @property
    def unoriented(self) -> bool:
        """Whether they were never oriented consistently."""
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
    """The normals of the planes (M, 3) on the side of the sensors (M, 3)."""
    away = ((sensors - sketch.points) * sketch.planes).sum(1, keepdims=True) < 0
    return np.where(away, -sketch.planes, sketch.planes)


def inward(normals: Array, sketch: Sketch) -> bool:
    """Whether normals (M, 3) point to the inside of what they surround."""
    areas = np.minimum(sketch.spacing, 2 * np.median(sketch.spacing)) ** 2
    total = areas.sum()
    if np.linalg.norm((areas[:, None] * normals).sum(0)) > _CLOSED * total:
        return False
    around = sketch.points - np.average(sketch.points, axis=0, weights=areas)
    parts = areas * (around * normals).sum(1) / 3
    least = max(_HOLLOW * total**1.5, _CERTAIN * float(parts.std()) * np.sqrt(len(parts)))
    return bool(parts.sum() < -least)


def _off_their_neighbors(normals: Array, sketch: Sketch, rows: Indices) -> NDArray[np.bool_]:
    """Whether neighbors with similar normals do not confirm those of points `rows` either."""
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
