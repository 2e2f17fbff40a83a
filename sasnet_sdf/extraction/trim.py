"""Trimming: surface parts without data are cut away; a solid scanned from all sides stays closed.

Cuts follow the line where a function on the mesh changes sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, TriangleMesh
from ..mesh import areas, compacted
from .holes import Patches, patches_of, smoothed, steps_from
from .refinement import Support

HALVINGS = 12
"""Number of bisection steps to find an allowed point on an edge."""

SLIVER = 0.02
"""A cut within this share of an edge from its kept end is moved to that end, to avoid slivers."""

Allowed = Callable[[Array], NDArray[np.bool_]]


def clip(mesh: TriangleMesh, values: Array, allowed: Allowed) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """The part of a mesh where a function is not positive, and the edge (V', 2) that each vertex lies on.

    values: (V,), the function at the vertices, linear in between. allowed: points (M, 3) -> whether
    they may be in the result; it must hold for every vertex whose value is not positive. A cut at a point
    that is not allowed is moved toward the kept end of its edge. The edge of a new vertex on the cut is given
    as its kept end and its other end; the two are equal for an old vertex. Colors and scalars are not kept.
    """
    out = values > 0
    if not out.any():
        return mesh, np.repeat(np.arange(len(mesh.vertices))[:, None], 2, axis=1)
    outer = out[mesh.faces].sum(1)
    whole, one, two = (mesh.faces[outer == n] for n in range(3))
    # rotate so that the vertex that differs from the other two comes first
    one = _rolled(one, out[one].argmax(1))
    two = _rolled(two, (~out[two]).argmax(1))
    ends = np.concatenate([one[:, [1, 0]], one[:, [2, 0]], two[:, [0, 1]], two[:, [0, 2]]])
    edges, number = np.unique(ends, axis=0, return_inverse=True)
    share = _shares(mesh.vertices, values, edges, allowed)
    ends_there = share < SLIVER
    at = np.where(ends_there, edges[:, 0], len(mesh.vertices) + np.cumsum(~ends_there) - 1)
    first, second, third, fourth = np.split(
        at[number.reshape(-1)], np.cumsum([len(one), len(one), len(two)]).tolist()
    )
    faces = np.concatenate(
        [
            whole,
            np.stack([first, one[:, 1], one[:, 2]], 1),
            np.stack([first, one[:, 2], second], 1),
            np.stack([two[:, 0], third, fourth], 1),
        ]
    )
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    edges, share = edges[~ends_there], share[~ends_there, None]
    return _used(mesh, faces, edges, share)


def _rolled(faces: NDArray[Any], first: NDArray[Any]) -> NDArray[Any]:
    """Triangles (F, 3) rotated to start at the given corner (F,), in the same orientation."""
    return np.take_along_axis(faces, (first[:, None] + np.arange(3)) % 3, 1)


def _shares(vertices: Array, values: Array, edges: NDArray[Any], allowed: Allowed) -> Array:
    """The share (E,) of each edge (kept end, other end) at which it is cut."""
    inner, outer = values[edges.T]
    share = inner / (inner - outer)
    start, along = vertices[edges[:, 0]], vertices[edges[:, 1]] - vertices[edges[:, 0]]
    beyond = np.flatnonzero(~allowed(start + share[:, None] * along))
    start, along = start[beyond], along[beyond]
    low, high = np.zeros(len(beyond)), share[beyond]
    for _ in range(HALVINGS if len(beyond) else 0):
        middle = (low + high) / 2
        fine = allowed(start + middle[:, None] * along)
        low, high = np.where(fine, middle, low), np.where(fine, high, middle)
    share[beyond] = low
    return share


def _used(
    mesh: TriangleMesh, faces: NDArray[Any], edges: NDArray[Any], share: Array
) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """The mesh over the old vertices and new ones at a share (E, 1) of edges, and the edge of each."""
    old = np.repeat(np.arange(len(mesh.vertices))[:, None], 2, axis=1)
    ends = np.concatenate([old, edges])
    used, faces = compacted(faces, len(ends))

    def blended(values: Array | None) -> Array | None:
        if values is None:
            return None
        a, b = values[edges[:, 0]], values[edges[:, 1]]
        return np.concatenate([values, a + share * (b - a)])[used]

    vertices, normals = blended(mesh.vertices), blended(mesh.normals)
    assert vertices is not None
    if normals is not None:
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = normals / np.where(length > 0, length, 1)
    return TriangleMesh(vertices, faces, normals), ends[used]


REACH = 2.5
"""Distance from the data, in local spacings, within which surface is supported: between random points a gap
of this radius has a probability of one in 10^6."""

EDGE = 1.0
"""Distance from the data, in local spacings, at which an open surface ends: less than REACH, which only the
largest gaps between points need."""

LENGTH = 12.0
"""Distance from the data, in usual spacings, beyond which no surface is kept: holes up to twice as wide are
filled."""

UNSEEN = 0.2
"""Share of the surface of a solid that may lack data. Measured: scans by 4 cameras, up to 0.10; a room
scanned from inside, with many holes but no wide one, 0.34."""

SMOOTH = 1.5
"""Width, in usual spacings, over which the line of the cut is smoothed."""

SLACK = 1e-5
"""Share of the maximum length by which cuts fall short of it, so that rounding moves no vertex beyond it."""


@dataclass(frozen=True)
class Trimmed:
    """A surface, and how it was trimmed; lengths in the units of the mesh and its support.

    source: (V,) the vertex of the untrimmed surface that each vertex comes from. solid: whether the
    data enclose a solid, so that nothing was cut. length: the largest allowed distance of a vertex from
    the data; None if unlimited. reach: the usual distance at which the surface ends. widest: the ratio of
    the largest opening to the supported area. removed: the share of the area that was cut away.
    filled: the number of holes in the data that remain covered.
    """

    mesh: TriangleMesh
    source: NDArray[np.int64]
    solid: bool
    length: float | None
    reach: float | None
    widest: float | None
    removed: float
    filled: int

    @classmethod
    def nothing(cls, mesh: TriangleMesh) -> Trimmed:
        """The untrimmed surface."""
        return cls(mesh, np.arange(len(mesh.vertices)), False, None, None, None, 0.0, 0)


def trim_to_length(mesh: TriangleMesh, distance: Array, support: Support, length: float) -> Trimmed:
    """The part of a surface within `length` of the data, from the distances (V,) of its vertices."""
    limit = (1 - SLACK) * length
    patches = patches_of(mesh, distance <= limit, distance)
    cut, ends = clip(mesh, distance - limit, lambda places: support.distance(places)[0] <= limit)
    return Trimmed(cut, ends[:, 0], False, length, length, _widest(patches), _lost(mesh, cut), 0)


def held_to_length(mesh: TriangleMesh, support: Support, length: float) -> TriangleMesh:
    """The mesh with all vertices within `length` of the data, for a trimmed mesh that was then decimated.

    A vertex beyond that distance moves straight toward the nearest data point until it is within it.
    Cutting the mesh again instead would leave slivers along the boundary, and pieces that are connected
    by a single vertex.
    """
    limit = (1 - SLACK) * length
    distance, _ = support.distance(mesh.vertices)
    beyond = np.flatnonzero(distance > limit)
    far = mesh.vertices[beyond]
    nearest = support.tree.points[support.tree.nearest(far)]
    vertices = mesh.vertices.copy()
    vertices[beyond] = nearest + (limit / distance[beyond, None]) * (far - nearest)
    return replace(mesh, vertices=vertices)


@dataclass(frozen=True)
class Beyond:
    """Where a surface is to be cut by the spacing of its data.

    over: (V,) positive beyond the cut, which runs along its zero level. limit: the largest distance of a
    vertex from the data. solid: whether the data enclose a solid, so that nothing is cut. widest, filled: as
    in Trimmed.
    """

    over: Array
    limit: float
    solid: bool
    widest: float
    filled: int


def trim_by_spacing(
    mesh: TriangleMesh, distance: Array, spacing: Array, support: Support, ends: NDArray[np.bool_]
) -> Trimmed:
    """The part of a surface that the data support, from distances and spacings (V,) at its vertices.

    ends: (V,) the vertices where the surface ends at the lattice's border. See `beyond_data`.
    """
    found = beyond_data(mesh, distance, spacing, support, ends)
    if found.solid:
        everything = np.arange(len(mesh.vertices))
        return Trimmed(mesh, everything, True, None, None, found.widest, 0.0, found.filled)
    cut, ends_of = clip(mesh, found.over, lambda places: support.distance(places)[0] <= found.limit)
    length = LENGTH * support.usual_spacing
    reach = min(EDGE * support.usual_spacing, length)
    lost = _lost(mesh, cut)
    return Trimmed(cut, ends_of[:, 0], False, length, reach, found.widest, lost, found.filled)


def beyond_data(
    mesh: TriangleMesh,
    distance: Array,
    spacing: Array,
    support: Support,
    ends: NDArray[np.bool_],
    solid: bool | None = None,
    border: NDArray[np.bool_] | None = None,
) -> Beyond:
    """Where the data stop supporting a surface, from distances and spacings (V,) at its vertices.

    ends: (V,) the vertices where the surface ends at the lattice's border. They count as unsupported even if
    data are near: a flat sheet leaves the lattice right next to its data, and the hole there is as large
    as the sheet. solid: whether the data enclose a solid, if that is known. border: (V,) the vertices at the
    border of a part of a larger surface; holes there may be larger than they seem, and do not stay covered.

    Where the widest hole in the data is small compared with the surface, the data enclose a solid and
    everything is kept. Otherwise the surface ends EDGE local spacings from the data, along a smooth line: it
    is supported up to REACH, then shortened from there. Smaller holes stay covered up to LENGTH usual
    spacings from the data.
    """
    limit = (1 - SLACK) * LENGTH * support.usual_spacing
    over = (distance / np.minimum(REACH * spacing, limit) - 1).clip(max=1)
    distance = np.where(ends, np.inf, distance)
    patches = patches_of(mesh, (over <= 0) & ~ends, distance)
    widest = _widest(patches)
    if _encloses_a_solid(patches, support.gap) if solid is None else solid:
        filled = int((~patches.supported & ~patches.floating).sum())
        return Beyond(np.full(len(over), -1.0), np.inf, True, widest, filled)
    over = np.where(distance <= limit, smoothed(mesh, over, SMOOTH * support.usual_spacing), 1.0)
    patches = patches_of(mesh, over <= 0, distance)
    small = patches.opening <= support.gap * patches.beside
    holes = ~patches.supported & ~patches.floating & small & (patches.farthest <= limit)
    if border is not None:
        holes[patches.region[border]] = False
    out = (over > 0) & ~holes[patches.region]
    over = np.where(out, 1.0, _beyond_edge(mesh, out, ends, spacing, support.usual_spacing))
    return Beyond(over, limit, False, widest, int(holes.sum()))


def _beyond_edge(
    mesh: TriangleMesh, out: NDArray[np.bool_], ends: NDArray[np.bool_], spacing: Array, usual: float
) -> Array:
    """A function (V,) that is positive beyond the edge of the surface; out (V,): unsupported vertices."""
    staying = replace(mesh, faces=mesh.faces[~out[mesh.faces].all(1)])
    rim = np.zeros(len(out), np.bool_)
    rim[staying.faces] = True
    # the border of the lattice does not mark the end of support
    rim &= out & ~ends
    shortened = REACH - EDGE
    inward = steps_from(staying, np.flatnonzero(rim), spacing, 2 * shortened)
    return smoothed(staying, shortened - inward, SMOOTH * usual)


def _encloses_a_solid(patches: Patches, gap: float) -> bool:
    """Whether the unsupported parts are holes in the data of a solid, not the missing side of a sheet."""
    unseen = patches.area[~patches.supported & ~patches.floating].sum()
    return gap == np.inf or bool(
        _widest(patches) <= gap and unseen <= UNSEEN * (patches.supported_area + unseen)
    )


def _widest(patches: Patches) -> float:
    """The ratio of the largest opening to the supported area; infinite where nothing is supported."""
    if not patches.supported_area > 0:
        return np.inf
    return float(patches.opening.max() / patches.supported_area)


def _lost(mesh: TriangleMesh, cut: TriangleMesh) -> float:
    """The share of the area of a mesh that is cut away."""
    whole, left = (float(areas(part.vertices, part.faces).sum()) for part in (mesh, cut))
    return max(1 - left / max(whole, 1e-300), 0.0)
