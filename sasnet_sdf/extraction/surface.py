"""The surface of a field: marching cubes on the lattice, and a Newton step onto the zero level set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from ..errors import NoSurface
from ..geometry import Array
from ..mesh import folded
from ..runtime.memory import SurfaceMemory
from ..runtime.progress import pieces, steps, tick
from .creases import sharpen
from .descent import CHUNK, GradientField, ValueField, sample_near_surface
from .kernels import mixed_signs
from .lattice import SIDE, Lattice, SparseValues

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


def march(values: SparseValues, cells: NDArray[np.int32]) -> tuple[Array, NDArray[np.int64]]:
    """The zero level in cells (M, 3) with known corners: vertices (V, 3) in lattice coordinates, and faces.

    Triangles run counter-clockwise seen from where the field is positive. No vertex occurs twice.
    """
    step = steps()
    step(0.2)
    scale, cells = _crossed(values, cells)
    if not len(cells):
        return np.empty((0, 3)), np.empty((0, 3), np.int64)
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
    return vertices, _renumbered(inverse, faces)


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


def _on_edges(values: SparseValues, keys: NDArray[np.int64]) -> Array:
    """The zeros (V, 3) of linear interpolation along the edges that keys (V,) identify, in float64."""
    vertices = np.empty((len(keys), 3))
    for start in range(0, len(keys), PART):
        part = keys[start : start + PART]
        axis, slot = part & 3, part >> 2 & SIDE**3 - 1
        block = np.stack(np.unravel_index(part >> 11, values.index.shape), 1)
        point = block * SIDE + np.stack([slot >> 6, slot >> 3 & 7, slot & 7], 1)
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


GRADIENT_COST = 3
"""Number of evaluations that a value with its gradient counts as."""

NOISE = 40
"""Ratio of vertices to the square of the lattice's longest side in cells, above which a field counts as
noise; scans have 1 to 4."""

APART = 2.5e-4
"""Least distance between vertices, in cells: small compared with the error of a mesh, and large enough for
two vertices to differ in a file of single precision."""


@dataclass(frozen=True)
class Surface:
    """A triangle mesh in the unit cube, and the number of evaluations that it took.

    vertices: (V, 3) float64. faces: (F, 3) int64, counter-clockwise seen from outside. normals:
    (V, 3) float64 of unit length, along the field's gradient. evaluations: number of field evaluations; a
    value counts 1 and a gradient 3. lattice_evaluations: the part of them on the lattice.
    """

    vertices: Array
    faces: NDArray[np.int64]
    normals: Array
    evaluations: int
    lattice_evaluations: int


def extract_surface(
    field: ValueField,
    field_with_gradient: GradientField,
    lattice: Lattice,
    *,
    creases: bool = False,
    memory: SurfaceMemory = SurfaceMemory(),  # noqa: B008 - it is frozen
) -> Surface:
    """The zero level of a field inside the lattice; closed where the field's zero level is.

    field: points (N, 3) float64 in the unit cube -> values (N,), negative inside.
    field_with_gradient: points -> (values (N,), gradients (N, 3)). creases: put vertices on
    the sharp edges and corners of the field's surface (creases.py). memory: the memory limit, and what
    extraction and the field use of it. Raises NoSurface, and UsageError where the lattice needs more memory.
    """
    check_memory = memory.guard(lattice.resolution, lattice.blocks)
    check_memory(1, 0)

    step = steps()

    def on_level(stride: int, vertices: int) -> None:
        check_memory(stride, vertices)
        # a lattice with twice the cell size has a quarter of the vertices
        if vertices * stride**2 > NOISE * max(lattice.shape) ** 2:
            raise NoSurface(_NOISE)
        step(2.0 / stride**2, "sampling the field near its surface")

    step(0.01, "sampling the field")
    values, cells, sampler = sample_near_surface(field, lattice, on_level)
    step(0.6, "marching cubes")
    vertices, faces = march(values, cells)
    if not len(faces):
        raise NoSurface(_reason(sampler.lowest, sampler.highest))
    del values, cells
    # a triangle of marching cubes lies within its cell, and so does its center
    cells = np.floor(vertices[faces].mean(1)).astype(np.int64) if creases else None
    vertices = lattice.points(vertices)
    step(0.9, "moving vertices onto the surface")
    moved, normals = _refine(field_with_gradient, vertices, lattice.cell)
    vertices = _without_folds(vertices, _kept_apart(vertices, moved, lattice.cell), faces)
    if cells is not None:
        step(1.0, "looking for sharp edges")
        vertices, normals, faces = sharpen(field_with_gradient, vertices, normals, faces, cells, lattice)
    evaluations = sampler.evaluations + GRADIENT_COST * len(vertices)
    return Surface(vertices, faces, normals, evaluations, sampler.evaluations)


_NOISE = (
    "the field changes sign all over the lattice: it is noise, not a surface; "
    "use a lower learning rate or lower frequencies, or train for more steps"
)


def _reason(low: float, high: float) -> str:
    side = "positive (outside)" if low > 0 else "negative (inside)"
    return (
        f"the field has no surface: it is {side} all over the lattice, from {low:.3g} to {high:.3g}; "
        "train for more steps, or check the orientation of the normals"
    )


def _refine(field: GradientField, vertices: Array, cell: float) -> tuple[Array, Array]:
    """One Newton step p - f g / |g|^2 of at most half a cell, and unit normals g / |g|; both (V, 3)."""
    moved, normals = np.empty_like(vertices), np.empty_like(vertices)
    for part in pieces(len(vertices), CHUNK):
        values, gradients = field(vertices[part])
        gradients = np.asarray(gradients, np.float64)
        length = np.linalg.norm(gradients, axis=1)
        usable = np.isfinite(length) & (length > 1e-3 * np.median(length))
        length = np.where(usable, length, 1.0)[:, None]
        normals[part] = np.where(usable[:, None], gradients / length, 0.0)
        along = np.where(usable, np.asarray(values, np.float64).reshape(-1), 0.0)[:, None] / length
        moved[part] = vertices[part] - np.clip(along, -cell / 2, cell / 2) * normals[part]
    return moved, normals


def _kept_apart(before: Array, after: Array, cell: float) -> Array:
    """Separate vertices that moved to the same position; changes and returns `after` (V, 3).

    Many programs weld vertices at equal positions, which would make edges of four triangles here. At
    the edge of a box, two vertices may move to the same position along the normals of two faces. Each is then
    moved by the reverse of the other's step, shortened to APART cells, so that it stays on its own face.
    """
    # rounded coordinates of the three axes packed into one integer
    place = np.rint(after / (APART * cell)).astype(np.int64) @ np.array([1 << 42, 1 << 21, 1])
    order = np.argsort(place, kind="stable")
    same = np.flatnonzero(np.diff(place[order]) == 0)
    rows = order[np.union1d(same, same + 1)]
    if not len(rows):
        return after
    group = np.unique(place[rows], return_inverse=True)[1]
    step = before[rows] - after[rows]
    step *= APART * cell / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), APART * cell)
    total = np.zeros((int(group.max()) + 1, 3))
    np.add.at(total, group, step)
    after[rows] -= total[group] - step
    return after


def _without_folds(before: Array, after: Array, faces: NDArray[np.int64]) -> Array:
    """The moved vertices (V, 3); vertices of triangles that would turn over keep their old positions."""
    while True:
        kept = np.unique(faces[folded(before, after, faces)])
        kept = kept[(after[kept] != before[kept]).any(1)]
        if not len(kept):
            return after
        after[kept] = before[kept]
