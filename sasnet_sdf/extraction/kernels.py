"""The loops of the descent from one lattice to the next finer one.

A coarse cell (i, j, k) has eight children; child (a, b, c) is the fine cell (2i+a, 2j+b, 2k+c) and
bit 4a+2b+c of a mask. Values on a lattice are SparseValues' (index, values).
"""

from __future__ import annotations

import numpy as np

from .blocks import get, jit, want


@jit
def corners(index, values, i, j, k, out):
    """Load the values at a cell's corners into out (2, 2, 2); False where one is unknown."""
    known = True
    for a in range(2):
        for b in range(2):
            for c in range(2):
                out[a, b, c] = get(index, values, i + a, j + b, k + c)
                known &= not np.isnan(out[a, b, c])
    return known


@jit
def interpolated(v, a, b, c):
    """The value at the half-way point (a, b, c) in {0, 1, 2}^3 of a coarse cell, from its corners."""
    a0, b0, c0 = a >> 1, b >> 1, c >> 1
    a1, b1, c1 = (a + 1) >> 1, (b + 1) >> 1, (c + 1) >> 1
    return np.float32(0.125) * (
        (v[a0, b0, c0] + v[a0, b0, c1] + v[a0, b1, c0] + v[a0, b1, c1])
        + (v[a1, b0, c0] + v[a1, b0, c1] + v[a1, b1, c0] + v[a1, b1, c1])
    )


@jit
def steepest(index, values, cells):
    """The largest change of the field over any of the cells, as a gradient's norm times the cell."""
    v = np.empty((2, 2, 2), np.float32)
    largest = np.float32(0)
    for n in range(len(cells)):
        corners(index, values, cells[n, 0], cells[n, 1], cells[n, 2], v)
        x = y = z = np.float32(0)
        for a in range(2):
            for b in range(2):
                x = max(x, abs(v[1, a, b] - v[0, a, b]))
                y = max(y, abs(v[a, 1, b] - v[a, 0, b]))
                z = max(z, abs(v[a, b, 1] - v[a, b, 0]))
        largest = max(largest, x * x + y * y + z * z)
    return np.sqrt(largest)


@jit
def mixed_signs(v):
    """Whether a cell's corners have both signs; zero counts as inside, as in marching cubes."""
    inside = 0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                inside += v[a, b, c] <= 0
    return 0 < inside < 8


@jit
def have_mixed_signs(index, values, cells):
    """Whether (M,) the corners of each cell have both signs; zero counts as inside, as in marching cubes."""
    v = np.empty((2, 2, 2), np.float32)
    mixed = np.empty(len(cells), np.bool_)
    for n in range(len(cells)):
        corners(index, values, cells[n, 0], cells[n, 1], cells[n, 2], v)
        mixed[n] = mixed_signs(v)
    return mixed


@jit
def known_cells(index, values, blocks, shape, coarse_index, coarse_values):
    """Cells (M, 3) with eight known corners, and how far (M,) the parent's interpolation is off there.

    The error is infinite where the parent's corners are not all known.
    """
    v, p = np.empty((2, 2, 2), np.float32), np.empty((2, 2, 2), np.float32)
    capacity = 1024
    cells, errors = np.empty((capacity, 3), np.int32), np.empty(capacity, np.float32)
    count = 0
    for n in range(len(blocks)):
        for slot in range(512):
            i, j, k = blocks[n, 0] * 8 + (slot >> 6), blocks[n, 1] * 8 + (slot >> 3 & 7), blocks[n, 2] * 8 + (slot & 7)
            if i >= shape[0] or j >= shape[1] or k >= shape[2] or not corners(index, values, i, j, k, v):
                continue
            error = np.float32(np.inf)
            if corners(coarse_index, coarse_values, i >> 1, j >> 1, k >> 1, p):
                error = np.float32(0)
                for a in range(2):
                    for b in range(2):
                        for c in range(2):
                            guess = interpolated(p, (i & 1) + a, (j & 1) + b, (k & 1) + c)
                            error = max(error, abs(v[a, b, c] - guess))
            if count == capacity:
                capacity *= 2
                more_cells, more_errors = np.empty((capacity, 3), np.int32), np.empty(capacity, np.float32)
                more_cells[:count], more_errors[:count] = cells, errors
                cells, errors = more_cells, more_errors
            cells[count, 0], cells[count, 1], cells[count, 2] = i, j, k
            errors[count] = error
            count += 1
    return cells[:count].copy(), errors[:count].copy()


@jit
def observed_errors(index, values, cells, coarse_index, coarse_values):
    """How far (M,) interpolation within each coarse cell is off at the fine points known so far."""
    p = np.empty((2, 2, 2), np.float32)
    errors = np.zeros(len(cells), np.float32)
    for n in range(len(cells)):
        i, j, k = cells[n, 0], cells[n, 1], cells[n, 2]
        corners(coarse_index, coarse_values, i, j, k, p)
        for a in range(3):
            for b in range(3):
                for c in range(3):
                    value = get(index, values, 2 * i + a, 2 * j + b, 2 * k + c)
                    if not np.isnan(value):
                        errors[n] = max(errors[n], abs(value - interpolated(p, a, b, c)))
    return errors


@jit
def children_near_surface(coarse_index, coarse_values, cells, bounds, reach, index, values, shape):
    """A mask (M,) uint8 of the children of each coarse cell that the surface may pass through.

    A child is out where interpolation, off by at most the cell's bound, leaves its corners one
    sign, or where a coarse corner is farther from the surface than the child's farthest point:
    the field changes by at most `reach` over the side of a child.
    """
    p = np.empty((2, 2, 2), np.float32)
    masks = np.zeros(len(cells), np.uint8)
    for n in range(len(cells)):
        i, j, k = cells[n, 0], cells[n, 1], cells[n, 2]
        corners(coarse_index, coarse_values, i, j, k, p)
        for child in range(8):
            x, y, z = child >> 2, child >> 1 & 1, child & 1
            if 2 * i + x >= shape[0] or 2 * j + y >= shape[1] or 2 * k + z >= shape[2]:
                continue
            low, high = np.float32(np.inf), np.float32(-np.inf)
            out_of_reach = False
            for a in range(2):
                for b in range(2):
                    for c in range(2):
                        far = 3 + 3 * ((a != x) + (b != y) + (c != z))
                        out_of_reach |= p[a, b, c] * p[a, b, c] > reach * reach * far
                        value = get(index, values, 2 * i + x + a, 2 * j + y + b, 2 * k + z + c)
                        if np.isnan(value):
                            guess = interpolated(p, x + a, y + b, z + c)
                            low, high = min(low, guess - bounds[n]), max(high, guess + bounds[n])
                        else:
                            low, high = min(low, value), max(high, value)
            if low <= 0 < high and not out_of_reach:
                masks[n] |= np.uint8(1 << child)
    return masks


@jit
def touch_children(cells, masks, needed):
    """Mark the blocks that the corners of the chosen children lie in."""
    for n in range(len(cells)):
        for child in range(8):
            if masks[n] >> child & 1:
                i = 2 * cells[n, 0] + (child >> 2)
                j = 2 * cells[n, 1] + (child >> 1 & 1)
                k = 2 * cells[n, 2] + (child & 1)
                for corner in range(8):
                    needed[
                        (i + (corner >> 2)) >> 3, (j + (corner >> 1 & 1)) >> 3, (k + (corner & 1)) >> 3
                    ] = True


@jit
def want_children(cells, masks, coarse_index, coarse_values, index, values, wanted):
    """Ask for the corners of the chosen children; those of the coarse lattice are copied from there."""
    for n in range(len(cells)):
        for child in range(8):
            if masks[n] >> child & 1:
                for corner in range(8):
                    i = 2 * cells[n, 0] + (child >> 2) + (corner >> 2)
                    j = 2 * cells[n, 1] + (child >> 1 & 1) + (corner >> 1 & 1)
                    k = 2 * cells[n, 2] + (child & 1) + (corner & 1)
                    if (i | j | k) & 1 == 0:
                        slot = (i & 7) << 6 | (j & 7) << 3 | (k & 7)
                        value = get(coarse_index, coarse_values, i >> 1, j >> 1, k >> 1)
                        values[index[i >> 3, j >> 3, k >> 3], slot] = value
                    else:
                        want(index, values, wanted, i, j, k)


@jit
def open_edges(index, values, blocks, shape):
    """Unknown points (N, 3) of cells around an edge whose two ends have different signs; with repeats."""
    capacity = 1024
    points = np.empty((capacity, 3), np.int32)
    count = 0
    for n in range(len(blocks)):
        for slot in range(512):
            i, j, k = blocks[n, 0] * 8 + (slot >> 6), blocks[n, 1] * 8 + (slot >> 3 & 7), blocks[n, 2] * 8 + (slot & 7)
            if i > shape[0] or j > shape[1] or k > shape[2]:
                continue
            value = get(index, values, i, j, k)
            if np.isnan(value):
                continue
            for axis in range(3):
                di, dj, dk = int(axis == 0), int(axis == 1), int(axis == 2)
                if i + di > shape[0] or j + dj > shape[1] or k + dk > shape[2]:
                    continue
                other = get(index, values, i + di, j + dj, k + dk)
                if np.isnan(other) or (value <= 0) == (other <= 0):
                    continue
                for x in range(max(0, i - 1 + di), min(shape[0], i + 1) + 1):
                    for y in range(max(0, j - 1 + dj), min(shape[1], j + 1) + 1):
                        for z in range(max(0, k - 1 + dk), min(shape[2], k + 1) + 1):
                            if np.isnan(get(index, values, x, y, z)):
                                if count == capacity:
                                    capacity *= 2
                                    more = np.empty((capacity, 3), np.int32)
                                    more[:count] = points
                                    points = more
                                points[count, 0], points[count, 1], points[count, 2] = x, y, z
                                count += 1
    return points[:count].copy()


@jit
def want_points(points, index, values, wanted):
    """Ask for points (N, 3) of allocated blocks."""
    for n in range(len(points)):
        want(index, values, wanted, points[n, 0], points[n, 1], points[n, 2])
