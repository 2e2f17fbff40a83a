"""The surface inside the box of one tile, which fits those of its neighbors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NoSurface
from ..extraction import REACH, Blend, Capped, Lattice, Refined, Support
from ..extraction.attributes import blend
from ..extraction.descent import GradientField, ValueField, put_known
from ..extraction.marching import march, place_of
from ..extraction.surface import onto_surface, sampled
from ..extraction.trim import SLACK, beyond_data, clip
from ..field import Field
from ..geometry import Array, Frame, TriangleMesh
from ..mesh import areas, at_boundary, compacted
from ..problems.reconstruct import NEAR
from ..runtime.memory import SurfaceMemory
from ..spatial import Tree, morton_order
from ..supervision import CloudTarget
from .field import blended
from .partition import read_raw
from .plan import Plan
from .seams import NOBODY, Faces, Seam, known_before, numbers_of
from .stages import FEWEST, gathered, target_of_tile
from .tiling import Tile

WALL = 0.5
"""Cells between the border of the whole lattice and the walls that close what is open. The empty voxels at
the border may be one cell wide, so walls farther inside would cut off data; no lattice point is on a wall."""

SAMPLED = 2000
"""Number of points of a tile for which it is tested whether they lie on the surface."""

Rows = list[tuple[int, NDArray[np.int64]]]


@dataclass(frozen=True)
class Part:
    """A mesh in the unit cube. numbers: (V, 2) as in Seam. over: (V,) positive where it is trimmed."""

    vertices: Array
    normals: Array
    faces: NDArray[np.int64]
    numbers: NDArray[np.int64]
    over: Array


def mesh(plan: Plan, number: int) -> dict[str, Any]:
    """Write the surface in a tile's box ("mesh") and what its neighbors need of it ("seam").

    Raises NoSurface where the field is noise.
    """
    return plan.scratch.once("mesh", number, lambda: _meshed(plan, plan.tiling.tiles[number]))


def _meshed(plan: Plan, tile: Tile) -> dict[str, Any]:
    points, normals, rows = np.empty((0, 3)), np.empty((0, 3)), []
    if plan.model is None:
        points, normals, rows = gathered(plan, tile)
    target, support, frame = None, None, Frame.around(np.stack(plan.tiling.box(tile)))
    if len(points) >= FEWEST:
        frame = Frame.around(points)
        target = target_of_tile(plan, tile, points, normals, frame)
        support = Support.of(target, scanned=True)
    elif plan.model is not None and (field := plan.field_of(tile.number)) is not None:
        frame, support = field.frame, field.support
    surface = _Surface(plan, tile, frame, target, support)
    try:
        found = surface.extracted()
    except NoSurface as error:
        raise NoSurface(f"tile {tile.number}: {error}") from error
    return surface.written(found, rows, points)


class _Surface:
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
        """The part of the surface in the box, trimmed lines marked; None where there is none."""
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
        ends = border & self._at_border(mesh.vertices)
        support = replace(self.support, usual=self.plan.spacing / self.frame.scale)
        found = beyond_data(mesh, distance, spacing, support, ends, solid=False, border=border & ~ends)
        self.filled = found.filled
        return found.over

    def _at_border(self, vertices: Array) -> NDArray[np.bool_]:
        """Which vertices (V, 3) lie at the border of the whole lattice."""
        cells = (vertices - self.lattice.low) / self.lattice.cell + self.first
        return np.asarray(((cells < 1) | (cells > self.plan.tiling.shape - 1)).any(1))

    def written(self, part: Part | None, rows: Rows, points: Array) -> dict[str, Any]:
        """Write the part, welded to its neighbors' and cut; returns facts about it."""
        scratch, number = self.plan.scratch, self.tile.number
        if part is None:
            none = np.empty((0, 3))
            part = Part(none, none, none.astype(np.int64), np.empty((0, 2), np.int64), np.empty(0))
        seam = Seam.before(scratch, self.plan.tiling, self.tile)
        part = self._agreed(part, seam)
        cut, ends = self._cut(part)
        pairs = np.sort(part.numbers[ends, 0], axis=1)
        new = ends[:, 0] != ends[:, 1]
        numbers = np.where(new[:, None], pairs, np.stack([pairs[:, 1], np.full(len(pairs), NOBODY)], 1))
        shared = np.asarray((pairs >= 0).all(1))
        numbers[~shared] = NOBODY
        row = np.full(len(ends), -1)
        row[shared] = seam.rows_of(numbers[shared])
        theirs = (row >= 0) & (seam.owner[row, 0] >= 0) if len(seam.owner) else row >= 0
        # owned vertices first, the shared ones among them before the others; then those of other tiles
        rank = np.where(theirs, 2, np.where(shared, 0, 1))
        order = np.argsort(rank, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        owned = order[: int((rank < 2).sum())]
        foreign = seam.owner[row[order[len(owned) :]]]
        arrays = self._arrays(part, cut, ends, place, owned)
        arrays |= {"shared": np.array((rank == 0).sum()), "foreign": foreign.astype(np.int32)}
        arrays |= self._attributes(cut.vertices[owned], rows, points)
        owner = np.stack([np.full(len(ends), number), place], 1)
        owner[theirs] = seam.owner[row[theirs]]
        self._write_seam(part, cut, numbers, shared, owner)
        scratch.save("mesh", number, **arrays)
        before = float(areas(part.vertices, part.faces).sum()) * self.frame.scale**2
        return {
            "vertices": len(owned),
            "faces": len(cut.faces),
            "area": float(arrays["area"].sum()),
            "area_before": before,
            "filled": self.filled,
            **self._covered(cut),
        }

    def _covered(self, surface: TriangleMesh) -> dict[str, int]:
        """How many of a sample of the points in the box lie on the surface."""
        if self.support is None:
            return {"sampled": 0, "covered": 0}
        low, high = (self.frame.to_unit(corner) for corner in self.plan.tiling.box(self.tile))
        points = self.support.tree.points
        inside = np.flatnonzero(((points >= low) & (points < high)).all(1))
        some = inside[np.linspace(0, len(inside) - 1, min(len(inside), SAMPLED)).astype(np.int64)]
        if not len(some) or not len(surface.vertices):
            return {"sampled": len(some), "covered": 0}
        order = morton_order(surface.vertices)
        vertices = np.ascontiguousarray(surface.vertices[order])
        apart = np.linalg.norm(points[some] - vertices[Tree.of(vertices).nearest(points[some])], axis=1)
        near = apart <= NEAR * self.support.spacing[some] + self.lattice.cell
        return {"sampled": len(some), "covered": int(near.sum())}

    def _agreed(self, part: Part, seam: Seam) -> Part:
        """The part with the shared vertices where other tiles have them."""
        mine = np.flatnonzero(part.numbers[:, 0] >= 0)
        rows = seam.rows_of(part.numbers[mine])
        mine, rows = mine[rows >= 0], rows[rows >= 0]
        vertices, normals, over = part.vertices.copy(), part.normals.copy(), part.over.copy()
        vertices[mine] = self.frame.to_unit(seam.vertices[rows])
        normals[mine], over[mine] = seam.normals[rows], seam.over[rows]
        return Part(vertices, normals, part.faces, part.numbers, over)

    def _cut(self, part: Part) -> tuple[TriangleMesh, NDArray[np.int64]]:
        """The part that is kept, and the ends (V', 2) of the edge that each vertex lies on."""
        mesh = TriangleMesh(part.vertices, part.faces, part.normals)
        limit = self._limit()

        def allowed(places: Array) -> NDArray[np.bool_]:
            if limit is None or self.support is None:
                return np.ones(len(places), np.bool_)
            return self.support.distance(places)[0] <= limit

        return clip(mesh, part.over, allowed)

    def _limit(self) -> float | None:
        trim = self.plan.config.extraction.trim
        return None if isinstance(trim, str) else trim / self.frame.scale

    def _arrays(
        self,
        part: Part,
        cut: TriangleMesh,
        ends: NDArray[np.int64],
        place: NDArray[np.int64],
        owned: NDArray[np.int64],
    ) -> dict[str, NDArray[Any]]:
        assert cut.normals is not None
        size = areas(cut.vertices, cut.faces)
        borne = np.zeros(len(cut.faces))
        if self.support is not None and len(cut.faces):
            distance, spacing = self.support.distance(cut.vertices)
            supported = (distance <= REACH * spacing) & ~self._at_border(cut.vertices)
            first = cut.faces[:, 0]
            borne = np.where(supported[cut.faces].all(1), size / spacing[first] ** 2, 0.0)
        return {
            "vertices": self.frame.to_world(cut.vertices[owned]),
            "normals": cut.normals[owned].astype(np.float32),
            "faces": place[cut.faces].astype(np.int32),
            "borne": borne.astype(np.float32),
            "area": (size * self.frame.scale**2).astype(np.float32),
        }

    def _write_seam(
        self,
        part: Part,
        cut: TriangleMesh,
        numbers: NDArray[np.int64],
        shared: NDArray[np.bool_],
        owner: NDArray[np.int64],
    ) -> None:
        """Write what tiles that come later need: values on the faces, and all shared vertices."""
        assert cut.normals is not None
        ours = np.flatnonzero(part.numbers[:, 0] >= 0)
        kept = numbers[shared]
        lost = ours[~np.isin(part.numbers[ours, 0], kept[kept[:, 1] == NOBODY, 0])]
        points, values = self.lattice_values
        nobody = np.full((len(lost), 2), NOBODY)
        over = np.zeros(len(kept))
        simple = np.flatnonzero(kept[:, 1] == NOBODY)
        by_number = dict(zip(part.numbers[ours, 0].tolist(), part.over[ours].tolist(), strict=True))
        over[simple] = [by_number[n] for n in kept[simple, 0].tolist()]
        self.plan.scratch.save(
            "seam",
            self.tile.number,
            points=points,
            values=values,
            numbers=np.concatenate([kept, part.numbers[lost]]),
            owner=np.concatenate([owner[shared], nobody]),
            vertices=self.frame.to_world(np.concatenate([cut.vertices[shared], part.vertices[lost]])),
            normals=np.concatenate([cut.normals[shared], part.normals[lost]]),
            over=np.concatenate([over, part.over[lost]]),
        )

    def _attributes(self, vertices: Array, rows: Rows, points: Array) -> dict[str, NDArray[Any]]:
        """The colors and carried scalars at vertices (V, 3) in the unit cube, by the arrays' names."""
        config, names = self.plan.config.extraction, {}
        colored = self.plan.colored and config.colors == "auto"
        if not (colored or config.carry) or self.target is None:
            return self._no_attributes(len(vertices), colored)
        order = morton_order(self.frame.to_unit(points))
        clouds = [(read_raw(self.plan.scratch, number), some) for number, some in rows]
        values: dict[str, NDArray[Any]] = {}
        for k, name in enumerate(config.carry):
            names[f"scalar_{k}"] = name
            values[name] = np.concatenate([cloud.scalars[name][some] for cloud, some in clouds])[order]
        if colored:
            names["colors"] = "\0colors"
            values["\0colors"] = np.concatenate(
                [c.colors[some] for c, some in clouds if c.colors is not None]
            )
            values["\0colors"] = values["\0colors"][order]
        found = blend(values, partial(Blend.of_cloud, self.target), vertices, labels=self.plan.labels)
        arrays = {key: found[name] for key, name in names.items()}
        if colored:
            arrays["colors"] = np.rint(arrays["colors"]).astype(np.uint8)
        return arrays

    def _no_attributes(self, count: int, colored: bool) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {
            f"scalar_{k}": np.full(count, np.nan) for k in range(len(self.plan.config.extraction.carry))
        }
        if colored:
            arrays["colors"] = np.full((count, 3), 255, np.uint8)
        return arrays


def _values(field: Field, points: Array) -> tuple[Array]:
    return (field.network_distance(points),)
