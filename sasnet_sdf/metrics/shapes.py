"""What is measured: triangles, or points. Each draws places on itself and finds its own nearest to others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ..geometry import Array, Frame, PointCloud, TriangleMesh
from ..supervision.mesh import MeshTree, face_normals, sample_surface

UNIT = 1e4
"""Lengths are reported in 1e-4 of the diagonal."""


def frame_around(points: Array) -> Frame:
    """The frame in which the bounding box of points (N, 3) has its centre at 0 and a diagonal of 1.

    Far from the origin it keeps the decimals that the winding number, in single precision, needs.
    """
    low, high = points.min(0), points.max(0)
    return Frame(low + (high - low) / 2, float(np.linalg.norm(high - low)))


@dataclass(frozen=True)
class Triangles:
    """The triangles of a mesh that have an area: vertices (V, 3), faces (F, 3), unit normals (F, 3)."""

    vertices: Array
    faces: NDArray[np.int64]
    normals: Array

    @classmethod
    def of(cls, mesh: TriangleMesh, frame: Frame) -> Triangles:
        """Of a mesh in world units; there are none where no triangle has an area."""
        vertices = frame.to_unit(mesh.vertices)
        normals = face_normals(vertices, mesh.faces)
        whole = normals.any(axis=1)
        return cls(vertices, np.ascontiguousarray(mesh.faces[whole], np.int64), normals[whole])

    @cached_property
    def _tree(self) -> MeshTree:
        return MeshTree(self.vertices, self.faces)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Points (count, 3) drawn evenly by area, and the normals there."""
        points, face = sample_surface(self.vertices, self.faces, count, rng)
        return points, self.normals[face]

    def nearest(self, points: Array) -> tuple[Array, Array]:
        """The exact distance (N,) of each of points (N, 3), and the normal (N, 3) where it is nearest."""
        squared, face, _ = self._tree.nearest(points)
        return np.sqrt(squared), self.normals[face]

    def contains(self, points: Array) -> NDArray[np.bool_]:
        """Whether each of points (N, 3) is inside: a generalised winding number above 1/2.

        Jacobson et al. 2013; the fast sums are those of Barill et al. 2018.
        """
        return self._tree.winding_number(points) > 0.5


@dataclass(frozen=True)
class Points:
    """A cloud: points (N, 3), and unit normals (N, 3) or None."""

    points: Array
    normals: Array | None = None

    @classmethod
    def of(cls, cloud: PointCloud, frame: Frame) -> Points:
        """Of a cloud in world units."""
        return cls(frame.to_unit(cloud.points), cloud.normals)

    @cached_property
    def tree(self) -> KDTree:
        return KDTree(self.points)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array | None]:
        """`count` of the points, or all where they are fewer, and their normals."""
        if count >= len(self.points):
            return self.points, self.normals
        some = rng.choice(len(self.points), count, replace=False)
        return self.points[some], None if self.normals is None else self.normals[some]

    def nearest(self, points: Array) -> tuple[Array, Array | None]:
        """The distance (M,) of each of points (M, 3) to the nearest of these, and that one's normal."""
        distances, index = self.tree.query(points, workers=-1)
        return np.asarray(distances), None if self.normals is None else self.normals[index]

    def spacing(self, sample: int = 20_000) -> float:
        """The median distance from a point to its nearest other, over at most about `sample` of them."""
        asked = self.points[:: max(1, len(self.points) // sample)]
        distances, _ = self.tree.query(asked, k=2)
        return float(np.median(np.asarray(distances)[:, 1]))
