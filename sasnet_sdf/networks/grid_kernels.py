"""The hash grid's loops on the CPU: value, vector-Jacobian and Jacobian-vector products of a tile of points.

A tile is processed level by level: vectorized loops first store the indices and weights of the cells'
corners, which are then used.

Shapes: points (N, d) float32 in [-1, 1]; table (entries, F); a tile's features and cotangents
(levels * F, TILE), zero beyond the tile's last point. `grid` is the tuple (scales, resolutions, offsets,
hashed) from a GridLayout. cell, weight, slope and bend have a row for each axis and a column for each point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..runtime.compiled import kept

Floats = NDArray[np.float32]
Grid = tuple[Floats, NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]

TILE = 128
"""Number of points in a tile."""

# called only from compiled code: an entry point from Python would take longer to compile than the loops
NO_WRAPPERS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

FAST = {"contract", "nsz", "arcp"}
_PRIMES = np.array([1, 2654435761, 805459861], np.uint32)
_jit = njit(fastmath=FAST, error_model="numpy", **NO_WRAPPERS)


@_jit
def _locate(points, first, size, scale, smooth, cell, weight, slope, bend):
    """Per axis: the cell of each point; the upper vertex's weight and its first two derivatives."""
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


@_jit
def _corner_index(cell, count, corner, resolution, entries, hashed, index):
    """The row of the level's table for the given corner (bit a: the upper vertex of axis a)."""
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
        for i in range(count):  # a vertex beyond the border wraps around, at most once
            index[i] = index[i] - size if index[i] >= size else index[i]


@_jit
def _corner_weight(weight, count, corner, first, second, out):
    """The product of each corner's interpolation weights over the axes other than the two given."""
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


@_jit
def _directional_weight(weight, slope, tangent, first, count, corner, out, work):
    """The derivative of the corner's weight along `tangent` (N, d)."""
    for i in range(count):
        out[i] = np.float32(0)
    for a in range(weight.shape[0]):
        _corner_weight(weight, count, corner, a, a, work)
        sign = np.float32(1) if (corner >> a) & 1 else np.float32(-1)
        for i in range(count):
            out[i] += sign * slope[a, i] * work[i] * tangent[first + i, a]


@_jit
def _buffers(dim):
    cell = np.empty((dim, TILE), np.uint32)
    floats = np.empty((3, dim, TILE), np.float32)
    work = np.empty((3, TILE), np.float32)
    return cell, floats[0], floats[1], floats[2], np.empty(TILE, np.uint32), work


@_jit
def interpolate(
    points: Floats,
    tangent: Floats,
    along: bool,
    first: int,
    size: int,
    table: Floats,
    grid: Grid,
    smooth: bool,
    out: Floats,
) -> None:
    """out (levels * F, TILE) = the features at points first .. first + size.

    With `along`, computes their derivative along `tangent` (N, d) instead.
    """
    scales, resolutions, offsets, hashed = grid
    dim = points.shape[1]
    cell, weight, slope, bend, index, work = _buffers(dim)
    for row in range(len(out)):
        for i in range(out.shape[1]):
            out[row, i] = 0
    for level in range(len(scales)):
        _locate(points, first, size, scales[level], smooth, cell, weight, slope, bend)
        values = table[offsets[level] : offsets[level + 1]]
        for corner in range(1 << dim):
            _corner_index(cell, size, corner, resolutions[level], len(values), hashed[level], index)
            if along:
                _directional_weight(weight, slope, tangent, first, size, corner, work[0], work[1])
            else:
                _corner_weight(weight, size, corner, dim, dim, work[0])
            _add_rows(values, index, work[0], size, level * table.shape[1], out)


@_jit
def _add_rows(values, index, weight, size, row, out):
    """out[row + f, i] += weight_i * values[index_i, f]."""
    if values.shape[1] == 2:  # the usual case: both features of an entry lie in one cache line
        for i in range(size):
            out[row, i] += weight[i] * values[index[i], 0]
            out[row + 1, i] += weight[i] * values[index[i], 1]
    else:
        for f in range(values.shape[1]):
            for i in range(size):
                out[row + f, i] += weight[i] * values[index[i], f]


@_jit
def pull_back(
    points: Floats,
    tangent: Floats,
    along: bool,
    first: int,
    size: int,
    cotangent: Floats,
    table: Floats,
    grid: Grid,
    smooth: bool,
    out: Floats,
) -> None:
    """out (d, TILE) += the gradient of <cotangent, features> with respect to the points.

    With `along`, the features are replaced by their derivative along `tangent` (N, d).
    """
    scales, resolutions, offsets, hashed = grid
    dim, features = points.shape[1], table.shape[1]
    cell, weight, slope, bend, index, work = _buffers(dim)
    for level in range(len(scales)):
        _locate(points, first, size, scales[level], smooth, cell, weight, slope, bend)
        values = table[offsets[level] : offsets[level + 1]]
        for corner in range(1 << dim):
            _corner_index(cell, size, corner, resolutions[level], len(values), hashed[level], index)
            _dot_cotangent(values, index, cotangent, level * features, size, work[0])
            for a in range(dim):
                sign = np.float32(1) if (corner >> a) & 1 else np.float32(-1)
                _corner_weight(weight, size, corner, a, a, work[1])
                if not along:
                    for i in range(size):
                        out[a, i] += sign * slope[a, i] * work[1, i] * work[0, i]
                    continue
                for i in range(size):
                    out[a, i] += sign * bend[a, i] * work[1, i] * work[0, i] * tangent[first + i, a]
                for b in range(dim):
                    if b != a:
                        _corner_weight(weight, size, corner, a, b, work[1])
                        other = np.float32(1) if (corner >> b) & 1 else np.float32(-1)
                        for i in range(size):
                            second = sign * other * slope[a, i] * slope[b, i] * work[1, i]
                            out[a, i] += second * work[0, i] * tangent[first + i, b]


@_jit
def _dot_cotangent(values, index, cotangent, row, count, out):
    """out_i = <entry of the corner, cotangent of point i>, summed over the level's features."""
    for i in range(count):
        out[i] = np.float32(0)
    for f in range(values.shape[1]):
        for i in range(count):
            out[i] += values[index[i], f] * cotangent[row + f, i]


@kept(nogil=True, fastmath=FAST, error_model="numpy")
def scatter(
    first_level: int,
    end_level: int,
    points: Floats,
    tangent: Floats,
    along: bool,
    cotangent: Floats,
    grid: Grid,
    smooth: bool,
    out: Floats,
) -> None:
    """out (entries, F) += the gradient of <cotangent, features> with respect to the table.

    cotangent: (levels * F, N). With `along`, the features are replaced by their derivative along `tangent`
    (N, d). Each level is summed by one thread in the order of the points, so there are no races, and the
    result does not depend on the number of threads.
    """
    scales, resolutions, offsets, hashed = grid
    dim, features = points.shape[1], out.shape[1]
    cell, weight, slope, bend, index, work = _buffers(dim)
    for level in range(first_level, end_level):
        values = out[offsets[level] : offsets[level + 1]]
        row = level * features
        for first in range(0, len(points), TILE):
            size = min(TILE, len(points) - first)
            _locate(points, first, size, scales[level], smooth, cell, weight, slope, bend)
            for corner in range(1 << dim):
                _corner_index(cell, size, corner, resolutions[level], len(values), hashed[level], index)
                if along:
                    _directional_weight(weight, slope, tangent, first, size, corner, work[0], work[1])
                else:
                    _corner_weight(weight, size, corner, dim, dim, work[0])
                if features == 2:
                    for i in range(size):
                        values[index[i], 0] += work[0, i] * cotangent[row, first + i]
                        values[index[i], 1] += work[0, i] * cotangent[row + 1, first + i]
                else:
                    for i in range(size):
                        for f in range(features):
                            values[index[i], f] += work[0, i] * cotangent[row + f, first + i]
