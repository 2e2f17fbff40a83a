"""Values on a sparse lattice: blocks of 8 x 8 x 8 points, allocated where something is known."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..geometry import Array

SIDE = 8
VOLUME = SIDE**3

jit = njit(cache=True, error_model="numpy")


class SparseValues:
    """A value, or NaN where none is known, at every point of a lattice.

    index: (bx, by, bz) int32, the row of each block or -1. values: (capacity, 512) float32.
    wanted: (capacity, 512) bool, points that are to be evaluated. assumed: (capacity, 512) bool,
    points whose value is only an estimate with the right sign.
    """

    def __init__(self, shape: tuple[int, ...]):
        """shape: points along each axis; the next point beyond may be asked for, and is unknown."""
        self.shape = tuple(int(n) for n in shape)
        self.index = np.full([n // SIDE + 1 for n in self.shape], -1, np.int32)
        self.count = 0
        self.values = np.empty((0, VOLUME), np.float32)
        self.wanted = np.empty((0, VOLUME), np.bool_)
        self.assumed = np.empty((0, VOLUME), np.bool_)

    def allocate(self, needed: NDArray[np.bool_]) -> None:
        """Make room for the blocks that a mask of the index's shape names."""
        new = np.argwhere(needed & (self.index < 0))
        end = self.count + len(new)
        if end > len(self.values):
            grown = max(end, len(self.values) * 3 // 2) - len(self.values)
            self.values = np.concatenate([self.values, np.full((grown, VOLUME), np.nan, np.float32)])
            self.wanted = np.concatenate([self.wanted, np.zeros((grown, VOLUME), np.bool_)])
            self.assumed = np.concatenate([self.assumed, np.zeros((grown, VOLUME), np.bool_)])
        self.index[tuple(new.T)] = np.arange(self.count, end, dtype=np.int32)
        self.count = end

    def forget_assumed(self) -> None:
        """Make the values that were only assumed unknown again."""
        self.values[self.assumed] = np.nan
        self.assumed.fill(False)

    def blocks(self) -> NDArray[np.int32]:
        """The allocated blocks (B, 3), in the order of the lattice."""
        return np.argwhere(self.index >= 0).astype(np.int32)

    def collect_wanted(self) -> NDArray[np.int32]:
        """The points (N, 3) that are wanted, block by block; they are wanted no longer."""
        return _collect_wanted(self.index, self.wanted, self.blocks())

    def put(self, points: NDArray[np.int32], values: Array) -> None:
        """Set the values (N,) at points (N, 3) of allocated blocks."""
        _put(self.index, self.values, self.assumed, points, values.astype(np.float32, copy=False))


@jit
def get(index, values, i, j, k):
    """The value at a point of the lattice; NaN where it is unknown."""
    row = index[i >> 3, j >> 3, k >> 3]
    if row < 0:
        return np.float32(np.nan)
    return values[row, (i & 7) << 6 | (j & 7) << 3 | (k & 7)]


@jit
def set_value(index, values, i, j, k, value):
    """Set the value at a point of an allocated block."""
    values[index[i >> 3, j >> 3, k >> 3], (i & 7) << 6 | (j & 7) << 3 | (k & 7)] = value


@jit
def want(index, values, wanted, i, j, k):
    """Ask for a point of an allocated block unless its value is known."""
    row = index[i >> 3, j >> 3, k >> 3]
    slot = (i & 7) << 6 | (j & 7) << 3 | (k & 7)
    if np.isnan(values[row, slot]):
        wanted[row, slot] = True


@jit
def _put(index, values, assumed, points, new):
    for n in range(len(points)):
        set_value(index, values, points[n, 0], points[n, 1], points[n, 2], new[n])
        set_value(index, assumed, points[n, 0], points[n, 1], points[n, 2], False)


@jit
def _collect_wanted(index, wanted, blocks):
    count = 0
    for b in range(len(blocks)):
        row = index[blocks[b, 0], blocks[b, 1], blocks[b, 2]]
        for slot in range(512):
            count += wanted[row, slot]
    points = np.empty((count, 3), np.int32)
    n = 0
    for b in range(len(blocks)):
        row = index[blocks[b, 0], blocks[b, 1], blocks[b, 2]]
        for slot in range(512):
            if wanted[row, slot]:
                wanted[row, slot] = False
                points[n, 0] = blocks[b, 0] * 8 + (slot >> 6)
                points[n, 1] = blocks[b, 1] * 8 + (slot >> 3 & 7)
                points[n, 2] = blocks[b, 2] * 8 + (slot & 7)
                n += 1
    return points
