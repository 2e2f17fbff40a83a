"""The lattice on which a field is sampled for extraction, and sparse values on it.

Values are stored in blocks of 8 x 8 x 8 points, which are allocated only where values are known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..geometry import Array
from ..runtime.compiled import kept

MARGIN = 3
"""Least number of cells between the data's bounding box and the lattice's border."""

SPACE = 0.02
"""Least distance between the box and the border, in units of the cube: fields may overshoot the data."""


@dataclass(frozen=True)
class Lattice:
    """Cubic cells in the unit cube: point (i, j, k) lies at low + cell * (i, j, k).

    low: (3,) unit coordinates of the first corner. cell: a cell's side, in the unit cube.
    shape: cells along each axis; there is one point more.
    """

    low: Array
    cell: float
    shape: tuple[int, int, int]

    def points(self, indices: NDArray[Any]) -> Array:
        """Unit coordinates (N, 3) float64 of lattice coordinates (N, 3)."""
        return np.asarray(self.low, np.float64) + self.cell * np.asarray(indices, np.float64)

    @property
    def resolution(self) -> int:
        """Number of cells along a side of the unit cube."""
        return round(2 / self.cell)

    @property
    def blocks(self) -> float:
        """Number of blocks, of SIDE points along each axis, that cover the lattice."""
        return float(np.prod([n // SIDE + 1 for n in self.shape], dtype=float))


def lattice_around(low: Array, high: Array, cell: float) -> Lattice:
    """The lattice over the box from low (3,) to high (3,) with a margin, inside [-1, 1]^3.

    low, high: in the unit cube. cell: a cell's side, in the unit cube. The points are those of the
    lattice that starts at (-1, -1, -1), so that the lattices of two boxes with the same cell agree
    where they overlap. Raises UsageError where the cell is not smaller than the box.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not 0 < cell < max(2.0, float((high - low).max())):
        raise UsageError(
            f"a cell of {cell:.6g} in the unit cube is larger than the surface; choose a smaller one"
        )
    last = np.floor(2 / cell * (1 + 1e-12))
    margin = max(MARGIN, np.ceil(SPACE / cell))
    first = np.clip(np.floor((low + 1) / cell) - margin, 0, last - 1).astype(np.int64)
    end = np.clip(np.ceil((high + 1) / cell) + margin, first + 1, last).astype(np.int64)
    x, y, z = (int(n) for n in end - first)
    return Lattice(first * cell - 1.0, float(cell), (x, y, z))


SIDE = 8
"""Points along each side of a block."""

VOLUME = SIDE**3

jit: Callable[[Any], Any] = kept(error_model="numpy")
"""The decorator of a compiled function that runs in one thread."""


class SparseValues:
    """A value, or NaN where none is known, at every point of a lattice.

    index: (bx, by, bz) int32, the row of each block or -1. places: (rows, 3) int32, the block of
    each row. values: (rows, 512) float32. wanted: (rows, 512) bool, points that are to be evaluated.
    assumed: (rows, 512) bool, points whose value is only an estimate with the right sign.
    """

    shape: tuple[int, ...]
    index: NDArray[np.int32]
    places: NDArray[np.int32]
    values: NDArray[np.float32]
    wanted: NDArray[np.bool_]
    assumed: NDArray[np.bool_]

    def __init__(self, shape: tuple[int, ...]):
        """Allocate no blocks. shape: points along each axis; one point beyond may be read as unknown."""
        self.shape = tuple(int(n) for n in shape)
        self.index = np.full([n // SIDE + 1 for n in self.shape], -1, np.int32)
        self.places = np.empty((0, 3), np.int32)
        self.values = np.empty((0, VOLUME), np.float32)
        self.wanted = np.empty((0, VOLUME), np.bool_)
        self.assumed = np.empty((0, VOLUME), np.bool_)

    def allocate(self, needed: NDArray[np.bool_]) -> None:
        """Allocate the blocks of a mask (bx, by, bz) that are not allocated yet."""
        new = np.argwhere(needed & (self.index < 0)).astype(np.int32)
        if not len(new):
            return
        self.index[tuple(new.T)] = np.arange(len(self.values), len(self.values) + len(new), dtype=np.int32)
        self.places = np.concatenate([self.places, new])
        self.values = _extended(self.values, len(new), np.nan)
        self.wanted = _extended(self.wanted, len(new), False)
        self.assumed = _extended(self.assumed, len(new), False)

    def take_wanted(self) -> NDArray[np.int32]:
        """Return the wanted points (N, 3), block by block, and clear their marks."""
        wanted = self.wanted.reshape(-1)
        found = np.flatnonzero(wanted)
        wanted[found] = False
        return self.points(*np.divmod(found, VOLUME))

    def points(self, row: NDArray[Any], slot: NDArray[Any]) -> NDArray[np.int32]:
        """The lattice coordinates (N, 3) of slots (N,) of rows (N,)."""
        points = self.places[row] * np.int32(SIDE)
        for axis, shift in enumerate((6, 3, 0)):
            points[:, axis] += (slot >> shift & 7).astype(np.int32)
        return points

    def put(self, points: NDArray[np.int32], values: Array) -> None:
        """Set the values (N,) at points (N, 3) of allocated blocks."""
        at = self.rows_and_slots(points)
        self.values[at] = values
        self.assumed[at] = False

    def want(self, points: NDArray[np.int32]) -> None:
        """Mark points (N, 3) of allocated blocks as wanted."""
        self.wanted[self.rows_and_slots(points)] = True

    def corners(self, cells: NDArray[np.int32]) -> Array:
        """The values (N, 8) at the corners of cells (N, 3), NaN where unknown; see kernels.CORNERS."""
        out = np.empty((len(cells), 8), np.float32)
        _corners(self.index, self.values, np.ascontiguousarray(cells, np.int32), out)
        return out

    def rows_and_slots(self, points: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The rows (N,) and slots (N,) of points (N, 3) of allocated blocks in `values`."""
        i, j, k = points.T
        return self.index[i >> 3, j >> 3, k >> 3], (i & 7) << 6 | (j & 7) << 3 | (k & 7)


def _extended(rows: NDArray[Any], count: int, fill: float) -> NDArray[Any]:
    """The rows, followed by `count` new ones filled with `fill`."""
    longer = np.empty((len(rows) + count, VOLUME), rows.dtype)
    longer[: len(rows)], longer[len(rows) :] = rows, fill
    return longer


@jit
def get(index, values, i, j, k):
    """The value at a point of the lattice; NaN where it is unknown."""
    row = index[i >> 3, j >> 3, k >> 3]
    if row < 0:
        return np.float32(np.nan)
    return values[row, (i & 7) << 6 | (j & 7) << 3 | (k & 7)]


@jit
def _corners(index, values, cells, out):
    for n in range(len(cells)):
        for c in range(8):
            out[n, c] = get(
                index, values, cells[n, 0] + (c >> 2), cells[n, 1] + (c >> 1 & 1), cells[n, 2] + (c & 1)
            )
