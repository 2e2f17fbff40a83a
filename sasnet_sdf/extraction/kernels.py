"""The loops of the descent from one lattice to the next finer one.

A coarse cell (i, j, k) has eight children; child (a, b, c) is the fine cell (2i+a, 2j+b, 2k+c) and
bit 4a+2b+c of a mask. Values on a lattice are SparseValues' (index, values).
"""

from __future__ import annotations

import numpy as np

from .blocks import get, jit, set_value, want


@jit
def point_at(blocks, n, slot):
    """The lattice coordinates of a slot of the n-th block."""
    return blocks[n, 0] * 8 + (slot >> 6), blocks[n, 1] * 8 + (slot >> 3 & 7), blocks[n, 2] * 8 + (slot & 7)


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
def steepest_edge(v):
    """The largest change of the field along an edge of a cell."""
    change = np.float32(0)
    for a in range(2):
        for b in range(2):
            change = max(change, abs(v[1, a, b] - v[0, a, b]))
            change = max(change, abs(v[a, 1, b] - v[a, 0, b]))
            change = max(change, abs(v[a, b, 1] - v[a, b, 0]))
    return change


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
def cells_are_known(index, values, blocks, shape):
    """Which cells (B, 512) of the blocks (B, 3) lie in the lattice and have eight known corners."""
    v = np.empty((2, 2, 2), np.float32)
    known = np.zeros((len(blocks), 512), np.bool_)
    for n in range(len(blocks)):
        for slot in range(512):
            i, j, k = point_at(blocks, n, slot)
            if i < shape[0] and j < shape[1] and k < shape[2]:
                known[n, slot] = corners(index, values, i, j, k, v)
    return known


@jit
def errors_of_parents(index, values, cells, coarse_index, coarse_values):
    """How far (M,) interpolation within a cell's parent is off at its corners; infinite where unknown."""
    p = np.empty((2, 2, 2), np.float32)
    errors = np.full(len(cells), np.inf, np.float32)
    for n in range(len(cells)):
        i, j, k = cells[n, 0], cells[n, 1], cells[n, 2]
        if corners(coarse_index, coarse_values, i >> 1, j >> 1, k >> 1, p):
            errors[n] = 0
            for a in range(2):
                for b in range(2):
                    for c in range(2):
                        guess = interpolated(p, (i & 1) + a, (j & 1) + b, (k & 1) + c)
                        errors[n] = max(errors[n], abs(get(index, values, i + a, j + b, k + c) - guess))
    return errors


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
def want_children(cells, masks, settled, coarse_index, coarse_values, index, values, wanted):
    """Ask for the corners of the chosen children; those of the coarse lattice are copied from there.

    Not asked for are those whose interpolated value is beyond `settled` (M,) plus the change of the
    field along an edge: neither their sign nor that of their neighbours can then be in doubt.
    """
    p = np.empty((2, 2, 2), np.float32)
    for n in range(len(cells)):
        if masks[n] == 0:
            continue
        corners(coarse_index, coarse_values, cells[n, 0], cells[n, 1], cells[n, 2], p)
        enough = settled[n] + np.float32(0.5) * steepest_edge(p)
        for child in range(8):
            if masks[n] >> child & 1:
                for corner in range(8):
                    x = (child >> 2) + (corner >> 2)
                    y = (child >> 1 & 1) + (corner >> 1 & 1)
                    z = (child & 1) + (corner & 1)
                    i, j, k = 2 * cells[n, 0] + x, 2 * cells[n, 1] + y, 2 * cells[n, 2] + z
                    if (x | y | z) & 1 == 0:
                        set_value(index, values, i, j, k, p[x >> 1, y >> 1, z >> 1])
                    elif abs(interpolated(p, x, y, z)) <= enough:
                        want(index, values, wanted, i, j, k)


@jit
def assume_children(cells, masks, coarse_index, coarse_values, index, values, assumed):
    """Set the corners of the chosen children that nobody asked for to their interpolated values."""
    p = np.empty((2, 2, 2), np.float32)
    for n in range(len(cells)):
        if masks[n] == 0:
            continue
        corners(coarse_index, coarse_values, cells[n, 0], cells[n, 1], cells[n, 2], p)
        for child in range(8):
            if masks[n] >> child & 1:
                for corner in range(8):
                    x = (child >> 2) + (corner >> 2)
                    y = (child >> 1 & 1) + (corner >> 1 & 1)
                    z = (child & 1) + (corner & 1)
                    i, j, k = 2 * cells[n, 0] + x, 2 * cells[n, 1] + y, 2 * cells[n, 2] + z
                    if np.isnan(get(index, values, i, j, k)):
                        set_value(index, values, i, j, k, interpolated(p, x, y, z))
                        set_value(index, assumed, i, j, k, True)


@jit
def want_assumed(index, values, assumed, wanted, blocks, shape):
    """Ask for assumed values beside one of the other sign: the surface would cross the edge between."""
    for n in range(len(blocks)):
        row = index[blocks[n, 0], blocks[n, 1], blocks[n, 2]]
        for slot in range(512):
            if not assumed[row, slot]:
                continue
            i, j, k = point_at(blocks, n, slot)
            for axis in range(3):
                for step in (-1, 1):
                    p, q, r = i + step * (axis == 0), j + step * (axis == 1), k + step * (axis == 2)
                    if min(p, q, r) < 0 or p > shape[0] or q > shape[1] or r > shape[2]:
                        continue
                    other = get(index, values, p, q, r)
                    if not np.isnan(other) and (other <= 0) != (values[row, slot] <= 0):
                        wanted[row, slot] = True


@jit
def unknown_beside_surface(index, values, blocks, shape):
    """Unknown points (N, 3), with repeats, of the cells around edges whose two ends differ in sign."""
    points, count = np.empty((0, 3), np.int32), 0
    for sweep in range(2):  # the first only counts
        if sweep == 1:
            points, count = np.empty((count, 3), np.int32), 0
        for n in range(len(blocks)):
            for slot in range(512):
                i, j, k = point_at(blocks, n, slot)
                value = get(index, values, i, j, k)
                if np.isnan(value):
                    continue
                for axis in range(3):
                    p, q, r = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    if p > shape[0] or q > shape[1] or r > shape[2]:
                        continue
                    other = get(index, values, p, q, r)
                    if np.isnan(other) or (value <= 0) == (other <= 0):
                        continue
                    for x in range(max(0, p - 1), min(shape[0], i + 1) + 1):
                        for y in range(max(0, q - 1), min(shape[1], j + 1) + 1):
                            for z in range(max(0, r - 1), min(shape[2], k + 1) + 1):
                                if np.isnan(get(index, values, x, y, z)):
                                    if sweep == 1:
                                        points[count, 0], points[count, 1], points[count, 2] = x, y, z
                                    count += 1
    return points


@jit
def want_points(points, index, values, wanted):
    """Ask for points (N, 3) of allocated blocks."""
    for n in range(len(points)):
        want(index, values, wanted, points[n, 0], points[n, 1], points[n, 2])
