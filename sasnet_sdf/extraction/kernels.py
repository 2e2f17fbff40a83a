"""Compiled loops of the descent from a lattice to the next finer one, over coarse cells or fine blocks.

Corner (a, b, c) of a cell, a to c in {0, 1}, is number 4a + 2b + c, and so is child (a, b, c): the
fine cell (2i + a, 2j + b, 2k + c) of the coarse cell (i, j, k). Fine point (2i + x, 2j + y, 2k + z),
x to z in {0, 1, 2}, is number 9x + 3y + z.

Coarse cells (M, 3) come with the values (M, 8) at their corners. index, values, assumed and wanted are
those of the fine lattice's SparseValues.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..runtime.compiled import kernel
from .lattice import get, jit

CORNERS = np.indices((2, 2, 2)).reshape(3, -1).T.astype(np.int32)
"""The offsets (8, 3) of a cell's corners."""

POINTS = np.indices((3, 3, 3)).reshape(3, -1).T.astype(np.int32)
"""The offsets (27, 3) of a coarse cell's fine points."""

WEIGHTS = (1 - np.abs(POINTS / 2 - CORNERS[:, None])).prod(2).astype(np.float32)
"""The weight (8, 27) of each corner in trilinear interpolation at each point."""

CHILD_POINTS = ((CORNERS[:, None] + CORNERS) @ [9, 3, 1]).astype(np.int32)
"""The point (8, 8) at each corner of each child."""

CORNER_OF_POINT = np.where((POINTS % 2 == 0).all(1), POINTS // 2 @ [4, 2, 1], -1).astype(np.int32)
"""The corner (27,) of the coarse cell at each point, or -1."""

FARTHEST = (3 + 3 * (CORNERS[:, None] != CORNERS).sum(2)).astype(np.float32)
"""The squared distance (8, 8) from each coarse corner to each child's farthest point, in child sides."""


def mixed_signs(corners: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which cells (M,) the surface crosses, from values (M, 8) at their corners; zero counts as inside."""
    inside = np.packbits(corners <= 0, axis=1)[:, 0]
    return (inside != 0) & (inside != 255)


@jit
def _interpolate(corners, guess):
    """Trilinear interpolation (27,) at the fine points of a cell, from its corners (8,)."""
    guess[:] = 0
    for c in range(8):
        for q in range(27):
            guess[q] += WEIGHTS[c, q] * corners[c]


@kernel
def survey(start, stop, cells, corners, bounds, margin, reach, shape, index, values, assumed, masks, needed):
    """Choose the children (bits of masks (M,) uint8) that the surface may pass through.

    A child is ruled out if interpolation, within the cell's error bound, gives all its corners the same
    sign, or if a coarse corner is farther from the surface than from the child's farthest point:
    the field changes by at most `reach` over the side of a child. A bound (M,) that the error at known fine
    values exceeds is raised to `margin` times that error. needed: filled with the blocks of chosen children.
    """
    guess = np.empty(27, np.float32)
    fine = np.empty(27, np.float32)
    for n in range(start, stop):
        i, j, k = 2 * cells[n, 0], 2 * cells[n, 1], 2 * cells[n, 2]
        _interpolate(corners[n], guess)
        worst, lowest, highest = np.float32(0), np.float32(np.inf), np.float32(-np.inf)
        for q in range(27):
            x, y, z = i + POINTS[q, 0], j + POINTS[q, 1], k + POINTS[q, 2]
            fine[q] = np.nan
            row = index[x >> 3, y >> 3, z >> 3]
            slot = (x & 7) << 6 | (y & 7) << 3 | (z & 7)
            if row >= 0 and not assumed[row, slot]:
                fine[q] = values[row, slot]
                if not np.isnan(fine[q]):
                    worst = max(worst, abs(fine[q] - guess[q]))
            lowest, highest = min(lowest, guess[q]), max(highest, guess[q])
        if worst > bounds[n]:
            bounds[n] = margin * worst
        masks[n] = 0
        if lowest - max(worst, bounds[n]) > 0 or highest + max(worst, bounds[n]) <= 0:
            continue
        for child in range(8):
            x, y, z = i + (child >> 2), j + (child >> 1 & 1), k + (child & 1)
            if x >= shape[0] or y >= shape[1] or z >= shape[2]:
                continue
            low, high = np.float32(np.inf), np.float32(-np.inf)
            for c in range(8):
                q = CHILD_POINTS[child, c]
                if np.isnan(fine[q]):
                    low, high = min(low, guess[q] - bounds[n]), max(high, guess[q] + bounds[n])
                else:
                    low, high = min(low, fine[q]), max(high, fine[q])
            reachable = low <= 0 < high
            for c in range(8):
                reachable &= corners[n, c] * corners[n, c] <= reach * reach * FARTHEST[child, c]
            if reachable:
                masks[n] |= np.uint8(1 << child)
                for c in range(8):
                    p, q, r = x + (c >> 2), y + (c >> 1 & 1), z + (c & 1)
                    needed[p >> 3, q >> 3, r >> 3] = True


@jit
def ask(cells, corners, masks, doubt, index, values, assumed, wanted):
    """Set the values at the corners of the chosen children, or mark them as wanted.

    Values of the coarse lattice are copied. Where the interpolated value is farther from zero than `doubt`
    (M,), its sign is certain and the value is assumed; `follow` marks it if the surface passes next to it.
    """
    guess = np.empty(27, np.float32)
    for n in range(len(cells)):
        if masks[n] == 0:
            continue
        i, j, k = 2 * cells[n, 0], 2 * cells[n, 1], 2 * cells[n, 2]
        _interpolate(corners[n], guess)
        for child in range(8):
            if masks[n] >> child & 1 == 0:
                continue
            for c in range(8):
                q = CHILD_POINTS[child, c]
                x, y, z = i + POINTS[q, 0], j + POINTS[q, 1], k + POINTS[q, 2]
                row = index[x >> 3, y >> 3, z >> 3]
                slot = (x & 7) << 6 | (y & 7) << 3 | (z & 7)
                unknown = np.isnan(values[row, slot])
                if CORNER_OF_POINT[q] >= 0:
                    values[row, slot] = corners[n, CORNER_OF_POINT[q]]
                elif abs(guess[q]) <= doubt[n]:
                    wanted[row, slot] |= unknown or assumed[row, slot]
                elif unknown:
                    values[row, slot] = guess[q]
                    assumed[row, slot] = True


@jit
def mark_parents(points, index, number, found):
    """Mark in found (M,) the coarse cells that contain fine points (N, 3), inside or on a side.

    number (rows, 512): the index of the coarse cell that starts at each point of the lattice, or -1.
    """
    for n in range(len(points)):
        for c in range(8):
            i = (points[n, 0] - (c >> 2)) >> 1
            j = (points[n, 1] - (c >> 1 & 1)) >> 1
            k = (points[n, 2] - (c & 1)) >> 1
            if i < 0 or j < 0 or k < 0:
                continue
            row = index[i >> 3, j >> 3, k >> 3]
            if row >= 0:
                cell = number[row, (i & 7) << 6 | (j & 7) << 3 | (k & 7)]
                if cell >= 0:
                    found[cell] = True


@jit
def follow(places, shape, index, values, assumed, wanted, lost):
    """Mark as wanted the assumed ends of edges that change sign, and collect unknown points around them.

    lost: (K, 3), filled with up to K unknown corners of the cells around such edges, with repeats. Returns
    their number.
    """
    count = 0
    for n in range(len(places)):
        for slot in range(512):
            value = values[n, slot]
            if np.isnan(value):
                continue
            i = places[n, 0] * 8 + (slot >> 6)
            j = places[n, 1] * 8 + (slot >> 3 & 7)
            k = places[n, 2] * 8 + (slot & 7)
            for axis in range(3):
                p, q, r = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                if p > shape[0] or q > shape[1] or r > shape[2]:
                    continue
                other = get(index, values, p, q, r)
                if np.isnan(other) or (value <= 0) == (other <= 0):
                    continue
                wanted[n, slot] |= assumed[n, slot]
                row, end = index[p >> 3, q >> 3, r >> 3], (p & 7) << 6 | (q & 7) << 3 | (r & 7)
                wanted[row, end] |= assumed[row, end]
                for x in range(max(0, p - 1), min(shape[0], i + 1) + 1):
                    for y in range(max(0, q - 1), min(shape[1], j + 1) + 1):
                        for z in range(max(0, r - 1), min(shape[2], k + 1) + 1):
                            if count < len(lost) and np.isnan(get(index, values, x, y, z)):
                                lost[count, 0], lost[count, 1], lost[count, 2] = x, y, z
                                count += 1
    return count


@jit
def known_cells(places, shape, index, values, known):
    """Fill known (B, 512): whether a cell of the blocks (B, 3) is in the lattice with eight known corners."""
    for n in range(len(places)):
        for slot in range(512):
            i = places[n, 0] * 8 + (slot >> 6)
            j = places[n, 1] * 8 + (slot >> 3 & 7)
            k = places[n, 2] * 8 + (slot & 7)
            here = i < shape[0] and j < shape[1] and k < shape[2]
            for c in range(8):
                here = here and not np.isnan(get(index, values, i + (c >> 2), j + (c >> 1 & 1), k + (c & 1)))
            known[n, slot] = here
