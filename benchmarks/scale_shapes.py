"""Surfaces known exactly, of which any number of points can be drawn; for scale.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sasnet_sdf import PointCloud
from sasnet_sdf.geometry import Array

PIECE = 1_000_000
"""Most points of a piece of a town."""


@dataclass(frozen=True)
class Bumps:
    """A sphere of radius 1 with bumps: r(n) = 1 + a / 3 (sin k nx + sin k ny + sin k nz) for a direction n.

    wavelength: of the bumps, 2 pi / k. Their amplitude a is wavelength / (8 pi), a slope of at most 1/4, so
    that six points per wavelength describe them.
    """

    wavelength: float

    @classmethod
    def for_points(cls, count: int) -> Bumps:
        """The bumps whose wavelength is six times the distance between `count` points."""
        return cls(6 * float(np.sqrt(4 * np.pi / count)))

    def cloud(self, count: int, turn: float = 0.0) -> PointCloud:
        """Points (count, 3), evenly along a spiral that is turned by an angle, with exact normals."""
        number = np.arange(count)
        height = 1 - (2 * number + 1) / count
        angle = number * np.pi * (3 - np.sqrt(5)) + turn  # the golden angle
        across = np.sqrt(1 - height**2)
        way = np.column_stack([across * np.cos(angle), across * np.sin(angle), height])
        points = way * (1 + self._bump(way)[0])[:, None]
        slope = self._value(points)[1]
        return PointCloud(points, slope / np.linalg.norm(slope, axis=1, keepdims=True))

    def distance(self, points: Array) -> Array:
        """The distances (N,) of points (N, 3) near the surface from it.

        The foot is found by Newton steps onto the tangent plane at the foot before.
        """
        foot = points
        for _ in range(6):
            value, slope = self._value(foot)
            over = value + (slope * (points - foot)).sum(1)
            foot = points - (over / (slope**2).sum(1))[:, None] * slope
        return np.linalg.norm(points - foot, axis=1)

    def _bump(self, way: Array) -> tuple[Array, Array]:
        """The bumps (N,) at directions (N, 3), and their derivatives (N, 3)."""
        k = 2 * np.pi / self.wavelength
        height = self.wavelength / (8 * np.pi) / 3
        return height * np.sin(k * way).sum(1), height * k * np.cos(k * way)

    def _value(self, points: Array) -> tuple[Array, Array]:
        """The function |p| - r(p / |p|) at points (N, 3), which is 0 on the surface, and its gradient."""
        length = np.linalg.norm(points, axis=1, keepdims=True)
        way = points / length
        bump, slope = self._bump(way)
        tangent = slope - (slope * way).sum(1, keepdims=True) * way
        return length[:, 0] - 1 - bump, way - tangent / length


BLOCK, DEEP = 20.0, 4.0
"""The side of a block of a town in meters, and the least distance of its house from its border."""


@dataclass(frozen=True)
class Town:
    """Hilly ground with a house with a flat roof in each block, as a scanner on a vehicle would see it.

    points: in all. Blocks have equally many points, at most 250,000, which are 5 cm apart; there are
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
