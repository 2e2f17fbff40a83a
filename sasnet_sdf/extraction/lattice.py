"""The lattice: where a field is sampled for extraction, and what that costs in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..geometry import Array

MARGIN = 3
"""Cells between the data's bounding box and the lattice's border, at the least."""

ROOM = 0.02
"""The same in the unit cube, at the least: a field swings out beyond the data, however fine the cells."""


@dataclass(frozen=True)
class Lattice:
    """Cubic cells in the unit cube: point (i, j, k) lies at low + cell * (i, j, k).

    low: (3,) unit coordinates of the first corner. cell: a cell's side, in the unit cube.
    shape: cells along each axis; there is one point more.
    """

    low: Array
    cell: float
    shape: tuple[int, int, int]

    def points(self, indices: Array) -> Array:
        """Unit coordinates (N, 3) float64 of lattice coordinates (N, 3)."""
        return np.asarray(self.low, np.float64) + self.cell * np.asarray(indices, np.float64)


def lattice_around(low: Array, high: Array, cell: float) -> Lattice:
    """The lattice over the box from low (3,) to high (3,) with a margin, inside [-1, 1]^3.

    Its points are those of the one lattice that starts at (-1, -1, -1), so that two boxes at the
    same cell agree where they overlap. Raises UsageError where the cell is not smaller than the box.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not 0 < cell < max(2.0, float((high - low).max())):
        raise UsageError(
            f"a cell of {cell:.6g} in the unit cube is no fraction of the surface; take a smaller one"
        )
    last = np.floor(2 / cell * (1 + 1e-12))
    margin = max(MARGIN, np.ceil(ROOM / cell))
    first = np.clip(np.floor((low + 1) / cell) - margin, 0, last - 1).astype(np.int64)
    end = np.clip(np.ceil((high + 1) / cell) + margin, first + 1, last).astype(np.int64)
    x, y, z = (int(n) for n in end - first)
    return Lattice(first * cell - 1.0, float(cell), (x, y, z))
