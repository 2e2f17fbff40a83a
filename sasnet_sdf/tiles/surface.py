"""The surface inside the box of one tile, welded to those of its neighbors, with its attributes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NoSurface
from ..extraction import REACH, Blend, Support
from ..extraction.attributes import blend
from ..extraction.trim import clip
from ..geometry import Array, Frame, TriangleMesh
from ..mesh import areas
from ..problems.reconstruct import NEAR
from ..spatial import Tree, morton_order
from .partition import read_raw
from .plan import Plan
from .seams import NOBODY, Seam
from .stages import FEWEST, gathered, target_of_tile
from .tile_surface import Part, TileSurface
from .tiling import Tile

SAMPLED = 2000
"""Number of points of a tile for which it is tested whether they lie on the surface."""

Rows = list[tuple[int, NDArray[np.int64]]]


def mesh(plan: Plan, number: int) -> dict[str, Any]:
    """Write the surface in a tile's box ("mesh") and what its neighbors need of it ("seam").

    Raises NoSurface where the field is noise.
    """
    tile = plan.tiling.tiles[number]
    return plan.scratch.once("mesh", number, lambda: _meshed(plan, tile), also=["seam"])


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
    surface = TileSurface(plan, tile, frame, target, support)
    try:
        found = surface.extracted()
    except NoSurface as error:
        raise NoSurface(f"tile {tile.number}: {error}") from error
    return _written(surface, found, rows, points)


def _written(here: TileSurface, part: Part | None, rows: Rows, points: Array) -> dict[str, Any]:
    """Write the part, welded to its neighbors' and cut; returns facts about it."""
    scratch, number = here.plan.scratch, here.tile.number
    if part is None:
        none = np.empty((0, 3))
        part = Part(none, none, none.astype(np.int64), np.empty((0, 2), np.int64), np.empty(0))
    seam = Seam.before(scratch, here.plan.tiling, here.tile)
    part = _agreed(here, part, seam)
    cut, ends = _cut(here, part)
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
    arrays = _arrays(here, part, cut, ends, place, owned)
    arrays |= {"shared": np.array((rank == 0).sum()), "foreign": foreign.astype(np.int32)}
    arrays |= _attributes(here, cut.vertices[owned], rows, points)
    owner = np.stack([np.full(len(ends), number), place], 1)
    owner[theirs] = seam.owner[row[theirs]]
    _write_seam(here, part, cut, numbers, shared, owner)
    sampled, covered = _covered(here, cut)
    scratch.save("mesh", number, **arrays, covered=place[covered].astype(np.int32))
    before = float(areas(part.vertices, part.faces).sum()) * here.frame.scale**2
    return {
        "vertices": len(owned),
        "faces": len(cut.faces),
        "area": float(arrays["area"].sum()),
        "area_before": before,
        "filled": here.filled,
        "sampled": sampled,
    }


def _covered(here: TileSurface, surface: TriangleMesh) -> tuple[int, NDArray[np.int64]]:
    """The size of a sample of the points in the box, and for those on the surface the nearest vertex (K,)."""
    none = np.empty(0, np.int64)
    if here.support is None:
        return 0, none
    low, high = (here.frame.to_unit(corner) for corner in here.plan.tiling.box(here.tile))
    points = here.support.tree.points
    inside = np.flatnonzero(((points >= low) & (points < high)).all(1))
    some = inside[np.linspace(0, len(inside) - 1, min(len(inside), SAMPLED)).astype(np.int64)]
    if not len(some) or not len(surface.vertices):
        return len(some), none
    order = morton_order(surface.vertices)
    vertices = np.ascontiguousarray(surface.vertices[order])
    nearest = Tree.of(vertices).nearest(points[some])
    apart = np.linalg.norm(points[some] - vertices[nearest], axis=1)
    near = apart <= NEAR * here.support.spacing[some] + here.lattice.cell
    return len(some), order[nearest[near]]


def _agreed(here: TileSurface, part: Part, seam: Seam) -> Part:
    """The part with its shared vertices as earlier tiles have them."""
    mine = np.flatnonzero(part.numbers[:, 0] >= 0)
    rows = seam.rows_of(part.numbers[mine])
    mine, rows = mine[rows >= 0], rows[rows >= 0]
    vertices, normals, over = part.vertices.copy(), part.normals.copy(), part.over.copy()
    vertices[mine] = here.frame.to_unit(seam.vertices[rows])
    normals[mine], over[mine] = seam.normals[rows], seam.over[rows]
    return Part(vertices, normals, part.faces, part.numbers, over)


def _cut(here: TileSurface, part: Part) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """The part that is kept, and the ends (V', 2) of the edge that each vertex lies on."""
    mesh = TriangleMesh(part.vertices, part.faces, part.normals)
    limit = _limit(here)

    def allowed(places: Array) -> NDArray[np.bool_]:
        if limit is None or here.support is None:
            return np.ones(len(places), np.bool_)
        return here.support.distance(places)[0] <= limit

    return clip(mesh, part.over, allowed)


def _limit(here: TileSurface) -> float | None:
    trim = here.plan.config.extraction.trim
    return None if isinstance(trim, str) else trim / here.frame.scale


def _arrays(
    here: TileSurface,
    part: Part,
    cut: TriangleMesh,
    ends: NDArray[np.int64],
    place: NDArray[np.int64],
    owned: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    assert cut.normals is not None
    size = areas(cut.vertices, cut.faces)
    borne = np.zeros(len(cut.faces))
    if here.support is not None and len(cut.faces):
        distance, spacing = here.support.distance(cut.vertices)
        supported = (distance <= REACH * spacing) & ~here.at_border(cut.vertices)
        first = cut.faces[:, 0]
        borne = np.where(supported[cut.faces].all(1), size / spacing[first] ** 2, 0.0)
    return {
        "vertices": here.frame.to_world(cut.vertices[owned]),
        "normals": cut.normals[owned].astype(np.float32),
        "faces": place[cut.faces].astype(np.int32),
        "borne": borne.astype(np.float32),
        "area": (size * here.frame.scale**2).astype(np.float32),
    }


def _write_seam(
    here: TileSurface,
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
    points, values = here.lattice_values
    nobody = np.full((len(lost), 2), NOBODY)
    over = np.zeros(len(kept))
    simple = np.flatnonzero(kept[:, 1] == NOBODY)
    by_number = dict(zip(part.numbers[ours, 0].tolist(), part.over[ours].tolist(), strict=True))
    over[simple] = [by_number[n] for n in kept[simple, 0].tolist()]
    here.plan.scratch.save(
        "seam",
        here.tile.number,
        points=points,
        values=values,
        numbers=np.concatenate([kept, part.numbers[lost]]),
        owner=np.concatenate([owner[shared], nobody]),
        vertices=here.frame.to_world(np.concatenate([cut.vertices[shared], part.vertices[lost]])),
        normals=np.concatenate([cut.normals[shared], part.normals[lost]]),
        over=np.concatenate([over, part.over[lost]]),
    )


def _attributes(here: TileSurface, vertices: Array, rows: Rows, points: Array) -> dict[str, NDArray[Any]]:
    """The colors and carried scalars at vertices (V, 3) in the unit cube, by the arrays' names."""
    config, names = here.plan.config.extraction, {}
    colored = here.plan.colored and config.colors == "auto"
    if not (colored or config.carry) or here.target is None:
        return _no_attributes(here, len(vertices), colored)
    order = morton_order(here.frame.to_unit(points))
    clouds = [(read_raw(here.plan.scratch, number), some) for number, some in rows]
    values: dict[str, NDArray[Any]] = {}
    for k, name in enumerate(config.carry):
        names[f"scalar_{k}"] = name
        values[name] = np.concatenate([cloud.scalars[name][some] for cloud, some in clouds])[order]
    if colored:
        names["colors"] = "\0colors"
        values["\0colors"] = np.concatenate([c.colors[some] for c, some in clouds if c.colors is not None])
        values["\0colors"] = values["\0colors"][order]
    found = blend(values, partial(Blend.of_cloud, here.target), vertices, labels=here.plan.labels)
    arrays = {key: found[name] for key, name in names.items()}
    if colored:
        arrays["colors"] = np.rint(arrays["colors"]).astype(np.uint8)
    return arrays


def _no_attributes(here: TileSurface, count: int, colored: bool) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        f"scalar_{k}": np.full(count, np.nan) for k in range(len(here.plan.config.extraction.carry))
    }
    if colored:
        arrays["colors"] = np.full((count, 3), 255, np.uint8)
    return arrays
