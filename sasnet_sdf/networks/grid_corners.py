"""Corners of the hash grid's cells, for a tile of points at one level: indices, weights, their derivatives.

Shapes are grid_kernels.py's; cell, weight, slope and bend hold a row for each axis, a column for each point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_PRIMES = np.array([1, 2654435761, 805459861], np.uint32)
FAST = {"contract", "nsz", "arcp"}
# what only kernels call needs no way in from Python, which takes long to compile
_NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
jit = njit(fastmath=FAST, error_model="numpy", **_NO_WRAPPERS)


@jit
def locate(points, first, size, scale, smooth, cell, weight, slope, bend):
    """Per axis: the cell of each point, the upper vertex's weight, its first and second derivative by x."""
    half = np.float32(0.5)
    for a in range(points.shape[1]):
        for i in range(size):
            x = points[first + i, a]
            inside = np.float32(1.0)
            if x < np.float32(-1):
                x, inside = np.float32(-1), np.float32(0)
            if x > np.float32(1):
                x, inside = np.float32(1), np.float32(0)
            p = (x * half + half) * scale + half
            base = np.floor(p)
            t = p - base
            s = half * scale * inside
            cell[a, i] = np.uint32(base)
            if smooth:
                weight[a, i] = t * t * (np.float32(3) - np.float32(2) * t)
                slope[a, i] = np.float32(6) * t * (np.float32(1) - t) * s
                bend[a, i] = (np.float32(6) - np.float32(12) * t) * s * s
            else:
                weight[a, i] = t
                slope[a, i] = s
                bend[a, i] = np.float32(0)


@jit
def corner_index(cell, count, corner, resolution, entries, hashed, index):
    """Entry of the level's table that holds the given corner (bit a: the upper vertex of axis a)."""
    dim = cell.shape[0]
    if hashed:
        mask = np.uint32(entries - 1)
        for i in range(count):
            index[i] = cell[0, i] + np.uint32(corner & 1)
        for a in range(1, dim):
            up, prime = np.uint32((corner >> a) & 1), _PRIMES[a]
            for i in range(count):
                index[i] ^= (cell[a, i] + up) * prime
        for i in range(count):
            index[i] &= mask
    else:
        for i in range(count):
            index[i] = cell[0, i] + np.uint32(corner & 1)
        stride = np.uint32(1)
        for a in range(1, dim):
            stride *= np.uint32(resolution)
            up = np.uint32((corner >> a) & 1)
            for i in range(count):
                index[i] += (cell[a, i] + up) * stride
        size = np.uint32(entries)
        for i in range(count):  # a vertex past the border wraps, once at most
            index[i] = index[i] - size if index[i] >= size else index[i]


@jit
def corner_weight(weight, count, corner, skip, out):
    """Product over the axes, but for `skip`, of each corner's interpolation weight."""
    one = np.float32(1)
    for i in range(count):
        out[i] = one
    for a in range(weight.shape[0]):
        if a != skip:
            if (corner >> a) & 1:
                for i in range(count):
                    out[i] *= weight[a, i]
            else:
                for i in range(count):
                    out[i] *= one - weight[a, i]


@jit
def directional_weight(weight, slope, tangent, first, count, corner, out, work):
    """Derivative of the corner's weight along `tangent` (N, d)."""
    for i in range(count):
        out[i] = np.float32(0)
    for a in range(weight.shape[0]):
        corner_weight(weight, count, corner, a, work)
        sign = np.float32(1) if (corner >> a) & 1 else np.float32(-1)
        for i in range(count):
            out[i] += sign * slope[a, i] * work[i] * tangent[first + i, a]


@jit
def mixed_weight(weight, count, corner, first, second, out):
    """Product of the corner's weights over the axes other than the two given."""
    one = np.float32(1)
    for i in range(count):
        out[i] = one
    for a in range(weight.shape[0]):
        if a != first and a != second:
            if (corner >> a) & 1:
                for i in range(count):
                    out[i] *= weight[a, i]
            else:
                for i in range(count):
                    out[i] *= one - weight[a, i]
