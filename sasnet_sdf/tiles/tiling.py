"""The boxes that a large scan is cut into, the lattice that they share, and the weights of their fields."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array


@dataclass(frozen=True)
class Voxels:
    """The occupied voxels of a scan, and how many points each has.

    origin: (3,) the world position of the low corner of voxel (0, 0, 0). side: of a voxel, in world units.
    places: (V, 3) int32, at least 0, in lexicographic order. counts: (V,) int64.
    """

    origin: Array
    side: float
    places: NDArray[np.int32]
    counts: NDArray[np.int64]

    def spacing(self) -> Array:
        """The estimated distance (V,) between neighboring points of a surface, in each voxel.

        A plane has an area of 2/3 of a voxel's side squared in the voxels that it crosses, averaged over
        its directions. n random points on an area A have a mean distance of about sqrt(A / n) from their
        six nearest neighbors.
        """
        return self.side * np.sqrt(2 / 3 / self.counts)

    def typical_spacing(self, rows: NDArray[Any] | slice = slice(None)) -> float:
        """The median of the estimated spacing over the points in some of the voxels."""
        spacing, counts = self.spacing()[rows], self.counts[rows]
        order = np.argsort(spacing)
        reached = np.cumsum(counts[order])
        return float(spacing[order[np.searchsorted(reached, reached[-1] / 2)]])

    def around(self, points: Array) -> Voxels:
        """The voxels within one voxel of the bounding box of points (N, 3)."""
        low, high = ((corner - self.origin) / self.side for corner in (points.min(0), points.max(0)))
        near = ((self.places >= np.floor(low) - 1) & (self.places <= np.floor(high) + 1)).all(1)
        return Voxels(self.origin, self.side, self.places[near], self.counts[near])


@dataclass(frozen=True)
class Tile:
    """A box of voxels and the points in it.

    number: in the tiling. low, high: the box, in voxels, half-open. points: number of points in the box.
    overlap: how far beyond the box, in world units, the tile's field is trained; its weight falls to zero
    there.
    """

    number: int
    low: tuple[int, int, int]
    high: tuple[int, int, int]
    points: int
    overlap: float


@dataclass(frozen=True)
class Tiling:
    """Tiles that fill a box, and the lattice on which the surface is extracted.

    origin: (3,) the low corner of voxel (0, 0, 0) in world units. side: of a voxel. cells: number of lattice
    cells along the side of a voxel. low, high: (3,) the box of all tiles, in voxels; it has empty voxels
    around the occupied ones.
    """

    origin: Array
    side: float
    cells: int
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    tiles: tuple[Tile, ...]

    def to_dict(self) -> dict[str, Any]:
        """The tiling as plain values."""
        return {
            "origin": [float(x) for x in self.origin],
            "side": float(self.side),
            "cells": int(self.cells),
            "low": [int(n) for n in self.low],
            "high": [int(n) for n in self.high],
            "tiles": [[list(t.low), list(t.high), t.points, t.overlap] for t in self.tiles],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Tiling:
        """The tiling that `to_dict` described. Raises ValueError, KeyError or TypeError."""
        low, high = (np.array(values[name], np.int64) for name in ("low", "high"))
        origin, side = np.array(values["origin"], np.float64), float(values["side"])
        tiles = []
        for number, (first, end, points, overlap) in enumerate(values["tiles"]):
            x, y, z = (int(n) for n in first)
            u, v, w = (int(n) for n in end)
            tiles.append(Tile(number, (x, y, z), (u, v, w), int(points), float(overlap)))
        if origin.shape != (3,) or low.shape != (3,) or high.shape != (3,) or not (side > 0 and tiles):
            raise ValueError("it describes no tiles")
        return cls(origin, side, int(values["cells"]), low, high, tuple(tiles))

    @property
    def cell(self) -> float:
        """The side of a lattice cell, in world units."""
        return self.side / self.cells

    def box(self, tile: Tile, beyond: float = 0.0) -> tuple[Array, Array]:
        """The low and the high corner (3,) of a tile in world units, and `beyond` around it."""
        low, high = (self.origin + self.side * np.array(part, np.float64) for part in (tile.low, tile.high))
        return low - beyond, high + beyond

    def corners(self, tile: Tile) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The low and the high corner (3,) of a tile, as points of the whole lattice."""
        return self.cells * (tile.low - self.low), self.cells * (tile.high - self.low)

    @property
    def shape(self) -> NDArray[np.int64]:
        """The cells (3,) of the whole lattice along each axis."""
        return self.cells * (self.high - self.low)

    def around(self, tile: Tile, beyond: float) -> list[Tile]:
        """The tiles whose boxes are nearer than `beyond` to that of a tile, or touch it; not the tile."""
        low, high = self._corners
        reach = beyond / self.side
        near = np.asarray(
            (low <= np.add(tile.high, reach)).all(1) & (high >= np.subtract(tile.low, reach)).all(1)
        )
        near[tile.number] = False
        return [self.tiles[n] for n in np.flatnonzero(near)]

    def overlapping(self, tile: Tile, beyond: float = 0.0) -> list[Tile]:
        """The other tiles whose fields have a weight within `beyond` of a tile's box."""
        low, high = self._corners
        reach = (beyond + np.array([t.overlap for t in self.tiles])[:, None]) / self.side
        near = np.asarray(
            (low - reach < np.array(tile.high)).all(1) & (high + reach > np.array(tile.low)).all(1)
        )
        near[tile.number] = False
        return [self.tiles[n] for n in np.flatnonzero(near)]

    def touching(self, tile: Tile) -> list[Tile]:
        """The tiles that share a face, an edge or a corner with a tile."""
        return self.around(tile, 0.0)

    @cached_property
    def colors(self) -> list[int]:
        """A color for each tile, such that tiles that touch have different ones."""
        colors: list[int] = []
        for tile in self.tiles:
            taken = {colors[other.number] for other in self.touching(tile) if other.number < tile.number}
            colors.append(next(color for color in range(len(taken) + 1) if color not in taken))
        return colors

    def before(self, tile: Tile) -> list[Tile]:
        """The touching tiles whose surface is made before that of a tile, by color."""
        own = self.colors[tile.number]
        return [other for other in self.touching(tile) if self.colors[other.number] < own]

    def at(self, points: Array) -> NDArray[np.int64]:
        """The number (N,) of the tile that each world point (N, 3) is in; -1 outside all tiles."""
        places = np.floor((points - self.origin) / self.side)
        found = np.full(len(points), -1, np.int64)
        low, high = self._corners
        for number in range(len(self.tiles)):
            found[((places >= low[number]) & (places < high[number])).all(1)] = number
        return found

    def weight(self, tile: Tile, points: Array) -> Array:
        """The weight (N,) of a tile's field at world points (N, 3), before division by the sum of all.

        It is 1 in the box, except near its faces, falls to 0 at a distance `overlap` from the box, and has
        two continuous derivatives. Faces at the border of all tiles have no effect.
        """
        low, high = self.box(tile)
        weight = np.ones(len(points))
        for axis in range(3):
            for inner, inside in (
                (tile.low[axis] > self.low[axis], points[:, axis] - low[axis]),
                (tile.high[axis] < self.high[axis], high[axis] - points[:, axis]),
            ):
                if inner:
                    weight *= smooth(inside / tile.overlap)
        return weight

    @cached_property
    def _corners(self) -> tuple[Array, Array]:
        low = np.array([tile.low for tile in self.tiles], np.float64).reshape(-1, 3)
        return low, np.array([tile.high for tile in self.tiles], np.float64).reshape(-1, 3)


def smooth(inside: Array) -> Array:
    """A step (N,) from 0 at -1 to 1 at 1 with two continuous derivatives."""
    t = ((inside + 1) / 2).clip(0, 1)
    return t * t * t * (t * (6 * t - 15) + 10)
