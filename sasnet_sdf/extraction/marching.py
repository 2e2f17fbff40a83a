"""Marching cubes on sparse values: by scikit-image in cubes, welded by the edges that vertices lie on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from ..geometry import Array
from ..runtime.progress import steps, tick
from .kernels import mixed_signs
from .lattice import SIDE, SparseValues

ENDS = 1e-3
"""Least distance of a vertex from the ends of its edge, as a share of the edge: no two vertices coincide."""

TILE = 32
"""Cells along the side of the cube that scikit-image processes at once; whole blocks."""

PART = 1 << 16
"""Cells or vertices that are processed together."""

NUDGE = 1e-5
"""Least magnitude of a value, in units of about the largest value at a corner of a crossed cell.

This keeps each vertex clearly inside its edge even in scikit-image's float32 coordinates, which therefore
identify the edge. The position on the edge is recomputed from the true values.
"""


def march(
    values: SparseValues, cells: NDArray[np.int32]
) -> tuple[Array, NDArray[np.int64], NDArray[np.int64]]:
    """The zero level in cells (M, 3) with known corners: vertices (V, 3) in lattice coordinates, and faces.

    Triangles run counter-clockwise seen from where the field is positive. No vertex occurs twice. Also
    returns the key (V,) of each vertex (`place_of`).
    """
    step = steps()
    step(0.2)
    scale, cells = _crossed(values, cells)
    if not len(cells):
        return np.empty((0, 3)), np.empty((0, 3), np.int64), np.empty(0, np.int64)
    tiles, order, starts = _by_tile(cells)
    keys, faces, centers, count = [], [], [], 0
    mask = np.empty((TILE + 1,) * 3, np.bool_)
    step(0.5)
    for tile, start, end in zip(tiles, starts, [*starts[1:], len(order)], strict=True):
        tick(end / len(order))
        corner = tile * TILE
        mask.fill(False)
        mask[tuple((cells[order[start:end]] - corner + 1).T)] = True
        local, triangles, _, _ = marching_cubes(_volume(values, tile, scale), 0.0, mask=mask)
        key, inside = _keys(values.index.shape, local, corner)
        keys.append(key)
        centers.append((key[inside], local[inside].astype(np.float64) + corner))
        faces.append(triangles.astype(np.int32) + np.int32(count))
        count += len(local)
    step(1.0)
    key, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    del keys
    vertices = _on_edges(values, key)
    for inner, positions in centers:
        vertices[np.searchsorted(key, inner)] = positions
    return vertices, _renumbered(inverse, faces), key


def _crossed(values: SparseValues, cells: NDArray[np.int32]) -> tuple[np.float32, NDArray[np.int32]]:
    """The unit for the values, and the cells whose corners have both signs.

    The unit is the next power of two above the values at those corners. Scaling is needed because
    scikit-image compares products of values with a constant; a power of two does not change their rounding.
    """
    crossed, largest = [cells[:0]], np.float32(0)
    for start in range(0, len(cells), PART):
        part = cells[start : start + PART]
        corners = values.corners(part)
        mixed = mixed_signs(corners)
        crossed.append(part[mixed])
        largest = max(largest, np.abs(corners[mixed]).max(initial=0))
    return np.ldexp(np.float32(1), np.frexp(largest)[1]), np.concatenate(crossed)


def _by_tile(cells: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The tiles (T, 3) that hold cells, an order of the cells by tile, and where each tile starts in it."""
    tile = cells // TILE
    counts = tile.max(0) + 1
    number = np.asarray(np.ravel_multi_index(tuple(tile.T), tuple(counts)))
    order = np.argsort(number, kind="stable")
    numbers, starts = np.unique(number[order], return_index=True)
    return np.stack(np.unravel_index(numbers, tuple(counts)), 1), order, starts


def _volume(values: SparseValues, tile: NDArray[Any], scale: np.float32) -> Array:
    """The values (TILE + 1)^3 float32 at a tile's corners over `scale`, never zero; 1 where unknown."""
    side = TILE // SIDE + 1
    i, j, k = (int(n) * TILE // SIDE for n in tile)
    rows = values.index[i : i + side, j : j + side, k : k + side]
    blocks = np.ones((side, SIDE, side, SIDE, side, SIDE), np.float32)
    a, b, c = np.nonzero(rows >= 0)
    here = values.values[rows[a, b, c]].reshape(-1, SIDE, SIDE, SIDE) / scale
    here[np.isnan(here)] = 1
    near = np.abs(here) < NUDGE
    here[near] = np.where(here[near] > 0, np.float32(NUDGE), np.float32(-NUDGE))
    blocks[a, :, b, :, c, :] = here
    return np.ascontiguousarray(blocks.reshape((side * SIDE,) * 3)[: TILE + 1, : TILE + 1, : TILE + 1])


def _keys(
    blocks: tuple[int, ...], local: Array, corner: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The keys of vertices, and which vertices are inside a cell.

    A key combines the lattice point below the vertex with the axis of its edge, or 3 inside a cell.
    Points are numbered block by block, so that vertices in the order of keys are near each other.
    """
    below = np.floor(local).astype(np.int64)
    off = local != below
    inside = off.sum(1) > 1
    axis = np.where(inside, 3, off.argmax(1))
    point = below + corner
    block = np.ravel_multi_index(tuple((point // SIDE).T), blocks)
    slot = point % SIDE @ np.array([SIDE * SIDE, SIDE, 1])
    return (block * SIDE**3 + slot) * 4 + axis, inside


def place_of(keys: NDArray[np.int64], blocks: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The lattice point (K, 3) below each vertex, and the axis (K,) of its edge, or 3 inside a cell."""
    axis, slot = keys & 3, keys >> 2 & SIDE**3 - 1
    block = np.stack(np.unravel_index(keys >> 11, blocks), 1)
    return block * SIDE + np.stack([slot >> 6, slot >> 3 & 7, slot & 7], 1), axis


def _on_edges(values: SparseValues, keys: NDArray[np.int64]) -> Array:
    """The zeros (V, 3) of linear interpolation along the edges that keys (V,) identify, in float64."""
    vertices = np.empty((len(keys), 3))
    for start in range(0, len(keys), PART):
        part = keys[start : start + PART]
        point, axis = place_of(part, values.index.shape)
        corners = values.corners(point.astype(np.int32)).astype(np.float64)
        n = np.arange(len(part))
        first, last = corners[:, 0], corners[n, 4 >> axis.clip(max=2)]
        edge = axis < 3
        share = np.divide(first, first - last, out=np.zeros(len(part)), where=edge)
        vertices[start : start + PART] = point
        vertices[start + n[edge], axis[edge]] += share[edge].clip(ENDS, 1 - ENDS)
    return vertices


def _renumbered(number: NDArray[np.int64], faces: list[NDArray[np.int32]]) -> NDArray[np.int64]:
    """All faces (F, 3) with the numbers (N,) of their vertices; empties the list."""
    out = np.empty((sum(map(len, faces)), 3), np.int64)
    end = len(out)
    while faces:
        part = faces.pop()
        out[end - len(part) : end] = number[part]
        end -= len(part)
    return out
