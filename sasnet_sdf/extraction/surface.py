"""The surface of a field: marching cubes on the lattice, and a Newton step onto the zero level set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import NoSurface
from ..geometry import Array
from ..mesh import folded
from ..runtime.memory import SurfaceMemory
from ..runtime.progress import pieces, steps
from .creases import sharpen
from .descent import CHUNK, GradientField, Sampler, ValueField, sample_near_surface
from .lattice import Lattice, SparseValues
from .marching import march

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
    step = steps()
    step(0.6)
    values, cells, sampler = sampled(field, lattice, memory)
    step(0.7, "marching cubes")
    vertices, faces, _ = march(values, cells)
    if not len(faces):
        raise NoSurface(_reason(sampler.lowest, sampler.highest))
    del values, cells
    step(1.0)
    moved = onto_surface(field_with_gradient, vertices, faces, lattice, creases=creases)
    evaluations = sampler.evaluations + GRADIENT_COST * len(vertices)
    return Surface(moved.vertices, moved.faces, moved.normals, evaluations, sampler.evaluations)


def sampled(
    field: ValueField, lattice: Lattice, memory: SurfaceMemory
) -> tuple[SparseValues, NDArray[np.int32], Sampler]:
    """What `sample_near_surface` returns, within the memory. Raises NoSurface where the field is noise."""
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
    return sample_near_surface(field, lattice, on_level)


class Moved(NamedTuple):
    """A mesh on a field's surface: vertices and normals (V, 3), and faces (F, 3).

    cells: (F, 3) the lattice cell of each triangle, or None where nothing needed them. source: (V,) the given
    vertex that each vertex was; those on creases, which are new, have numbers beyond the given ones.
    """

    vertices: Array
    normals: Array
    faces: NDArray[np.int64]
    cells: NDArray[np.int64] | None
    source: NDArray[np.int64]


def onto_surface(
    field: GradientField,
    vertices: Array,
    faces: NDArray[np.int64],
    lattice: Lattice,
    *,
    creases: bool,
    part_of: Callable[[NDArray[np.int64]], NDArray[Any]] | None = None,
) -> Moved:
    """Move vertices (V, 3), in lattice coordinates, onto the surface of a field, and onto its creases.

    part_of: cells (F, 3) -> the part of the lattice that each is in; edges between two parts are not flipped.
    """
    step = steps()
    # a triangle of marching cubes lies within its cell, and so does its center
    needed = creases or part_of is not None
    cells = np.floor(vertices[faces].mean(1)).astype(np.int64) if needed else None
    vertices = lattice.points(vertices)
    step(0.75, "moving vertices onto the surface")
    moved, normals = _refine(field, vertices, lattice.cell)
    vertices = _without_folds(vertices, _kept_apart(vertices, moved, lattice.cell), faces)
    if creases and cells is not None:
        step(1.0, "looking for sharp edges")
        part = None if part_of is None else part_of(cells)
        return Moved(*sharpen(field, vertices, normals, faces, cells, lattice, part))
    return Moved(vertices, normals, faces, cells, np.arange(len(vertices)))


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
