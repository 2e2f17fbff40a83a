"""Where there are data: the distance of any place from them, and how densely they lie there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, TriangleMesh
from ..supervision import CloudTarget, MeshTarget
from ..supervision.morton import morton_order
from ..supervision.tree import Tree

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
    a, b, c = (mesh.vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    normals = np.zeros((len(rows), 3))
    for corner in here[faces].T:
        of_rows = corner >= 0
        np.add.at(normals, corner[of_rows], across[of_rows])
    return normals


def _smoothed(spacing: Array, neighbours: np.ndarray) -> Array:
    return spacing[neighbours[:, :SMOOTHED_OVER]].mean(1)
