"""The hash grid's loops on the CPU: value, vector-Jacobian and Jacobian-vector products.

Each works on a tile of points, one level at a time: corner indices and weights are laid down by
loops that vectorise, then used. Table gradients are summed by one thread a level, in the order of
the points, so they have no races and the same bits come out for any number of threads.

Shapes: points (N, d) float32 in [-1, 1]; table (entries, F); a tile's features and cotangents
(levels * F, TILE), zero beyond the tile's last point. `grid` is the tuple (scales, resolutions,
offsets, hashed) of GridLayout.
"""

from __future__ import annotations

import numpy as np

from ..runtime.compiled import kept
from .grid_corners import FAST, corner_index, corner_weight, directional_weight, jit, locate, mixed_weight

TILE = 128
"""Points of a tile."""

_entry = kept(nogil=True, fastmath=FAST, error_model="numpy")


@jit
def _buffers(dim):
    cell = np.empty((dim, TILE), np.uint32)
    floats = np.empty((3, dim, TILE), np.float32)
    work = np.empty((3, TILE), np.float32)
    return cell, floats[0], floats[1], floats[2], np.empty(TILE, np.uint32), work


@jit
def interpolate(points, first, size, table, grid, smooth, out):
    """out (levels * F, TILE) = the features interpolated at points first .. first + size."""
    scales, resolutions, offsets, hashed = grid
    cell, weight, slope, bend, index, work = _buffers(points.shape[1])
    for row in range(len(out)):
        for i in range(out.shape[1]):
            out[row, i] = 0
    for level in range(len(scales)):
        locate(points, first, size, scales[level], smooth, cell, weight, slope, bend)
        values = table[offsets[level] : offsets[level + 1]]
        for corner in range(1 << points.shape[1]):
            corner_index(cell, size, corner, resolutions[level], len(values), hashed[level], index)
            corner_weight(weight, size, corner, points.shape[1], work[0])
            _add_rows(values, index, work[0], size, level * table.shape[1], out)


@jit
def interpolate_along(points, tangent, first, size, table, grid, smooth, out):
    """out (levels * F, TILE) = the derivative of the features along `tangent` (N, d)."""
    scales, resolutions, offsets, hashed = grid
    cell, weight, slope, bend, index, work = _buffers(points.shape[1])
    for row in range(len(out)):
        for i in range(out.shape[1]):
            out[row, i] = 0
    for level in range(len(scales)):
        locate(points, first, size, scales[level], smooth, cell, weight, slope, bend)
        values = table[offsets[level] : offsets[level + 1]]
        for corner in range(1 << points.shape[1]):
            corner_index(cell, size, corner, resolutions[level], len(values), hashed[level], index)
            directional_weight(weight, slope, tangent, first, size, corner, work[0], work[1])
            _add_rows(values, index, work[0], size, level * table.shape[1], out)


@jit
def _add_rows(values, index, weight, size, row, out):
    """out[row + f, i] += weight_i * values[index_i, f]."""
    if values.shape[1] == 2:  # the usual number: both features of an entry lie in one cache line
        for i in range(size):
            out[row, i] += weight[i] * values[index[i], 0]
            out[row + 1, i] += weight[i] * values[index[i], 1]
    else:
        for f in range(values.shape[1]):
            for i in range(size):
                out[row + f, i] += weight[i] * values[index[i], f]


@jit
def pull_back(points, first, size, cotangent, table, grid, smooth, out):
    """out (d, TILE) += the gradient by the points of <cotangent, features>."""
    scales, resolutions, offsets, hashed = grid
    dim, features = points.shape[1], table.shape[1]
    cell, weight, slope, bend, index, work = _buffers(dim)
    for level in range(len(scales)):
        locate(points, first, size, scales[level], smooth, cell, weight, slope, bend)
        values = table[offsets[level] : offsets[level + 1]]
        for corner in range(1 << dim):
            corner_index(cell, size, corner, resolutions[level], len(values), hashed[level], index)
            _dot_cotangent(values, index, cotangent, level * features, size, work[0])
            for a in range(dim):
                sign = np.float32(1) if (corner >> a) & 1 else np.float32(-1)
                corner_weight(weight, size, corner, a, work[1])
                for i in range(size):
                    out[a, i] += sign * slope[a, i] * work[1, i] * work[0, i]


@jit
def pull_back_along(points, tangent, first, size, cotangent, table, grid, smooth, out):
    """out (d, TILE) += the gradient by the points of <cotangent, derivative along `tangent` (N, d)>."""
    scales, resolutions, offsets, hashed = grid
    dim, features = points.shape[1], table.shape[1]
    cell, weight, slope, bend, index, work = _buffers(dim)
    for level in range(len(scales)):
        locate(points, first, size, scales[level], smooth, cell, weight, slope, bend)
        values = table[offsets[level] : offsets[level + 1]]
        for corner in range(1 << dim):
            corner_index(cell, size, corner, resolutions[level], len(values), hashed[level], index)
            _dot_cotangent(values, index, cotangent, level * features, size, work[0])
            for a in range(dim):
                sign = np.float32(1) if (corner >> a) & 1 else np.float32(-1)
                corner_weight(weight, size, corner, a, work[1])
                for i in range(size):
                    out[a, i] += sign * bend[a, i] * work[1, i] * work[0, i] * tangent[first + i, a]
                for b in range(dim):
                    if b != a:
                        mixed_weight(weight, size, corner, a, b, work[1])
                        other = np.float32(1) if (corner >> b) & 1 else np.float32(-1)
                        for i in range(size):
                            second = sign * other * slope[a, i] * slope[b, i] * work[1, i]
                            out[a, i] += second * work[0, i] * tangent[first + i, b]


@jit
def _dot_cotangent(values, index, cotangent, row, count, out):
    """out_i = <entry of the corner, cotangent of point i>, over the level's features."""
    for i in range(count):
        out[i] = np.float32(0)
    for f in range(values.shape[1]):
        for i in range(count):
            out[i] += values[index[i], f] * cotangent[row + f, i]


@_entry
def scatter(first_level, end_level, points, cotangent, tangent, along, grid, smooth, out):
    """out (entries, F) += the gradient by the table of <cotangent, features>, cotangent (levels * F, N).

    With `along`, of <cotangent, derivative of the features along tangent (N, d)> instead.
    """
    scales, resolutions, offsets, hashed = grid
    dim, features = points.shape[1], out.shape[1]
    cell, weight, slope, bend, index, work = _buffers(dim)
    for level in range(first_level, end_level):
        values = out[offsets[level] : offsets[level + 1]]
        row = level * features
        for first in range(0, len(points), TILE):
            size = min(TILE, len(points) - first)
            locate(points, first, size, scales[level], smooth, cell, weight, slope, bend)
            for corner in range(1 << dim):
                corner_index(cell, size, corner, resolutions[level], len(values), hashed[level], index)
                if along:
                    directional_weight(weight, slope, tangent, first, size, corner, work[0], work[1])
                else:
                    corner_weight(weight, size, corner, points.shape[1], work[0])
                if features == 2:
                    for i in range(size):
                        values[index[i], 0] += work[0, i] * cotangent[row, first + i]
                        values[index[i], 1] += work[0, i] * cotangent[row + 1, first + i]
                else:
                    for i in range(size):
                        for f in range(features):
                            values[index[i], f] += work[0, i] * cotangent[row + f, first + i]


@_entry
def encode(first_tile, end_tile, points, tangent, along, table, grid, smooth, out):
    """out (levels * F, N) = the features, or with `along` their derivative along tangent (N, d)."""
    tile = np.empty((len(out), TILE), np.float32)
    for first in range(first_tile * TILE, min(end_tile * TILE, len(points)), TILE):
        size = min(TILE, len(points) - first)
        if along:
            interpolate_along(points, tangent, first, size, table, grid, smooth, tile)
        else:
            interpolate(points, first, size, table, grid, smooth, tile)
        for row in range(len(out)):
            for i in range(size):
                out[row, first + i] = tile[row, i]


@_entry
def decode(first_tile, end_tile, points, tangent, along, cotangent, table, grid, smooth, out):
    """out (N, d) = the gradient by the points of <cotangent, features>, with cotangent (levels * F, N).

    With `along`, of <cotangent, derivative along tangent (N, d)>: second derivatives times tangent.
    """
    some, tile = np.empty((len(cotangent), TILE), np.float32), np.empty((points.shape[1], TILE), np.float32)
    for first in range(first_tile * TILE, min(end_tile * TILE, len(points)), TILE):
        size = min(TILE, len(points) - first)
        for row in range(len(some)):
            for i in range(size):
                some[row, i] = cotangent[row, first + i]
        for a in range(len(tile)):
            for i in range(TILE):
                tile[a, i] = 0
        if along:
            pull_back_along(points, tangent, first, size, some, table, grid, smooth, tile)
        else:
            pull_back(points, first, size, some, table, grid, smooth, tile)
        for i in range(size):
            for a in range(len(tile)):
                out[first + i, a] = tile[a, i]
