"""The hash grid's loops on the CPU: value, vector-Jacobian and Jacobian-vector products.

Every kernel walks one level at a time over blocks of points that stay in the first-level cache:
corner indices and weights of a block are laid down by loops that vectorise, then used. Table
gradients are summed by one thread a level, in the order of the points, so they have no races and
the same bits come out for any number of threads.

Shapes: points (N, d) float32 in [-1, 1]; table (entries, F); features and their cotangents
(levels * F, N). `grid` is the tuple (scales, resolutions, offsets, hashed) of GridLayout.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

BLOCK = 512
_PRIMES = np.array([1, 2654435761, 805459861], np.uint32)
_jit = njit(cache=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")


@_jit
def _locate(points, lo, hi, scale, smooth, cell, weight, slope, bend):
    """Per axis: the cell of each point, the upper vertex's weight, its first and second derivative by x."""
    half = np.float32(0.5)
    for a in range(points.shape[1]):
        for i in range(hi - lo):
            x = points[lo + i, a]
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


@_jit
def _corner_weight(weight, count, corner, skip, out):
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


@_jit
def _directional_weight(weight, slope, tangent, lo, count, corner, out, work):
    """Derivative of the corner's weight along `tangent` (N, d)."""
    for i in range(count):
        out[i] = np.float32(0)
    for a in range(weight.shape[0]):
        _corner_weight(weight, count, corner, a, work)
        sign = np.float32(1) if (corner >> a) & 1 else np.float32(-1)
        for i in range(count):
            out[i] += sign * slope[a, i] * work[i] * tangent[lo + i, a]


@_jit
def _buffers(dim):
    cell = np.empty((dim, BLOCK), np.uint32)
    floats = np.empty((3, dim, BLOCK), np.float32)
    work = np.empty((3, BLOCK), np.float32)
    return cell, floats[0], floats[1], floats[2], np.empty(BLOCK, np.uint32), work


@njit(cache=True, parallel=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def interpolate(points, table, grid, smooth, out):
    """out (levels * F, N) = the interpolated features."""
    scales, resolutions, offsets, hashed = grid
    count, dim = points.shape
    features = table.shape[1]
    blocks = (count + BLOCK - 1) // BLOCK
    for job in prange(len(scales) * blocks):
        level, lo = job // blocks, (job % blocks) * BLOCK
        hi = min(lo + BLOCK, count)
        cell, weight, slope, bend, index, work = _buffers(dim)
        _locate(points, lo, hi, scales[level], smooth, cell, weight, slope, bend)
        entries = offsets[level + 1] - offsets[level]
        values = table[offsets[level] : offsets[level + 1]]
        for f in range(features):
            out[level * features + f, lo:hi] = np.float32(0)
        for corner in range(1 << dim):
            _corner_index(cell, hi - lo, corner, resolutions[level], entries, hashed[level], index)
            _corner_weight(weight, hi - lo, corner, -1, work[0])
            for f in range(features):
                row = out[level * features + f]
                for i in range(hi - lo):
                    row[lo + i] += work[0, i] * values[index[i], f]


@njit(cache=True, parallel=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def interpolate_along(points, tangent, table, grid, smooth, out):
    """out (levels * F, N) = the derivative of the features along `tangent` (N, d)."""
    scales, resolutions, offsets, hashed = grid
    count, dim = points.shape
    features = table.shape[1]
    blocks = (count + BLOCK - 1) // BLOCK
    for job in prange(len(scales) * blocks):
        level, lo = job // blocks, (job % blocks) * BLOCK
        hi = min(lo + BLOCK, count)
        cell, weight, slope, bend, index, work = _buffers(dim)
        _locate(points, lo, hi, scales[level], smooth, cell, weight, slope, bend)
        entries = offsets[level + 1] - offsets[level]
        values = table[offsets[level] : offsets[level + 1]]
        for f in range(features):
            out[level * features + f, lo:hi] = np.float32(0)
        for corner in range(1 << dim):
            _corner_index(cell, hi - lo, corner, resolutions[level], entries, hashed[level], index)
            _directional_weight(weight, slope, tangent, lo, hi - lo, corner, work[0], work[1])
            for f in range(features):
                row = out[level * features + f]
                for i in range(hi - lo):
                    row[lo + i] += work[0, i] * values[index[i], f]


@njit(cache=True, parallel=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def scatter(points, cotangent, tangent, along, grid, smooth, out):
    """out (entries, F) = the gradient by the table of <cotangent, features>.

    With `along`, of <cotangent, derivative of the features along tangent> instead.
    """
    scales, resolutions, offsets, hashed = grid
    count, dim = points.shape
    features = out.shape[1]
    for level in prange(len(scales)):
        cell, weight, slope, bend, index, work = _buffers(dim)
        entries = offsets[level + 1] - offsets[level]
        values = out[offsets[level] : offsets[level + 1]]
        for lo in range(0, count, BLOCK):
            hi = min(lo + BLOCK, count)
            _locate(points, lo, hi, scales[level], smooth, cell, weight, slope, bend)
            for corner in range(1 << dim):
                _corner_index(cell, hi - lo, corner, resolutions[level], entries, hashed[level], index)
                if along:
                    _directional_weight(weight, slope, tangent, lo, hi - lo, corner, work[0], work[1])
                else:
                    _corner_weight(weight, hi - lo, corner, -1, work[0])
                for i in range(hi - lo):
                    for f in range(features):
                        values[index[i], f] += work[0, i] * cotangent[level * features + f, lo + i]


@_jit
def _dot_cotangent(values, index, cotangent, row, features, lo, count, out):
    """out_i = <entry of the corner, cotangent of point i>, over the level's features."""
    for i in range(count):
        out[i] = np.float32(0)
    for f in range(features):
        for i in range(count):
            out[i] += values[index[i], f] * cotangent[row + f, lo + i]


@njit(cache=True, parallel=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def pull_back(points, cotangent, tangent, along, table, grid, smooth, out):
    """out (N, d) = the gradient by the points of <cotangent, features>.

    With `along`, of <cotangent, derivative of the features along tangent> instead: the product of
    the features' second derivatives with `tangent`.
    """
    scales, resolutions, offsets, hashed = grid
    count, dim = points.shape
    features = table.shape[1]
    blocks = (count + BLOCK - 1) // BLOCK
    for block in prange(blocks):
        lo = block * BLOCK
        hi = min(lo + BLOCK, count)
        cell, weight, slope, bend, index, work = _buffers(dim)
        out[lo:hi] = np.float32(0)
        for level in range(len(scales)):
            _locate(points, lo, hi, scales[level], smooth, cell, weight, slope, bend)
            entries = offsets[level + 1] - offsets[level]
            values = table[offsets[level] : offsets[level + 1]]
            for corner in range(1 << dim):
                _corner_index(cell, hi - lo, corner, resolutions[level], entries, hashed[level], index)
                _dot_cotangent(values, index, cotangent, level * features, features, lo, hi - lo, work[0])
                for a in range(dim):
                    sign = np.float32(1) if (corner >> a) & 1 else np.float32(-1)
                    if not along:
                        _corner_weight(weight, hi - lo, corner, a, work[1])
                        for i in range(hi - lo):
                            out[lo + i, a] += sign * slope[a, i] * work[1, i] * work[0, i]
                        continue
                    _corner_weight(weight, hi - lo, corner, a, work[1])
                    for i in range(hi - lo):
                        out[lo + i, a] += sign * bend[a, i] * work[1, i] * work[0, i] * tangent[lo + i, a]
                    for b in range(dim):
                        if b != a:
                            _mixed_weight(weight, hi - lo, corner, a, b, work[1])
                            other = np.float32(1) if (corner >> b) & 1 else np.float32(-1)
                            for i in range(hi - lo):
                                second = sign * other * slope[a, i] * slope[b, i] * work[1, i]
                                out[lo + i, a] += second * work[0, i] * tangent[lo + i, b]


@_jit
def _mixed_weight(weight, count, corner, first, second, out):
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
