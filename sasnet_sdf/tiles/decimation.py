"""Fewer triangles in one tile; the vertices that it shares with others stay where they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..extraction import decimate
from ..geometry import Array, TriangleMesh
from ..mesh import areas, component_of_vertices
from ..spatial import Tree, morton_order
from .plan import Plan


def thin(plan: Plan, number: int, faces: int) -> dict[str, Any]:
    """Write the surface of a tile with about `faces` triangles, as "thin"; `join` takes it like "mesh"."""
    return plan.scratch.once("thin", number, lambda: _thinned(plan, number, faces))


def _thinned(plan: Plan, number: int, faces: int) -> dict[str, Any]:
    arrays = plan.scratch.load("mesh", number)
    count, shared, foreign = len(arrays["vertices"]), int(arrays["shared"]), arrays["foreign"]
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
        mesh = TriangleMesh(vertices, place[arrays["faces"]].astype(np.int64))
        few = decimate(mesh, faces, locked=fixed)
        few.vertices[:fixed] = vertices[:fixed]
        arrays = _like(arrays, mesh, few, shared, fixed)
    plan.scratch.save("thin", number, **arrays)
    return {"faces": len(arrays["faces"])}


def _like(
    arrays: dict[str, Any], mesh: TriangleMesh, few: TriangleMesh, shared: int, fixed: int
) -> dict[str, Any]:
    """The arrays of a decimated tile; attributes are those of the nearest vertices before."""
    count = len(few.vertices)
    own = np.concatenate([np.arange(shared), np.arange(fixed, count)])
    back = np.empty(count, np.int64)
    back[own] = np.arange(len(own))
    back[shared:fixed] = len(own) + np.arange(fixed - shared)
    nearest = _nearest(arrays["vertices"], few.vertices[own])
    size = areas(few.vertices, few.faces)
    rows = {name: v[nearest] for name, v in arrays.items() if name == "colors" or name.startswith("scalar")}
    return rows | {
        "vertices": few.vertices[own],
        "faces": back[few.faces].astype(np.int32),
        "shared": arrays["shared"],
        "foreign": arrays["foreign"],
        "area": size.astype(np.float32),
        "borne": (size * _points_per_area(arrays, mesh, few)).astype(np.float32),
    }


def _nearest(before: Array, after: Array) -> Any:
    """For each of the points after (M, 3), the row of the nearest one before (N, 3)."""
    center, size = before.mean(0), float(np.abs(before - before.mean(0)).max()) or 1.0
    unit = (before - center) / size
    order = morton_order(unit)
    return order[Tree.of(np.ascontiguousarray(unit[order])).nearest((after - center) / size)]


def _points_per_area(arrays: dict[str, Any], mesh: TriangleMesh, few: TriangleMesh) -> Array:
    """The data points per area (F,) of the component, before decimation, that each triangle is in."""
    component = component_of_vertices(mesh)
    of_face = component[mesh.faces[:, 0]]
    borne = np.bincount(of_face, arrays["borne"]) / np.maximum(np.bincount(of_face, arrays["area"]), 1e-300)
    corner = few.vertices[few.faces[:, 0]]
    return borne[component[_nearest(mesh.vertices, corner)]]
