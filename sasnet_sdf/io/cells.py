"""Which points are the first in their cell of a grid: the compiled loop under thinning."""

from __future__ import annotations

import numpy as np

from ..kernels import kept

_SALT = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)
_FREE, _ONE = np.uint64(0), np.uint64(1)


@kept()
def _stirred(bits):  # pragma: no cover - compiled
    """A permutation of 64 bits that spreads neighbours apart (Steele et al. 2014, SplitMix64)."""
    bits = bits + _SALT
    bits = (bits ^ (bits >> _30)) * _FIRST
    bits = (bits ^ (bits >> _27)) * _SECOND
    return bits ^ (bits >> _31)


@kept()
def mark_first(points, edges, offsets, table, first):  # pragma: no cover - compiled
    """Mark the finite points (N, 3) whose cell is not yet in the table; the number of them.

    The cell is floor(point / edge + offset), edges and offsets (3,).
    table: (2^k,) uint64, zeros at first; it keeps 64 bits of each cell, so two of 10⁷ cells are
    taken for one with a chance of 10⁻⁵, and a point is lost. It must have room. first: (N,) bool.
    """
    last = np.uint64(table.size - 1)
    count = 0
    for row in range(points.shape[0]):
        key = _FREE
        for axis in range(3):
            key = _stirred(
                key ^ np.uint64(np.int64(np.floor(points[row, axis] / edges[axis] + offsets[axis])))
            )
        if key == _FREE:
            key = _ONE
        slot = key & last
        while table[slot] != _FREE and table[slot] != key:
            slot = (slot + _ONE) & last
        first[row] = table[slot] == _FREE
        table[slot] = key
        count += first[row]
    return count
