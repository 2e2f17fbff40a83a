"""Surface that the data do not bear out is cut away; a solid that was scanned all around stays closed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, TriangleMesh
from .clip import clip
from .patches import Patches, patches_of
from .smooth import smoothed, steps_from
from .support import Support
from .triangles import areas

REACH = 2.5
"""Local spacings from the data up to which surface is supported: between points drawn at random a
gap of this radius is a matter of one in 10^6."""

EDGE = 1.0
"""Local spacings from the data at which an open surface ends: what is supported, less what only the
largest gaps between points need, along its rim."""

LENGTH = 12.0
"""Usual spacings from the data beyond which no surface stays: a hole twice as wide is filled."""

UNSEEN = 0.2
"""Share of a closed surface that may be without data. Measured: scans by 4 cameras, up to 0.10; a room
scanned from within, whose holes are many and none of them wide, 0.34."""

SMOOTH = 1.5
"""Spacings over which the line of the cut is smoothed."""

SLACK = 1e-5
"""What is cut is cut this share short of the length, so that rounding never carries a vertex beyond it."""


@dataclass(frozen=True)
class Trimmed:
    """A surface, and how it was trimmed; lengths in the units of the mesh and its support.

    source: (V,) the vertex of the surface before that each vertex comes from. solid: whether the
    data were taken to enclose one, so that nothing was cut. length: no vertex is farther from
    the data; None where nothing bounds it. reach: the usual distance at which the surface ends.
    widest: the largest opening over the supported area. removed: the share of the area that was
    cut away. filled: how many holes in the data stay covered.
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
        """The surface as it is."""
        return cls(mesh, np.arange(len(mesh.vertices)), False, None, None, None, 0.0, 0)


def trim_to_length(mesh: TriangleMesh, distance: Array, support: Support, length: float) -> Trimmed:
    """The part of a surface within `length` of the data, from the distances (V,) of its vertices."""
    limit = (1 - SLACK) * length
    patches = patches_of(mesh, distance <= limit, distance)
    cut, source = clip(mesh, distance - limit, lambda places: support.distance(places)[0] <= limit)
    return Trimmed(cut, source, False, length, length, _widest(patches), _lost(mesh, cut), 0)


def held_to_length(mesh: TriangleMesh, support: Support, length: float) -> TriangleMesh:
    """The mesh with all vertices within `length` of the data, for a trimmed mesh that was then decimated.

    A vertex beyond that distance moves straight towards the nearest data point until it is within.
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


def trim_by_spacing(
    mesh: TriangleMesh, distance: Array, spacing: Array, support: Support, ends: NDArray[np.bool_]
) -> Trimmed:
    """The part of a surface that the data bear out, from distances and spacings (V,) at its vertices.

    ends: (V,) the vertices where the lattice ends the surface. They count as unsupported however near
    the data are: a flat sheet leaves the lattice right beside its data, and what is missing there is
    a hole as large as the sheet.

    Where the widest hole in the data is small beside the surface they enclose a solid, and all
    stays. Else the surface ends EDGE local spacings from the data, along a line that does not follow
    every point at their rim: it is supported as far as REACH, then shortened from there. Smaller
    holes stay covered as far as LENGTH usual spacings from the data.
    """
    length = LENGTH * support.usual_spacing
    limit = (1 - SLACK) * length
    over = (distance / np.minimum(REACH * spacing, limit) - 1).clip(max=1)
    distance = np.where(ends, np.inf, distance)
    patches = patches_of(mesh, (over <= 0) & ~ends, distance)
    widest = _widest(patches)
    if _encloses_a_solid(patches, support.gap):
        filled = int((~patches.supported & ~patches.floating).sum())
        everything = np.arange(len(mesh.vertices))
        return Trimmed(mesh, everything, True, None, None, widest, 0.0, filled)
    over = np.where(distance <= limit, smoothed(mesh, over, SMOOTH * support.usual_spacing), 1.0)
    patches = patches_of(mesh, over <= 0, distance)
    small = patches.opening <= support.gap * patches.beside
    holes = ~patches.supported & ~patches.floating & small & (patches.farthest <= limit)
    out = (over > 0) & ~holes[patches.region]
    over = np.where(out, 1.0, _beyond_edge(mesh, out, ends, spacing, support.usual_spacing))
    cut, source = clip(mesh, over, lambda places: support.distance(places)[0] <= limit)
    reach = min(EDGE * support.usual_spacing, length)
    return Trimmed(cut, source, False, length, reach, widest, _lost(mesh, cut), int(holes.sum()))


def _beyond_edge(
    mesh: TriangleMesh, out: NDArray[np.bool_], ends: NDArray[np.bool_], spacing: Array, usual: float
) -> Array:
    """Positive (V,) where a surface is left out (V,), or so near to that that it is beyond its edge."""
    staying = replace(mesh, faces=mesh.faces[~out[mesh.faces].all(1)])
    rim = np.zeros(len(out), np.bool_)
    rim[staying.faces] = True
    # the lattice's end is not where support ends
    rim &= out & ~ends
    shortened = REACH - EDGE
    inward = steps_from(staying, np.flatnonzero(rim), spacing, 2 * shortened)
    return smoothed(staying, shortened - inward, SMOOTH * usual)


def _encloses_a_solid(patches: Patches, gap: float) -> bool:
    """Whether what is unsupported are holes in the data of a solid, not the missing side of a sheet."""
    unseen = patches.area[~patches.supported & ~patches.floating].sum()
    return gap == np.inf or bool(
        _widest(patches) <= gap and unseen <= UNSEEN * (patches.supported_area + unseen)
    )


def _widest(patches: Patches) -> float:
    """The largest opening over the supported area; infinite where nothing is supported."""
    if not patches.supported_area > 0:
        return np.inf
    return float(patches.opening.max() / patches.supported_area)


def _lost(mesh: TriangleMesh, cut: TriangleMesh) -> float:
    """The share of the area of a mesh that is cut away."""
    whole, left = (float(areas(part.vertices, part.faces).sum()) for part in (mesh, cut))
    return max(1 - left / max(whole, 1e-300), 0.0)
