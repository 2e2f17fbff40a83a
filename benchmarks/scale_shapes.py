"""Surfaces known exactly, of which any number of points can be drawn; for scale.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import KDTree

from sasnet_sdf import PointCloud, TriangleMesh
from sasnet_sdf.geometry import Array
from sasnet_sdf.mesh import areas

SAMPLED = 4_000_000
"""Points of a displaced mesh among which the nearest ones are looked for."""

PIECE = 1_000_000
"""Most points of a piece of a town."""


@dataclass(frozen=True)
class Displaced:
    """A mesh that is displaced along its interpolated normals by waves.

    A point p of the mesh, with the normal n, is moved to p + a / 3 (sin k x + sin k y + sin k z) n.

    mesh: closed, with unit normals. wavelength: of the waves, 2 pi / k. Their amplitude a is
    wavelength / (8 pi), a slope of at most 1/4, so that six points per wavelength describe them.
    """

    mesh: TriangleMesh
    wavelength: float

    @classmethod
    def of(cls, mesh: TriangleMesh, count: int) -> Displaced:
        """The mesh with waves whose length is six times the distance between `count` points."""
        shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        normals = np.array(shape.vertex_normals)
        return cls(replace(mesh, normals=normals), 6 * float(np.sqrt(shape.area / count)))

    @classmethod
    def ball(cls, count: int) -> Displaced:
        """A sphere of radius 1 with such waves."""
        shape = trimesh.creation.icosphere(4, 1.0)
        return cls.of(TriangleMesh(np.array(shape.vertices), np.array(shape.faces, np.int64)), count)

    def cloud(self, count: int, seed: int = 0) -> PointCloud:
        """Points (count, 3), uniform by the area of the mesh, with exact normals."""
        return self._points(*self._drawn(count, seed))

    def distance(self, points: Array) -> Array:
        """The distances (N,) of points (N, 3) near the surface from it.

        By Gauss-Newton steps within triangles: those of the four nearest of many points of the surface, and
        then those beside the best one.
        """
        face, places = self._drawn(SAMPLED, 1)
        nearest = np.asarray(KDTree(self._points(face, places).points).query(points, k=4)[1])
        best, where = np.full(len(points), np.inf), face[nearest[:, 0]]
        starts = [(face[k], places[k]) for k in nearest.T]
        for _ in range(3):
            for there, place in starts:
                found = self._foot(points, there, place)
                where = np.where(found < best, there, where)
                best = np.minimum(best, found)
            middle = np.full((len(points), 2), 1 / 3)
            starts = [(there, middle) for there in self._beside[where].T]
        return best

    @cached_property
    def _beside(self) -> NDArray[np.int64]:
        """The three triangles (F, 3) that share an edge with each one of the closed mesh."""
        pairs = trimesh.Trimesh(self.mesh.vertices, self.mesh.faces, process=False).face_adjacency
        one, other = np.concatenate([pairs, pairs[:, ::-1]]).T
        return other[one.argsort(kind="stable")].reshape(-1, 3)

    def _drawn(self, count: int, seed: int) -> tuple[NDArray[np.int64], Array]:
        """Triangles (count,) of the mesh, and places (count, 2) in them."""
        rng = np.random.default_rng(seed)
        share = np.cumsum(areas(self.mesh.vertices, self.mesh.faces))
        face = np.searchsorted(share, rng.random(count) * share[-1]).clip(max=len(share) - 1)
        places = rng.random((count, 2))
        return face, np.where(places.sum(1, keepdims=True) > 1, 1 - places, places)

    def _foot(self, points: Array, face: NDArray[np.int64], places: Array) -> Array:
        """The distances (N,) of points from the nearest place in a triangle of each."""
        best = np.full(len(points), np.inf)
        for _ in range(8):
            foot, along = self._at(face, places)
            off = points - foot
            best = np.minimum(best, np.linalg.norm(off, axis=1))
            matrix = np.einsum("nid,njd->nij", along, along)
            step = np.linalg.solve(matrix, np.einsum("nid,nd->ni", along, off)[..., None])[..., 0]
            places = places + step
            places = (places - (places.sum(1, keepdims=True) - 1).clip(0) / 2).clip(0, 1)
        return best

    def _points(self, face: NDArray[np.int64], places: Array) -> PointCloud:
        points, along = self._at(face, places)
        across = np.cross(along[:, 0], along[:, 1])
        return PointCloud(points, across / np.linalg.norm(across, axis=1, keepdims=True))

    def _at(self, face: NDArray[np.int64], places: Array) -> tuple[Array, Array]:
        """The surface at places (N, 2) in triangles (N,): points (N, 3), and two tangents (N, 2, 3)."""
        assert self.mesh.normals is not None
        corners = self.mesh.faces[face]
        ends, normals = self.mesh.vertices[corners], self.mesh.normals[corners]
        sides, turns = ends[:, 1:] - ends[:, :1], normals[:, 1:] - normals[:, :1]
        point = ends[:, 0] + np.einsum("ni,nid->nd", places, sides)
        normal = normals[:, 0] + np.einsum("ni,nid->nd", places, turns)
        wave, slope = waves(point, self.wavelength)
        rise = np.einsum("nd,nid->ni", slope, sides)
        along = sides + rise[..., None] * normal[:, None] + wave[:, None, None] * turns
        return point + wave[:, None] * normal, along


def waves(places: Array, wavelength: float) -> tuple[Array, Array]:
    """How far the mesh is displaced at places (N, 3), and its derivatives (N, 3)."""
    k, height = 2 * np.pi / wavelength, wavelength / (8 * np.pi) / 3
    return height * np.sin(k * places).sum(1), height * k * np.cos(k * places)


BLOCK, DEEP = 20.0, 4.0
"""The side of a block of a town in meters, and the least distance of its house from its border."""


@dataclass(frozen=True)
class Town:
    """Hilly ground with one flat-roofed house per block, scanned completely: ground, walls and roofs.

    points: in all. All blocks have the same number, at most 250,000, which are then 5 cm apart; there are
    about as many rows of blocks as blocks in a row.
    """

    points: int

    @property
    def each(self) -> int:
        """Number of points of a block."""
        return max(min(250_000, self.points // 4), 1)

    @property
    def blocks(self) -> int:
        return -(-self.points // self.each)

    @property
    def columns(self) -> int:
        return int(np.ceil(np.sqrt(self.blocks)))

    def pieces(self) -> Iterator[PointCloud]:
        """The points with their normals, PIECE at a time at most; the same ones at each call."""
        several = max(PIECE // self.each, 1)
        for first in range(0, self.blocks, several):
            some = [self._block(n) for n in range(first, min(first + several, self.blocks))]
            points, normals = (np.concatenate(parts) for parts in zip(*some, strict=True))
            left = self.points - first * self.each
            yield PointCloud(points[:left], normals[:left])

    def distance(self, points: Array) -> Array:
        """The distances (N,) of points (N, 3) from the nearest of ground, walls and roofs.

        Distances from the ground are exact to first order.
        """
        height, slope = _ground(points[:, :2])
        ground = np.abs(points[:, 2] - height) / np.sqrt(1 + (slope**2).sum(1))
        place = np.floor(points[:, :2] / BLOCK).astype(np.int64)
        number = (place[:, 1] * self.columns + place[:, 0]).clip(0, self.blocks - 1)
        known, which = np.unique(number, return_inverse=True)
        center, half, top = (np.array(part)[which] for part in zip(*map(self._house, known), strict=True))
        beyond = np.column_stack([np.abs(points[:, :2] - center) - half, points[:, 2] - top])
        house = np.abs(np.linalg.norm(beyond.clip(0), axis=1) + beyond.max(1).clip(max=0))
        indoors = (beyond[:, :2] < 0).all(1)  # there is no ground below a house
        return np.where(indoors, house, np.minimum(house, ground))

    def _house(self, block: int) -> tuple[Array, Array, float]:
        """The middle (2,) of a house, half its sides (2,), and the height of its roof."""
        rng = np.random.default_rng([1, block])
        corner = BLOCK * np.array([block % self.columns, block // self.columns], np.float64)
        half = rng.uniform(3, BLOCK / 2 - DEEP, 2)
        center = corner + BLOCK / 2 + rng.uniform(-1, 1, 2) * (BLOCK / 2 - DEEP - half)
        return center, half, float(_ground(center[None])[0][0] + rng.uniform(4, 9))

    def _block(self, block: int) -> tuple[Array, Array]:
        """The points of a block and their normals, uniform by area up to the ground's slope."""
        rng = np.random.default_rng([2, block])
        center, half, top = self._house(block)
        around = 8 * half.mean()
        tall = top - _ground(center[None])[0][0]
        on_walls = round(self.each * around * tall / (around * tall + BLOCK**2))
        corner = BLOCK * np.array([block % self.columns, block // self.columns])
        flat = corner + rng.uniform(0, BLOCK, (self.each - on_walls, 2))
        height, slope = _ground(flat)
        roof = (np.abs(flat - center) < half).all(1)
        points = np.column_stack([flat, np.where(roof, top, height)])
        normals = np.column_stack([-slope, np.ones(len(slope))])
        normals[roof] = 0, 0, 1
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)

        share = half[::-1] / half.sum()  # a wall across x is as long as the house along y
        axis = (rng.random(on_walls) > share[0]).astype(np.int64)
        row = np.arange(on_walls)
        outward = np.zeros((on_walls, 3))
        outward[row, axis] = rng.choice([-1.0, 1.0], on_walls)
        places = rng.uniform(-1, 1, (on_walls, 2))
        places[row, axis] = outward[row, axis]
        places = center + half * places
        foot = _ground(places)[0]
        walls = np.column_stack([places, foot + rng.random(on_walls) * (top - foot)])
        return np.concatenate([points, walls]), np.concatenate([normals, outward])


def _ground(places: Array) -> tuple[Array, Array]:
    """The height (N,) of the ground at places (N, 2) in meters, and its slopes (N, 2)."""
    height, slope = np.zeros(len(places)), np.zeros((len(places), 2))
    for size, along, phase in ((1.5, (0.10, 0.03), 0.0), (0.8, (-0.05, 0.14), 1.0), (0.1, (0.5, 0.6), 2.0)):
        angle = places @ np.array(along) + phase
        height += size * np.sin(angle)
        slope += size * np.cos(angle)[:, None] * np.array(along)
    return height, slope
