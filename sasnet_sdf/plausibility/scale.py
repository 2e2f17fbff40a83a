"""Units and digits: coordinates that are degrees, sides that do not fit each other, rounded numbers.

The checks look at few points of a cloud, enough in a tenth of a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import Finding, UnusableGeometry, warning
from ..geometry import Array, Frame, PointCloud
from ..spatial import Tree, first_of_equals, morton_order
from ..supervision.planes import fit_planes

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


THIN = 1e-3
"""The second longest side over the longest, below which two units are likely mixed."""

LOOKS_LIKE_DEGREES = (180.0, 90.0)
"""What longitude and latitude do not exceed."""

COARSE = 0.5
"""Spacings between points that a step of the coordinates' rounding may be, before it shows."""


def check_units(cloud: PointCloud, name: str) -> list[Finding]:
    """Raises UnusableGeometry where x and y are degrees."""
    sides = np.ptp(cloud.points, axis=0)
    advice = "project the file to meters first, as PDAL's filters.reprojection, CloudCompare or QGIS do"
    if cloud.geographic and sides[2] > 0:
        raise UnusableGeometry(
            f"{name}: x and y are degrees (its reference system is geographic) and z is not: {advice}"
        )
    _, second, longest = np.sort(sides)
    if second >= THIN * longest:
        return []
    told = f"the sides of the input differ {longest / max(second, 1e-300):,.0f}-fold ({_sizes(sides)})"
    most = np.abs(cloud.points[:, :2]).max(0)
    if (most <= LOOKS_LIKE_DEGREES).all() and sides[:2].max() < THIN * sides[2]:
        return [warning(f"{told}: x and y may be degrees and z meters; {advice}")]
    return [warning(f"{told}: are units mixed, or are far points to be cut off with --crop?")]


def check_digits(points: Array, spacing: float) -> list[Finding]:
    """spacing: between neighboring points (N, 3), in the same units."""
    largest = np.float32(np.abs(points).max())
    step = float(np.spacing(largest))
    if step <= COARSE * spacing or not (points.astype(np.float32) == points).all():
        return []
    return [
        warning(
            f"the coordinates are rounded to steps of {step:.2g}, which the distance between points "
            f"({spacing:.2g}) does not allow: single precision cannot hold numbers as large as {largest:.3g};"
            " export double precision, or shift the scan to its origin before it is exported"
        )
    ]


def _sizes(sides: Array) -> str:
    return " x ".join(f"{side:.3g}" for side in sides)
