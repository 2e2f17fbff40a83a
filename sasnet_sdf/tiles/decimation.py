"""Decimation, tile by tile; the vertices that tiles share stay where they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extraction import Support, decimate, held_to_length
from ..geometry import Array, Frame, TriangleMesh
from ..mesh import areas, compacted
from ..spatial import Tree, morton_order
from .join import Joined
from .plan import Plan
from .report import lengths
from .stages import gathered
from .summary import components

KIND = "decimated"
"""The kind of the results."""

ATTRIBUTES = ("normals", "colors", "scalar")
"""The beginnings of the names of arrays with a row for each vertex."""


def decimated(
    joined: Joined, plan: Plan, faces: int, run: Callable[[list[tuple[Any, ...]]], object]
) -> Joined:
    """The whole surface with about `faces` triangles, shared among the tiles in proportion to their area.

    run: calls `decimate_tile` with the plan and each of the given arguments.
    """
    area = sum(joined.areas.values()) or 1.0
    numbers = list(joined.areas)
    shares = [max(round(faces * joined.areas[n] / area), 4) for n in numbers]
    run([(n, share, joined.staying(n)) for n, share in zip(numbers, shares, strict=True)])
    few = Joined.of(joined.scratch, numbers, plan.config.extraction.carry, keep_all=True, kind=KIND)
    facts = {**few.facts, "components_dropped": joined.facts["components_dropped"]}
    return replace(few, facts=facts, covered=joined.covered)


def decimate_tile(plan: Plan, number: int, faces: int, staying: NDArray[np.bool_]) -> dict[str, Any]:
    """Write the surface of a tile with about `faces` triangles, in the form of "mesh".

    staying: (C,) which components of its surface stay.
    """
    return plan.scratch.once(KIND, number, lambda: _decimated(plan, number, faces, staying))


def _decimated(plan: Plan, number: int, faces: int, staying: NDArray[np.bool_]) -> dict[str, Any]:
    arrays = plan.scratch.load("mesh", number)
    count, shared, foreign = len(arrays["vertices"]), int(arrays["shared"]), arrays["foreign"]
    if len(arrays["faces"]):
        component, _ = components(arrays["faces"], count + len(foreign))
        stays = staying[component[arrays["faces"][:, 0]]]
        for name in ("faces", "area", "borne"):
            arrays[name] = arrays[name][stays]
    if len(arrays["faces"]) > faces:
        theirs = np.empty((len(foreign), 3))
        for other in np.unique(foreign[:, 0]):
            rows = foreign[:, 0] == other
            theirs[rows] = plan.scratch.load("mesh", int(other))["vertices"][foreign[rows, 1]]
        # shared vertices first: they are locked, so decimation leaves them first and in order
        fixed = shared + len(foreign)
        place = np.concatenate([np.arange(shared), np.arange(fixed, fixed + count - shared)])
        place = np.concatenate([place, np.arange(shared, fixed)])
        vertices = np.empty((count + len(foreign), 3))
        vertices[place] = np.concatenate([arrays["vertices"], theirs])
        before = place[arrays["faces"]].astype(np.int64)
        used, compact = compacted(before, len(vertices))
        locked = int(used[:fixed].sum())
        few = decimate(TriangleMesh(vertices[used], compact), faces, locked=locked)
        few = _held(plan, number, few, locked)
        arrays = _like(arrays, vertices, used, few, fixed)
    plan.scratch.save(KIND, number, **arrays)
    return {"faces": len(arrays["faces"])}


def _held(plan: Plan, number: int, few: TriangleMesh, locked: int) -> TriangleMesh:
    """A decimated mesh, whose vertices stay within the length that surfaces are trimmed to, if there is one.

    The first `locked` vertices are not moved.
    """
    length, _ = lengths(plan.config.extraction, plan.solid, plan.spacing)
    if length is None:
        return few
    if plan.model is None:
        points, _, _ = gathered(plan, plan.tiling.tiles[number])
    elif (field := plan.field_of(number)) is not None and field.support is not None:
        points = field.frame.to_world(field.support.tree.points)
    else:
        return few
    if not len(points):
        return few
    frame = Frame.around(points)
    unit = frame.to_unit(points)
    support = Support(Tree.of(np.ascontiguousarray(unit[morton_order(unit)])), np.zeros(len(unit)), np.inf)
    inside = replace(few, vertices=frame.to_unit(few.vertices))
    held = frame.to_world(held_to_length(inside, support, length / frame.scale).vertices)
    return replace(few, vertices=np.concatenate([few.vertices[:locked], held[locked:]]))


def _like(
    arrays: dict[str, Any], vertices: Array, used: NDArray[np.bool_], few: TriangleMesh, fixed: int
) -> dict[str, Any]:
    """The arrays of a decimated tile; attributes are those of the nearest vertices before.

    vertices: (V, 3) before, `fixed` shared ones first. used: (V,) those that were decimated.
    """
    shared, locked = int(arrays["shared"]), int(used[:fixed].sum())
    new = few.vertices[locked:]
    # numbers of the decimated vertices: shared, new, foreign
    number = np.flatnonzero(used[:fixed])
    number = np.where(number < shared, number, number + len(new))
    number = np.concatenate([number, shared + np.arange(len(new))])
    own = np.concatenate([vertices[:shared], new])
    nearest = _nearest(arrays["vertices"], new)
    attributes = {name: v for name, v in arrays.items() if name.startswith(ATTRIBUTES)}
    rows = {name: np.concatenate([v[:shared], v[nearest]]) for name, v in attributes.items()}
    size = areas(few.vertices, few.faces).astype(np.float32)
    return rows | {
        "vertices": own,
        "faces": number[few.faces].astype(np.int32),
        "shared": arrays["shared"],
        "foreign": arrays["foreign"],
        "area": size,
        "borne": np.zeros_like(size),
    }


def _nearest(before: Array, after: Array) -> NDArray[np.int64]:
    """For each of the points after (M, 3), the row of the nearest one before (N, 3)."""
    if not len(after):
        return np.empty(0, np.int64)
    center, size = before.mean(0), float(np.abs(before - before.mean(0)).max()) or 1.0
    unit = (before - center) / size
    order = morton_order(unit)
    tree = Tree.of(np.ascontiguousarray(unit[order]))
    return order[tree.nearest(np.ascontiguousarray((after - center) / size))]
