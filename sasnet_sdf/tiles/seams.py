"""What two tiles must agree on where they meet, so that their meshes fit together without a gap.

Tiles that touch are meshed one after the other, by color. The first leaves the field's values at the lattice
points of its box's faces and the vertices on lattice edges in those faces; the next ones take them over. So
both have the same vertices and edges on the face between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..extraction.lattice import SIDE, SparseValues
from ..geometry import Array
from .scratch import Scratch
from .tiling import Tile, Tiling

LONGEST = 1 << 20
"""Number of cells of the whole lattice along an axis: vertices' numbers hold so many."""

NOBODY = -1
"""The owner of a shared vertex that was trimmed away, and the second part of an uncut vertex's number."""


def check_lattice(tiling: Tiling) -> None:
    """Raise UsageError where the whole lattice has too many cells along an axis."""
    longest = int(tiling.shape.max())
    if longest >= LONGEST:
        least = tiling.cell * longest / LONGEST
        raise UsageError(
            f"the scan is {longest:,} lattice cells long, but must have fewer than {LONGEST:,}; give an "
            f"edge length above {least:.3g}"
        )


@dataclass(frozen=True)
class Faces:
    """The faces of a tile's box that other tiles lie behind, as planes of the whole lattice.

    low, high: (3,) the box, as points of the lattice. inner: (2, 3) whether the low and the high face of each
    axis has tiles behind it.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    inner: NDArray[np.bool_]

    @classmethod
    def of(cls, tiling: Tiling, tile: Tile) -> Faces:
        """The faces of a tile."""
        low, high = tiling.corners(tile)
        return cls(low, high, np.stack([low > 0, high < tiling.shape]))

    def hold(self, points: NDArray[np.int64], axis: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether the lattice edges from points (N, 3) along an axis (N,) lie in a face; False for axis 3."""
        held = np.zeros(len(points), np.bool_)
        for d in range(3):
            for inner, plane in ((self.inner[0, d], self.low[d]), (self.inner[1, d], self.high[d])):
                if inner:
                    held |= (points[:, d] == plane) & (axis != d) & (axis < 3)
        return held

    def known(self, values: SparseValues, first: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
        """The evaluated points (N, 3) of the whole lattice on the faces, and their values (N,).

        first: (3,) the point of the whole lattice that is the first of `values`.
        """
        found = []
        for d in range(3):
            for inner, plane in ((self.inner[0, d], self.low[d]), (self.inner[1, d], self.high[d])):
                if inner:
                    found.append(_on_plane(values, d, int(plane - first[d])))
        rows = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
        points = values.points(*np.divmod(rows, SIDE**3)).astype(np.int64) + first
        within = ((points >= self.low) & (points <= self.high)).all(1)
        return points[within], values.values.ravel()[rows[within]]


def _on_plane(values: SparseValues, axis: int, index: int) -> NDArray[np.int64]:
    """The flat numbers of the evaluated values in a plane of the lattice."""
    slots = np.arange(SIDE**3)
    digit = slots >> (6, 3, 0)[axis] & 7
    rows = np.flatnonzero(values.places[:, axis] == index >> 3)
    flat = (rows[:, None] * SIDE**3 + slots[digit == (index & 7)]).ravel()
    evaluated = ~np.isnan(values.values.ravel()[flat]) & ~values.assumed.ravel()[flat]
    return flat[evaluated]


def numbers_of(points: NDArray[np.int64], axis: NDArray[Any]) -> NDArray[np.int64]:
    """The numbers (N,) of the lattice edges from points (N, 3) of the whole lattice along an axis (N,)."""
    packed = (points[:, 0] << 40) | (points[:, 1] << 20) | points[:, 2]
    return packed << 2 | axis


@dataclass(frozen=True)
class Seam:
    """The shared vertices of tiles that are meshed already.

    A vertex on a lattice edge has the edge's number, one on the cut between two such vertices has both.
    numbers: (S, 2) int64, the second NOBODY for a vertex on a lattice edge. owner: (S, 2) the tile that has
    the vertex, and its index there; NOBODY if it was trimmed away. vertices, normals: (S, 3). over: (S,) the
    function whose zero level is the cut.
    """

    numbers: NDArray[np.int64]
    owner: NDArray[np.int64]
    vertices: Array
    normals: Array
    over: Array

    @classmethod
    def before(cls, scratch: Scratch, tiling: Tiling, tile: Tile) -> Seam:
        """The shared vertices of the tiles that come before a tile."""
        parts = [scratch.load("seam", other.number) for other in tiling.before(tile)]
        if not parts:
            nothing = np.empty((0, 2), np.int64)
            return cls(nothing, nothing, np.empty((0, 3)), np.empty((0, 3)), np.empty(0))
        names = ("numbers", "owner", "vertices", "normals", "over")
        joined = {name: np.concatenate([part[name] for part in parts]) for name in names}
        # where one tile lost a vertex and another has it, the latter's record counts: rows_of takes the first
        order = np.argsort(joined["owner"][:, 0] == NOBODY, kind="stable")
        return cls(*(joined[name][order] for name in names))

    def rows_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row (N,) of each vertex, from its numbers (N, 2); -1 for those that are not there."""
        together = np.concatenate([self.numbers, numbers])
        _, first, which = np.unique(together, axis=0, return_index=True, return_inverse=True)
        rows = first[which.reshape(-1)[len(self.numbers) :]]
        return np.where(rows < len(self.numbers), rows, -1)


def known_before(
    scratch: Scratch, tiling: Tiling, tile: Tile, first: NDArray[np.int64], shape: NDArray[np.int64]
) -> tuple[NDArray[np.int32], Array]:
    """The values (N,), in world units, that tiles before a tile have at lattice points (N, 3) near it.

    The points are relative to `first` (3,), and lie in a lattice of `shape` (3,) cells.
    """
    parts = [scratch.load("seam", other.number) for other in _by_color(tiling, tile)]
    if not parts:
        return np.empty((0, 3), np.int32), np.empty(0)
    points = np.concatenate([part["points"] for part in parts]) - first
    values = np.concatenate([part["values"] for part in parts])
    low, high = tiling.corners(tile)
    on_box = ((points + first >= low) & (points + first <= high)).all(1)
    rows = np.flatnonzero(on_box & ((points >= 0) & (points <= shape)).all(1))
    _, once = np.unique(points[rows], axis=0, return_index=True)
    rows = rows[once]
    return points[rows].astype(np.int32), values[rows]


def _by_color(tiling: Tiling, tile: Tile) -> list[Tile]:
    return sorted(tiling.before(tile), key=lambda t: (tiling.colors[t.number], t.number))
