"""The distances that data imply: exact for a mesh, computed from denoised points for a cloud."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import igl
import numpy as np

from ..geometry import Array, Indices
from ..runtime.progress import pieces, steps
from ..spatial import Tree
from .hermite import HermiteFits
from .implicit import signed_distances
from .orientation import WindingNumber

PIECE = 1024
"""Number of queries between two progress reports; far from a fine mesh, these take a quarter of a second."""


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

    vertices: (V, 3) float64. faces: (F, 3) int64 of the solid's boundary. solid: (S, 3) int64 all faces of
    the closed mesh, if `faces` omits inner ones. spacing: scale at which the surface is resolved. trust:
    weight of the data, 0 to 1, relative to the trained field in the extraction. The sign is that of the
    generalized winding number (Jacobson et al. 2013; Barill et al. 2018) of the closed mesh.
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
    """The normals (F, 3) of triangles; the length is twice the area."""
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


# the winding number decides the sign only if it differs from its level by more than this; more is required in
# denoised clouds, where it is used close to the points too
_CLEAR, _CLEAR_IN_NOISE = 0.1, 0.2
# least (that difference) x (distance in spacings). For points at random on a plane, it is 3.5 standard
# deviations: the variance of the sum of their dipoles is the integral of (h / 4 pi (h h + x x)^1.5)^2 over
# the plane, 1 / 32 pi h h. In denoised clouds, whose points are more even, it is one
_SAMPLED, _SAMPLED_IN_NOISE = 0.35, 0.1
_TRUST_IN_NOISE = 0.25  # a weighted mean of the field and the denoised points is more accurate than either
_SPARSEST = 3.0  # limit of a point's spacing, in median spacings, when its area is computed
_BESIDE = 2.5  # distance, in reaches, within which a point gives evidence


@dataclass(frozen=True)
class Evidence:
    """Signed distances from the data, at those K of M queries that lie near data, in the unit cube.

    rows: (K,) indices of those queries. distance: (K,) signed, negative inside. gradient: (K, 3) of unit
    length, outward. apart: (K,) distance from the nearest data point. reach: (K,) radius around that data
    point within which its neighbors lie; farther along the surface, `distance` is extrapolated.
    """

    rows: Indices
    distance: Array
    gradient: Array
    apart: Array
    reach: Array


@dataclass(frozen=True)
class CloudTarget:
    """The signed distance that an oriented cloud implies, in the unit cube, negative inside.

    tree: that of the points (N, 3), in Morton order. surfels: (6 N,) points and outward unit normals, flat.
    lists: (N, k) neighbors, nearest first. spacing: (N,) mean distance of the nearest ones. width: (N,)
    radius of the fit around each point. centers, reach: (N, 3) and (N,) centers and radii of the balls that
    contain a point and its nearest neighbors. winding: the winding number. core: softening added to the
    squared distance in the denominator of the weights, in squared radii of the fit. noisy: whether the cloud
    was denoised. hermite: the smooth field through few exact points, whose weight is 0 at sharp edges and up
    to 1 elsewhere.

    Outside its ball a fit extrapolates, so the winding number, which wrong normals affect less, decides the
    sign. It does so only where it is far from its level: in a cavity with partly seen walls it stays close to
    the level, and would put a surface in the middle. Fits to many neighbors, as in noisy clouds, bulge at the
    ends of thin parts, so in noisy clouds the winding number decides inside the ball too.
    """

    tree: Tree
    surfels: Array
    lists: Indices
    spacing: Array
    width: Array
    centers: Array
    reach: Array
    winding: WindingNumber
    core: float
    noisy: bool
    hermite: HermiteFits | None = None

    @property
    def points(self) -> Array:
        """The points (N, 3), in Morton order."""
        return self.tree.points

    @property
    def normals(self) -> Array:
        """The outward unit normals (N, 3)."""
        return self.surfels.reshape(-1, 6)[:, 3:]

    @property
    def trust(self) -> float:
        """The weight of the data, from 0 to 1, relative to a field that was trained on them."""
        return _TRUST_IN_NOISE if self.noisy else 1.0

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The low and the high corner (3,) of the points' bounding box."""
        return self.points.min(0), self.points.max(0)

    def surface_points(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Points of the cloud (count, 3), drawn evenly by area, and the spacing (count,) around them."""
        # one from each of `count` equal stretches of the Z-curve, which is even in space too
        area = np.cumsum(np.minimum(self.spacing, _SPARSEST * np.median(self.spacing)) ** 2)
        places = (np.arange(count) + rng.random(count)) * (area[-1] / count)
        index = np.searchsorted(area, places).clip(max=len(area) - 1)
        return self.points[index], self.spacing[index]

    def distance(self, queries: Array) -> tuple[Array, Array]:
        """Signed distances (M,) and unit gradients (M, 3) at queries (M, 3), fastest in Morton order."""
        step = steps()
        step(0.2)
        nearest = self.tree.nearest(queries)
        step(0.6)
        distances, gradients = self._fitted(queries, nearest)
        step(1.0)
        off = np.linalg.norm(queries - self.centers[nearest], axis=1)
        beyond = np.flatnonzero(self.noisy | (off > self.reach[nearest]))
        near = nearest[beyond]
        straight = np.linalg.norm(queries[beyond] - self.points[near], axis=1)
        depth = self.winding.number(queries[beyond]) - self.winding.level
        level, sampled = (_CLEAR_IN_NOISE, _SAMPLED_IN_NOISE) if self.noisy else (_CLEAR, _SAMPLED)
        clear = np.abs(depth) * straight > np.maximum(level * straight, sampled * self.spacing[near])
        overruled = clear & ((depth > 0) != (distances[beyond] < 0))
        distances[beyond[overruled]] = (-np.sign(depth) * straight)[overruled]
        return distances, gradients

    def evidence(self, places: Array, zone: float) -> Evidence:
        """Distances from the points, at those places (M, 3) within `zone` or _BESIDE reaches of one."""
        places = np.ascontiguousarray(places, np.float64)
        nearest = self.tree.nearest(places)
        apart = np.linalg.norm(places - self.points[nearest], axis=1)
        rows = np.flatnonzero(apart <= np.maximum(zone, _BESIDE * self.reach[nearest]))
        nearest = nearest[rows]
        fitted = self._fitted(places[rows], nearest)
        return Evidence(rows, *fitted, apart[rows], self.reach[nearest])

    def _fitted(self, queries: Array, nearest: Indices) -> tuple[Array, Array]:
        """Signed distances and gradients from the fits around the nearest points (M,)."""
        if self.hermite is None:
            return self._spheres(queries, nearest)
        distances, gradients, shares = self.hermite.distance(
            self.surfels, self.lists, self.width, queries, nearest
        )
        rows = np.flatnonzero(shares < 1)
        others, slopes = self._spheres(queries[rows], nearest[rows])
        left = 1 - shares[rows]
        distances[rows] += left * (others - distances[rows])
        slopes = gradients[rows] + left[:, None] * (slopes - gradients[rows])
        gradients[rows] = slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-9)
        return distances, gradients

    def _spheres(self, queries: Array, nearest: Indices) -> tuple[Array, Array]:
        return signed_distances(self.surfels, self.lists, self.width, self.core, queries, nearest)
