"""A cloud in few points: enough to see what its file claims of it, in a tenth of a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array, Frame, PointCloud
from ..supervision.duplicates import first_of_equals
from ..supervision.morton import morton_order
from ..supervision.planes import fit_planes
from ..supervision.tree import Tree

SAMPLE = 16_000
"""Points of a sketch, at most."""

NEIGHBORS = 12
"""That show the plane around a point; noise is small beside the spacing of so few points."""

THICK = 0.25
"""Spacings that points lie off their plane on average, from which on it says little."""

FEWEST = 50
"""Points below which nothing is concluded."""


@dataclass(frozen=True)
class Sketch:
    """Some of a cloud's points, drawn at random, in the unit cube.

    rows: (M,) the indices of the points in the cloud. tree: of the points (M, 3). lists: (M, k) the
    nearest others. spacing: (M,) their mean distance. planes: (M, 3) normals, of either sign, of the
    planes through them, flat: (M,) where the points lie on those, as not amid noise. share: M over the
    number of points in the cloud.
    """

    rows: np.ndarray
    tree: Tree
    lists: np.ndarray
    spacing: Array
    planes: Array
    flat: np.ndarray
    share: float

    @classmethod
    def of(cls, cloud: PointCloud, frame: Frame) -> Sketch | None:
        """None of a cloud with too few different points."""
        rows = np.arange(len(cloud))
        if len(cloud) > SAMPLE:
            rows = np.unique(np.random.default_rng(0).integers(0, len(cloud), SAMPLE))
        points = frame.to_unit(cloud.points[rows])
        first = first_of_equals(points)
        if len(first) < FEWEST:
            return None
        rows, points = rows[first], points[first]
        order = morton_order(points)
        rows, tree = rows[order], Tree.of(np.ascontiguousarray(points[order]))
        lists, distances = tree.neighbours(NEIGHBORS)
        spacing = np.maximum(distances[:, :6].mean(1, dtype=np.float64), 1e-12)
        planes, residuals = fit_planes(tree.points, lists)
        share = len(rows) / len(cloud)
        return cls(rows, tree, lists, spacing, planes, residuals < THICK * spacing, share)

    @property
    def points(self) -> Array:
        return self.tree.points

    def beside(self, normals: Array) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of neighbors that lie on one smooth sheet by their normals (M, 3), whose signs do not count.

        Indices (P,) and (P,). Points behind each other, on the two sides of a plate, are no such pair.
        """
        one = np.repeat(np.arange(len(self.rows)), self.lists.shape[1])
        other = self.lists.ravel().astype(np.int64)
        across = self.points[other] - self.points[one]
        length = np.linalg.norm(across, axis=1)
        flat = np.maximum(*(np.abs((across * normals[end]).sum(1)) for end in (one, other)))
        alike = np.abs((normals[one] * normals[other]).sum(1)) > ALIKE
        same = alike & (flat < FLAT * length)
        return one[same], other[same]


ALIKE, FLAT = 0.85, 0.35
"""Cosine of the angle between the normals of two points on one smooth sheet, at least, and the slope
of the line between them over either's plane, at most."""
