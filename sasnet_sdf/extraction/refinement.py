"""A field that follows the data where there are data, and the network where there are none.

A network blurs the surface that it is trained on, and where the scan is clean this blur is larger than
the error of the data. So the mesh is extracted from a blend of two fields: the implicit surface of the
data near them, and the network's field across holes, in unseen parts, and far away. Blending the fields,
instead of moving the vertices of the network's mesh, also corrects its topology, and cannot fold
triangles or pull a vertex to another sheet. `Support` knows where there are data, and how dense they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, TriangleMesh
from ..mesh import cross_products
from ..spatial import Tree, morton_order
from ..supervision import CloudTarget, MeshTarget
from ..supervision.cloud_target import Evidence
from .descent import GradientField, ValueField

SMOOTHED_OVER = 12
"""Neighbours whose spacings are averaged, so that what depends on them changes smoothly."""

GAP_OF_CLOUD = 0.10
"""The widest hole that leaves the data of a scan those of a solid, over the area with data.

Measured: scans by 12 cameras all around thirteen objects, up to 0.008; by 4 cameras all around
eleven objects, up to 0.060 (a face that none of them saw). Ten objects seen by one camera, 0.34 to
0.67; real range maps, RGB-D frames and fragments, 0.17 to 0.80; airborne laser, 0.67. In between
lie six objects seen by half of 12 cameras, 0.003 to 0.23; a leg open at the thigh, 0.13; the bunny
without its base, 0.13; an open tube four radii long, 0.13. The sum of the points' normals, weighted
by spacing, tells these less well apart: up to 0.10 for 4 cameras, from 0.31 for fragments and 0.14 for rooms.
"""

GAP_OF_MESH = 0.03
"""The same of an open mesh. Measured: the open bunny's holes, 0.004; the neck of a camel's head, 0.07;
the body of a car, 0.58."""

SAMPLES = 100_000
"""Points that stand for the surface of a closed mesh."""


@dataclass(frozen=True)
class Support:
    """The points that a surface was made from, in the unit cube.

    tree: of the points (N, 3), in Morton order. spacing: (N,) the distance between points around
    each of them. gap: the hole that may be in the data of a solid, in shares of its area. normals:
    (N, 3) outward, where they are known.
    """

    tree: Tree
    spacing: Array
    gap: float
    normals: Array | None = None

    @classmethod
    def of(cls, target: CloudTarget | MeshTarget, *, scanned: bool) -> Support:
        """The points that a target was made from; of a closed mesh, points drawn evenly from it.

        scanned: whether the input was a cloud, which has holes where no sensor could see, and not a
        mesh, whose boundaries are meant.
        """
        if isinstance(target, CloudTarget):
            gap = GAP_OF_CLOUD if scanned else GAP_OF_MESH
            return cls(target.tree, _smoothed(target.spacing, target.lists), gap, target.normals)
        points, _ = target.surface_points(SAMPLES, np.random.default_rng(0))
        tree = Tree.of(points[morton_order(points)])
        neighbours, distances = tree.neighbours(SMOOTHED_OVER)
        spacing = distances[:, :6].mean(1, dtype=np.float64)
        return cls(tree, _smoothed(spacing, neighbours), gap=np.inf)

    def thinned(self, most: int) -> Support:
        """At most so many of the points, taken evenly, in single precision."""
        step = -(-len(self.spacing) // most)
        points = self.tree.points[::step].astype(np.float32).astype(np.float64)
        spacing = (self.spacing[::step] * np.sqrt(step)).astype(np.float32).astype(np.float64)
        return Support(Tree.of(points), spacing, self.gap)

    @property
    def usual_spacing(self) -> float:
        return float(np.median(self.spacing))

    def __len__(self) -> int:
        return len(self.spacing)

    def distance(self, places: Array) -> tuple[Array, Array]:
        """The distance (M,) of places (M, 3) from the nearest point, and the spacing (M,) there."""
        places = np.ascontiguousarray(places, np.float64)
        nearest = self.tree.nearest(places)
        return np.linalg.norm(places - self.tree.points[nearest], axis=1), self.spacing[nearest]

    def against(self, mesh: TriangleMesh, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a surface looks the other way than the points nearest to its vertices `rows` (M,).

        So does what closes the field between two sheets that look the same way.
        """
        if self.normals is None or not len(rows):
            return np.zeros(len(rows), np.bool_)
        nearest = self.tree.nearest(np.ascontiguousarray(mesh.vertices[rows], np.float64))
        return (self.normals[nearest] * _normals_of(mesh, rows)).sum(1) < 0


def _normals_of(mesh: TriangleMesh, rows: NDArray[np.int64]) -> Array:
    """Normals (M, 3) of the triangles around vertices `rows` (M,), of any length.

    Not those of the field, whose slope near data is that of the data.
    """
    here = np.full(len(mesh.vertices), -1)
    here[rows] = np.arange(len(rows))
    faces = mesh.faces[(here[mesh.faces] >= 0).any(1)]
    across = cross_products(mesh.vertices, faces)
    normals = np.zeros((len(rows), 3))
    for corner in here[faces].T:
        of_rows = corner >= 0
        np.add.at(normals, corner[of_rows], across[of_rows])
    return normals


def _smoothed(spacing: Array, neighbours: np.ndarray) -> Array:
    return spacing[neighbours[:, :SMOOTHED_OVER]].mean(1)


ZONE = 4.0
"""Cells from the data within which the data count. A gap too narrow for a network lies within."""

FADE_START, FADE_END = 1.0, 2.0
"""Where the weight of the data falls from 1 to 0: distances along the surface from the nearest data point,
in reaches."""

EDGE_DISTANCE, EDGE_SHARE, EDGE_CELLS = 0.5, 0.3, 0.6
THIN_DISTANCE, THIN_SHARE, THIN_CELLS = 1.5, 0.5, 1.2
"""When the field overrules the data where the two disagree about inside and outside.

EDGE: more than so many reaches along the surface from the nearest data point, where the plane of the
data may have gone on beyond an edge of the object. THIN: more than so many reaches away from it, where
it may lie on the far side of a thin part. In both cases the field's value must exceed that share of the
distance from the data, and that many cells: nearer to its own surface a network may itself be wrong.
"""


@dataclass(frozen=True)
class Refined:
    """Values and gradients of the blend, at points (N, 3) of the unit cube.

    field: points -> values (N,), and field_with_gradient: points -> (values, gradients (N, 3)), are
    the network's. evidence: (points, zone) -> what the data say within `zone` of them. cell: the
    side of a lattice cell. trust: the weight of the data where they are dense, from 0 to 1; the
    field has the rest.
    """

    field: ValueField
    field_with_gradient: GradientField
    evidence: Callable[[Array, float], Evidence]
    cell: float
    trust: float = 1.0

    def distance(self, points: Array) -> Array:
        """Values (N,) float64."""
        found, asked = self._found(points)
        values = np.zeros(len(points))
        if len(asked):
            values[asked] = np.asarray(self.field(points[asked])).reshape(-1)
        self._blend(found, values)
        return values

    def gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3), float64. The weights count as constant."""
        found, asked = self._found(points)
        values, gradients = np.zeros(len(points)), np.zeros((len(points), 3))
        if len(asked):
            some, slopes = self.field_with_gradient(points[asked])
            values[asked], gradients[asked] = np.asarray(some).reshape(-1), slopes
        weight = self._blend(found, values)
        gradients[found.rows] += weight[:, None] * (found.gradient - gradients[found.rows])
        return values, gradients

    def _found(self, points: Array) -> tuple[Evidence, NDArray[np.int64]]:
        """The evidence of the data at points (N, 3), and the indices (K,) where the field must be evaluated.

        Elsewhere the weight of the data is 1 whatever the field's value is.
        """
        found = self.evidence(points, ZONE * self.cell)
        asked = np.ones(len(points), np.bool_)
        if self.trust == 1.0:
            near = _along(found) <= min(EDGE_DISTANCE, FADE_START)
            asked[found.rows[near & (found.apart <= THIN_DISTANCE * found.reach)]] = False
        return found, np.flatnonzero(asked)

    def _blend(self, found: Evidence, values: Array) -> Array:
        """Blend the data into the field's values (N,), in place; the weight of the data (K,)."""
        weight = self._weight(found, values[found.rows])
        values[found.rows] += weight * (found.distance - values[found.rows])
        return weight

    def _weight(self, found: Evidence, values: Array) -> Array:
        """The weight of the data (K,) where the field has `values` (K,)."""
        along = _along(found)
        faded = ((along - FADE_START) / (FADE_END - FADE_START)).clip(0, 1)
        weight = self.trust * (1 - faded * faded * (3 - 2 * faded))
        size, apart = np.abs(values), found.apart
        edge = (along > EDGE_DISTANCE) & (size > np.maximum(EDGE_SHARE * apart, EDGE_CELLS * self.cell))
        thin = apart > THIN_DISTANCE * found.reach
        thin &= size > np.maximum(THIN_SHARE * apart, THIN_CELLS * self.cell)
        disagree = (values > 0) != (found.distance > 0)
        return np.where(disagree & (edge | thin), 0.0, weight)


def _along(found: Evidence) -> Array:
    """The distance (K,) to the nearest data point along the surface, in reaches."""
    return np.sqrt(np.maximum(found.apart**2 - found.distance**2, 0.0)) / found.reach
