"""A field that follows the data where data exist, and the network elsewhere.

A network blurs the surface that it is trained on, and where the scan is clean this blur is larger than
the error of the data. So the mesh is extracted from a blend of two fields: the implicit surface of the
data near them, and the network's field across holes, in unseen parts, and far away. Blending the fields,
instead of moving the vertices of the network's mesh, also corrects its topology, and cannot fold
triangles or pull a vertex to another sheet. `Support` represents where data exist, and how dense they are.
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
from ..supervision.targets import Evidence
from .descent import GradientField, ValueField

SMOOTHED_OVER = 12
"""Number of neighbors over which spacings are averaged, so that they change smoothly."""

GAP_OF_CLOUD = 0.10
"""Limit for the area of the widest hole in the data, over the area with data: above it, a scan is a sheet,
not a solid.

Measured for solids: up to 0.008 for scans by 12 cameras all around thirteen objects; up to 0.060 by 4 cameras
all around eleven objects (a face that no camera saw). For sheets: 0.34 to 0.67 for ten objects seen by one
camera; 0.17 to 0.80 for real range maps, RGB-D frames and fragments; 0.67 for airborne laser. In between:
0.003 to 0.23 for six objects seen by half of 12 cameras; 0.13 for a leg open at the thigh, for the bunny
without its base, and for an open tube four radii long. The sum of the points' normals, weighted by spacing,
separates solids from sheets less well: up to 0.10 for 4 cameras, from 0.31 for fragments and 0.14 for rooms.
"""

GAP_OF_MESH = 0.03
"""The limit for an open mesh. Measured: the open bunny's holes, 0.004; the neck of a camel's head, 0.07; the
body of a car, 0.58."""

SAMPLES = 100_000
"""Number of points that represent the surface of a closed mesh."""


@dataclass(frozen=True)
class Support:
    """The points that a surface was made from, in the unit cube.

    tree: search tree of the points (N, 3), in Morton order. spacing: (N,) the local distance between points.
    gap: the largest hole that a solid may have, over the area with data. normals: (N, 3) outward, or None.
    usual: the usual spacing, for a part of a larger cloud; None: the median of the spacings.
    """

    tree: Tree
    spacing: Array
    gap: float
    normals: Array | None = None
    usual: float | None = None

    @classmethod
    def of(cls, target: CloudTarget | MeshTarget, *, scanned: bool) -> Support:
        """The points that a target was made from; for a closed mesh, points sampled uniformly on it.

        scanned: whether the input was a cloud, which has holes where no sensor could see, and not a
        mesh, whose boundaries are intended.
        """
        if isinstance(target, CloudTarget):
            gap = GAP_OF_CLOUD if scanned else GAP_OF_MESH
            return cls(target.tree, _smoothed(target.spacing, target.lists), gap, target.normals)
        points, _ = target.surface_points(SAMPLES, np.random.default_rng(0))
        tree = Tree.of(points[morton_order(points)])
        neighbors, distances = tree.neighbors(SMOOTHED_OVER)
        spacing = distances[:, :6].mean(1, dtype=np.float64)
        return cls(tree, _smoothed(spacing, neighbors), gap=np.inf)

    def thinned(self, most: int) -> Support:
        """The support with at most `most` of the points, selected evenly, in single precision."""
        step = -(-len(self.spacing) // most)
        points = self.tree.points[::step].astype(np.float32).astype(np.float64)
        spacing = (self.spacing[::step] * np.sqrt(step)).astype(np.float32).astype(np.float64)
        return Support(Tree.of(points), spacing, self.gap)

    @property
    def usual_spacing(self) -> float:
        """The spacing that lengths are measured by: the median of the local ones."""
        return float(np.median(self.spacing)) if self.usual is None else self.usual

    def __len__(self) -> int:
        return len(self.spacing)

    def distance(self, places: Array) -> tuple[Array, Array]:
        """The distances (M,) of places (M, 3) from the nearest points, and the spacings (M,) there."""
        places = np.ascontiguousarray(places, np.float64)
        nearest = self.tree.nearest(places)
        return np.linalg.norm(places - self.tree.points[nearest], axis=1), self.spacing[nearest]

    def against(self, mesh: TriangleMesh, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the surface at its vertices `rows` (M,) faces opposite to the nearest points' normals.

        This is the case for a spurious surface between two sheets of the same orientation.
        """
        if self.normals is None or not len(rows):
            return np.zeros(len(rows), np.bool_)
        nearest = self.tree.nearest(np.ascontiguousarray(mesh.vertices[rows], np.float64))
        return (self.normals[nearest] * _normals_of(mesh, rows)).sum(1) < 0


def _normals_of(mesh: TriangleMesh, rows: NDArray[np.int64]) -> Array:
    """Normals (M, 3), of any length, of the triangles around vertices `rows` (M,).

    The field's gradient cannot be used instead: near data it is the gradient of the data's implicit surface.
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


def _smoothed(spacing: Array, neighbors: NDArray[np.integer]) -> Array:
    return spacing[neighbors[:, :SMOOTHED_OVER]].mean(1)


ZONE = 4.0
"""Distance from the data, in cells, within which they are used: more than a gap too narrow for a network."""

FADE_START, FADE_END = 1.0, 2.0
"""Distances along the surface from the nearest data point, in reaches, between which the weight of the data
falls from 1 to 0."""

EDGE_DISTANCE, EDGE_SHARE, EDGE_CELLS = 0.5, 0.3, 0.6
THIN_DISTANCE, THIN_SHARE, THIN_CELLS = 1.5, 0.5, 1.2
"""Where the field overrides the data when the two disagree about inside and outside.

EDGE_DISTANCE: beyond this many reaches along the surface from the nearest data point, where the plane of
the data may extend past an edge of the object. THIN_DISTANCE: beyond this many reaches from that point,
where it may be on the far side of a thin part. The field's value must also exceed *_SHARE of the
distance from the data, and *_CELLS cells: closer to its own surface a network may itself be wrong.
"""


@dataclass(frozen=True)
class Refined:
    """The blend of a network's field and the data, at points (N, 3) of the unit cube.

    field: points -> values (N,) of the network. field_with_gradient: points -> (values, gradients (N, 3)) of
    the network. evidence: (points, zone) -> the evidence from data within `zone` of the points. cell: the
    side of a lattice cell. trust: the weight of the data where they are dense, from 0 to 1.
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
        """Values (N,) and gradients (N, 3), float64. The weights are taken as constant."""
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

        Elsewhere the weight of the data is 1, whatever the value of the field.
        """
        found = self.evidence(points, ZONE * self.cell)
        asked = np.ones(len(points), np.bool_)
        if self.trust == 1.0:
            near = _along(found) <= min(EDGE_DISTANCE, FADE_START)
            asked[found.rows[near & (found.apart <= THIN_DISTANCE * found.reach)]] = False
        return found, np.flatnonzero(asked)

    def _blend(self, found: Evidence, values: Array) -> Array:
        """Blend the data into the field's values (N,), in place; returns the weight of the data (K,)."""
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
