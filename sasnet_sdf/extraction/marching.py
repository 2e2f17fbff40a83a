"""scikit-image's marching cubes, block by block, welded by the lattice edge that a vertex lies on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from ..geometry import Array
from .blocks import SIDE, SparseValues, get, jit

ENDS = 1e-3
"""Share of an edge that a vertex keeps from its ends, so that no two vertices fall together."""

TILE = 32
"""Cells along the side of the cube that goes to scikit-image at once."""

NUDGE = 1e-5
"""Values nearer to zero, in units of the largest at a corner of a crossed cell, are moved there.

A vertex then lies clearly inside its edge even in scikit-image's float32 coordinates, so that the
edge can be told from them. Its place on the edge is computed again from the true values.
"""


def march(values: SparseValues, cells: NDArray[np.int32]) -> tuple[Array, NDArray[np.int64]]:
    """The zero level over cells (M, 3) with known corners: vertices (V, 3) in lattice coordinates, faces.

    Triangles run counter-clockwise seen from where the field is positive. No vertex stands twice.
    """
    scale, crossed = _crossed(values.index, values.values, cells)
    cells = cells[crossed]
    tiles, order, starts = _by_tile(cells)
    keys, positions, faces, count = [], [], [], 0
    volume, mask = np.empty((TILE + 1,) * 3, np.float32), np.empty((TILE + 1,) * 3, np.bool_)
    for tile, start, end in zip(tiles, starts, [*starts[1:], len(order)], strict=True):
        corner = tile * TILE
        volume.fill(1)
        mask.fill(False)
        _load(values.index, values.values, cells[order[start:end]], corner, scale, NUDGE, volume, mask)
        local, triangles, _, _ = marching_cubes(volume, 0.0, mask=mask)
        keys.append(_keys(values.index.shape, local, corner))
        positions.append(local.astype(np.float64) + corner)
        faces.append(triangles.astype(np.int64) + count)
        count += len(local)
    key = np.concatenate(keys) if keys else np.empty(0, np.int64)
    key, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    vertices = np.concatenate(positions)[first] if keys else np.empty((0, 3))
    _place_on_edges(values.index, values.values, key, ENDS, vertices)
    return vertices, inverse[np.concatenate(faces)] if faces else np.empty((0, 3), np.int64)


def _by_tile(cells: NDArray[np.int32]) -> tuple[NDArray, NDArray, NDArray]:
    """The tiles (T, 3) that hold cells, an order of the cells by tile, and where each tile starts in it."""
    if not len(cells):
        return np.empty((0, 3), np.int64), np.empty(0, np.int64), np.empty(0, np.int64)
    tile = cells.astype(np.int64) // TILE
    counts = tile.max(0) + 1
    number = np.ravel_multi_index(tuple(tile.T), tuple(counts))
    order = np.argsort(number, kind="stable")
    numbers, starts = np.unique(number[order], return_index=True)
    return np.stack(np.unravel_index(numbers, tuple(counts)), 1), order, starts


def _keys(blocks: tuple[int, ...], local: Array, corner: NDArray) -> NDArray[np.int64]:
    """What tells a vertex: the lattice point below it and the axis it is off by, 3 inside a cell.

    Points are numbered block by block, so that vertices in the order of keys are near each other.
    """
    below = np.floor(local).astype(np.int64)
    off = local != below
    axis = np.where(off.sum(1) > 1, 3, off.argmax(1))
    point = below + corner
    block = np.ravel_multi_index(tuple((point // SIDE).T), blocks)
    slot = point % SIDE @ np.array([SIDE * SIDE, SIDE, 1])
    return (block * SIDE**3 + slot) * 4 + axis


@jit
def _crossed(index, values, cells):
    """The largest value at a corner of a cell whose corners have both signs, and which cells do."""
    crossed = np.zeros(len(cells), np.bool_)
    largest = np.float32(0)
    for n in range(len(cells)):
        inside, here = 0, np.float32(0)
        for corner in range(8):
            i, j, k = cells[n, 0] + (corner >> 2), cells[n, 1] + (corner >> 1 & 1), cells[n, 2] + (corner & 1)
            value = get(index, values, i, j, k)
            inside += value <= 0
            here = max(here, abs(value))
        if 0 < inside < 8:
            crossed[n] = True
            largest = max(largest, here)
    return largest, crossed


@jit
def _load(index, values, cells, corner, scale, nudge, volume, mask):
    """A tile's volume, in units of `scale` and off zero, and scikit-image's mask: the cells' last corners."""
    for n in range(len(cells)):
        i, j, k = cells[n, 0] - corner[0], cells[n, 1] - corner[1], cells[n, 2] - corner[2]
        mask[i + 1, j + 1, k + 1] = True
        for a in range(2):
            for b in range(2):
                for c in range(2):
                    value = get(index, values, cells[n, 0] + a, cells[n, 1] + b, cells[n, 2] + c) / scale
                    if abs(value) < nudge:
                        value = nudge if value > 0 else -nudge
                    volume[i + a, j + b, k + c] = value


@jit
def _place_on_edges(index, values, keys, ends, vertices):
    """Move vertices to the zero of linear interpolation along their edge, in float64."""
    for n in range(len(keys)):
        axis = keys[n] & 3
        if axis == 3:
            continue
        i, j, k = int(vertices[n, 0]), int(vertices[n, 1]), int(vertices[n, 2])
        start = np.float64(get(index, values, i, j, k))
        end = np.float64(get(index, values, i + (axis == 0), j + (axis == 1), k + (axis == 2)))
        vertices[n, axis] = np.floor(vertices[n, axis]) + min(max(start / (start - end), ends), 1 - ends)
