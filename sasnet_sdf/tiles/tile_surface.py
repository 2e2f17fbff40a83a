"""The extraction of the surface in one tile: sampled, moved onto the data, marked where it is trimmed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extraction import Capped, Lattice, Refined, Support
from ..extraction.descent import GradientField, ValueField, put_known
from ..extraction.marching import march, place_of
from ..extraction.surface import onto_surface, sampled
from ..extraction.trim import SLACK, beyond_data
from ..field import Field
from ..geometry import Array, Frame, TriangleMesh
from ..mesh import at_boundary, compacted
from ..runtime.memory import SurfaceMemory
from ..supervision import CloudTarget
from .field import blended
from .plan import Plan
from .seams import NOBODY, Faces, known_before, numbers_of
from .tiling import Tile

WALL = 0.5
"""Cells between the border of the whole lattice and the walls that close what is open. The empty voxels at
the border may be one cell wide, so walls farther inside would cut off data; no lattice point is on a wall."""


@dataclass(frozen=True)
class Part:
    """A mesh in the unit cube. numbers: (V, 2) as in Seam. over: (V,) positive where it is trimmed."""

    vertices: Array
    normals: Array
    faces: NDArray[np.int64]
    numbers: NDArray[np.int64]
    over: Array


class TileSurface:
    """The extraction of one tile.

    frame: of its unit cube. target: what its points imply, and support: where they are, if it has any.
    """

    def __init__(
        self, plan: Plan, tile: Tile, frame: Frame, target: CloudTarget | None, support: Support | None
    ):
        self.plan, self.tile, self.frame, self.target, self.support = plan, tile, frame, target, support
        tiling = plan.tiling
        low, high = tiling.corners(tile)
        self.first, end = np.maximum(low - plan.halo, 0), np.minimum(high + plan.halo, tiling.shape)
        self.shape = end - self.first
        self.inner = low - self.first, high - self.first
        self.faces_of_box = Faces.of(tiling, tile)
        x, y, z = (int(n) for n in self.shape)
        self.lattice = Lattice(frame.to_unit(self._world(self.first)), tiling.cell / frame.scale, (x, y, z))
        self.filled = 0
        self.lattice_values: tuple[NDArray[np.int64], Array] = (np.empty((0, 3), np.int64), np.empty(0))

    def extracted(self) -> Part | None:
        """The part of the surface in the box, with `over`, by which it is to be trimmed; None: no surface."""
        values, gradients = self._fields()
        sparse, cells, sampler = sampled(values, self.lattice, SurfaceMemory())
        known = known_before(self.plan.scratch, self.plan.tiling, self.tile, self.first, self.shape)
        if len(known[0]):
            cells = put_known(sampler, sparse, known[0], known[1] / self.frame.scale)
        points, here = self.faces_of_box.known(sparse, self.first)
        self.lattice_values = points, here.astype(np.float64) * self.frame.scale
        coordinates, faces, keys = march(sparse, cells)
        blocks = sparse.index.shape
        del sparse
        if not len(faces):
            return None
        creases = self.target is not None and self.target.trust == 1.0 and self._refined
        moved = onto_surface(
            gradients, coordinates, faces, self.lattice, creases=creases, part_of=self._in_box
        )
        assert moved.cells is not None
        old = np.flatnonzero(moved.source < len(keys))
        numbers = np.full((len(moved.vertices), 2), NOBODY)
        below, axis = place_of(keys[moved.source[old]], blocks)
        shared = self.faces_of_box.hold(below + self.first, axis)
        numbers[old[shared], 0] = numbers_of(below[shared] + self.first, axis[shared])
        over = self._beyond(TriangleMesh(moved.vertices, moved.faces, moved.normals))
        inside = self._in_box(moved.cells) > 0
        used, faces = compacted(moved.faces[inside], len(moved.vertices))
        return Part(moved.vertices[used], moved.normals[used], faces, numbers[used], over[used])

    @property
    def _refined(self) -> bool:
        return self.plan.config.extraction.refine == "auto"

    def _world(self, points: Array) -> Array:
        """The world position of points of the whole lattice."""
        tiling = self.plan.tiling
        return tiling.origin + tiling.side * tiling.low + tiling.cell * points

    def _in_box(self, cells: NDArray[np.int64]) -> NDArray[Any]:
        """Whether cells (F, 3), relative to the first, are in the tile's box."""
        low, high = self.inner
        return np.asarray(((cells >= low) & (cells < high)).all(1))

    def _fields(self) -> tuple[ValueField, GradientField]:
        plan, frame = self.plan, self.frame
        tiling, reach = plan.tiling, plan.halo * plan.tiling.cell
        near = [self.tile, *tiling.overlapping(self.tile, reach)]
        field_of, coarse = cache(plan.field_of), cache(plan.coarse_field)

        def values(points: Array) -> Array:
            at = frame.to_world(points)
            return blended(tiling, near, field_of, coarse, _values, at)[0] / frame.scale

        def gradients(points: Array) -> tuple[Array, Array]:
            at = frame.to_world(points)
            found, slopes = blended(tiling, near, field_of, coarse, Field.network_gradient, at)
            return found / frame.scale, slopes

        field: tuple[ValueField, GradientField] = (values, gradients)
        if self.target is not None and self._refined:
            refined = Refined(*field, self.target.evidence, self.lattice.cell, self.target.trust)
            field = refined.distance, refined.gradient
        if plan.capped:
            walls = np.array([[WALL] * 3, plan.tiling.shape - WALL])
            low, high = frame.to_unit(self._world(walls))
            capped = Capped(*field, low, high, self.lattice.cell)
            field = capped.distance, capped.gradient
        return field

    def _beyond(self, mesh: TriangleMesh) -> Array:
        """The function (V,) that is positive where the surface is trimmed away."""
        nothing = np.full(len(mesh.vertices), -1.0)
        if not self.plan.trimmed:
            return nothing
        if self.support is None:
            return -nothing
        distance, spacing = self.support.distance(mesh.vertices)
        apart = np.flatnonzero(distance > spacing)
        distance[apart[self.support.against(mesh, apart)]] = np.inf
        trim = self.plan.config.extraction.trim
        if not isinstance(trim, str):
            limit = (1 - SLACK) * trim / self.frame.scale
            return np.minimum(distance - limit, 1e9)
        border = at_boundary(mesh.faces, len(mesh.vertices))
        ends = border & self.at_border(mesh.vertices)
        support = replace(self.support, usual=self.plan.spacing / self.frame.scale)
        found = beyond_data(mesh, distance, spacing, support, ends, solid=False, border=border & ~ends)
        self.filled = found.filled
        return found.over

    def at_border(self, vertices: Array) -> NDArray[np.bool_]:
        """Which vertices (V, 3) lie at the border of the whole lattice."""
        cells = (vertices - self.lattice.low) / self.lattice.cell + self.first
        return np.asarray(((cells < 1) | (cells > self.plan.tiling.shape - 1)).any(1))


def _values(field: Field, points: Array) -> tuple[Array]:
    return (field.network_distance(points),)
