"""Exact signed distances to a watertight mesh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import igl
import numpy as np

from ..geometry import Array, Indices
from ..runtime.progress import pieces, steps
from .cloud_target import Evidence

PIECE = 1024
"""Number of queries between two progress reports: far from a fine mesh they take a quarter of a second."""


@dataclass(frozen=True)
class MeshTree:
    """The triangles of a mesh, vertices (V, 3) float64 and faces (F, 3) int64, in libigl's search trees.

    Each tree is built when it is first used.
    """

    vertices: Array
    faces: Indices

    def nearest(self, queries: Array) -> tuple[Array, Indices, Array]:
        """The nearest points of the mesh to queries (M, 3): squared distances, faces (M,), points (M, 3)."""
        count = len(queries)
        squared, face, foot = np.empty(count), np.empty(count, np.int64), np.empty((count, 3))
        for part in pieces(count, PIECE):
            found = self._boxes.squared_distance(self.vertices, self.faces, queries[part])
            squared[part], face[part], foot[part] = found
        return np.maximum(squared, 0), face, foot

    def winding_number(self, queries: Array) -> Array:
        """The generalized winding number (M,) at queries (M, 3)."""
        numbers = np.empty(len(queries))
        for part in pieces(len(queries), PIECE):
            numbers[part] = self._windings.winding_number(queries[part])
        return numbers

    @cached_property
    def _boxes(self) -> Any:
        tree = igl.AABB()
        tree.init(self.vertices, self.faces)
        return tree

    @cached_property
    def _windings(self) -> Any:
        tree = igl.FastWindingNumberBVH()
        tree.init(self.vertices, self.faces, 2)
        return tree


@dataclass(frozen=True)
class MeshTarget:
    """The signed distance to a closed mesh in the unit cube, negative inside.

    vertices: (V, 3) float64. faces: (F, 3) int64 of the solid's boundary. solid: (S, 3) int64 the faces of
    the closed mesh, where some lie inside it. spacing: scale at which the surface is resolved. trust: weight
    of the data beside a field that was trained on them. The sign is that of the generalized winding number
    (Jacobson et al. 2013; Barill et al. 2018) of the closed mesh.
    """

    vertices: Array
    faces: Indices
    solid: Indices | None = None
    spacing: float = 0.004
    trust: float = 1.0

    @cached_property
    def _tree(self) -> MeshTree:
        return MeshTree(self.vertices, self.faces)

    @cached_property
    def _solid(self) -> MeshTree:
        return self._tree if self.solid is None else MeshTree(self.vertices, self.solid)

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The low and the high corner (3,) of the bounding box."""
        return self.vertices.min(0), self.vertices.max(0)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Points (count, 3), drawn evenly by area, and the spacing (count,) around them."""
        points, _ = sample_surface(self.vertices, self.faces, count, rng)
        return points, np.full(count, self.spacing)

    def distance(self, queries: Array) -> tuple[Array, Array]:
        """Signed distances (M,) and unit gradients (M, 3) at queries (M, 3)."""
        queries = np.ascontiguousarray(queries, np.float64)
        step = steps()
        step(0.7)
        squared, face, foot = self._tree.nearest(queries)
        size = np.sqrt(squared)
        step(1.0)
        sign = np.where(self._solid.winding_number(queries) > 0.5, -1.0, 1.0)
        gradient = (queries - foot) * sign[:, None]
        length = np.linalg.norm(gradient, axis=1, keepdims=True)
        on_surface = length[:, 0] < 1e-9
        gradient[on_surface] = face_normals(self.vertices, self.faces)[face[on_surface]]
        return sign * size, gradient / np.where(length < 1e-9, 1.0, length)

    def evidence(self, places: Array, zone: float) -> Evidence:
        """The exact distances at all places (M, 3); the zone does not matter."""
        del zone
        distance, gradient = self.distance(places)
        rows, everywhere = np.arange(len(distance)), np.full(len(distance), np.inf)
        return Evidence(rows, distance, gradient, np.abs(distance), everywhere)


def face_crosses(vertices: Array, faces: Indices) -> Array:
    """The normals (F, 3) of triangles, as long as twice the area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def face_normals(vertices: Array, faces: Indices) -> Array:
    """The unit normals (F, 3) of triangles; zero where one has no area."""
    normals = face_crosses(vertices, faces)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)


def sample_surface(
    vertices: Array, faces: Indices, count: int, rng: np.random.Generator
) -> tuple[Array, Indices]:
    """Points (count, 3) drawn evenly by area, and the faces (count,) they lie on."""
    area = np.linalg.norm(face_crosses(vertices, faces), axis=1)
    face = rng.choice(len(faces), count, p=area / area.sum())
    a, b, c = vertices[faces[face].T]
    u, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return (1 - u) * a + u * (1 - v) * b + u * v * c, face


def is_closed(faces: Indices) -> bool:
    """Whether every edge belongs to exactly two triangles, in opposite directions."""
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    limit = int(faces.max()) + 1
    forward = np.sort(edges[:, 0] * limit + edges[:, 1])
    backward = np.sort(edges[:, 1] * limit + edges[:, 0])
    return bool(np.array_equal(forward, backward) and (np.diff(forward) > 0).all())


def signed_volume(vertices: Array, faces: Indices) -> float:
    """The volume of a closed mesh, positive if triangles are counter-clockwise seen from outside."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)
