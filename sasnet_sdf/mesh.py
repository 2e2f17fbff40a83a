"""Triangle meshes as arrays: boundary edges, areas, connected pieces, welding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .geometry import Array, TriangleMesh
from .runtime.compiled import kept, kernel, over_ranges, part
from .runtime.progress import tick


@dataclass(frozen=True)
class Edges:
    """Edges of one triangle (the boundary), the loops that they form, and edges of more than two."""

    boundary: int
    loops: int
    branching: int

    @classmethod
    def of(cls, faces: NDArray[Any]) -> Edges:
        """Of triangles (F, 3). Loops that meet in a vertex count as one."""
        boundary, branching = _uses(np.ascontiguousarray(faces, np.int64), int(faces.max(initial=-1)) + 1)
        tick()
        return cls(len(boundary), _loops(boundary), branching)


def at_boundary(faces: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Which of `count` vertices are at the boundary of triangles (F, 3)."""
    found = np.zeros(count, np.bool_)
    found[_uses(np.ascontiguousarray(faces, np.int64), count)[0]] = True
    return found


@kept(nogil=True)
def _uses(faces: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], int]:
    """Edges (B, 2) that belong to one of the triangles (F, 3), and the number that belong to more than two.

    count: number of vertices.
    """
    # counting sort: each edge is listed at its end of lower number, by its other end
    starts = np.zeros(count + 1, np.int64)
    for face in range(len(faces)):
        for k in range(3):
            starts[min(faces[face, k], faces[face, (k + 1) % 3]) + 1] += 1
    starts = np.cumsum(starts)
    ends, filled = np.empty(3 * len(faces), np.int64), starts[:-1].copy()
    for face in range(len(faces)):
        for k in range(3):
            a, b = faces[face, k], faces[face, (k + 1) % 3]
            ends[filled[min(a, b)]] = max(a, b)
            filled[min(a, b)] += 1
    boundary, single, branching = np.empty((len(ends), 2), np.int64), 0, 0
    for vertex in range(count):
        mine = np.sort(ends[starts[vertex] : starts[vertex + 1]])
        begin = 0
        for n in range(len(mine)):
            if n + 1 == len(mine) or mine[n + 1] != mine[n]:
                if n == begin:
                    boundary[single, 0], boundary[single, 1] = vertex, mine[n]
                    single += 1
                elif n > begin + 1:
                    branching += 1
                begin = n + 1
    return boundary[:single].copy(), branching


def _loops(edges: NDArray[Any]) -> int:
    vertices, ends = np.unique(edges, return_inverse=True)
    ends = ends.reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), np.int8), tuple(ends.T)), shape=(len(vertices),) * 2)
    return int(connected_components(graph, directed=False)[0]) if len(ends) else 0


Faces = NDArray[np.int64]


def areas(vertices: Array, faces: Faces) -> Array:
    """The area (F,) of each triangle."""
    out = np.empty(len(faces))
    over_ranges(_areas, len(faces), vertices, faces, out)
    return out


def folded(before: Array, after: Array, faces: Faces) -> NDArray[np.bool_]:
    """Which triangles (F,) turn over when their vertices move from `before` (V, 3) to `after`."""
    out = np.empty(len(faces), np.bool_)
    over_ranges(_folded, len(faces), before, after, faces, out)
    return out


def least_cosine(normals: Array, faces: Faces) -> Array:
    """The least cosine (F,) between two of the unit normals (V, 3) at a triangle's vertices."""
    out = np.empty(len(faces))
    over_ranges(_least_cosine, len(faces), normals, faces, out)
    return out


@part
def _across(vertices, faces, f, out):
    """The cross product of two sides of a triangle: along its normal, twice its area long."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        out[i] = (vertices[b, j] - vertices[a, j]) * (vertices[c, k] - vertices[a, k]) - (
            vertices[b, k] - vertices[a, k]
        ) * (vertices[c, j] - vertices[a, j])


@kernel
def _areas(start, stop, vertices, faces, out):
    n = np.empty(3)
    for f in range(start, stop):
        _across(vertices, faces, f, n)
        out[f] = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) / 2


@kernel
def _folded(start, stop, before, after, faces, out):
    n, m = np.empty(3), np.empty(3)
    for f in range(start, stop):
        _across(before, faces, f, n)
        _across(after, faces, f, m)
        out[f] = n[0] * m[0] + n[1] * m[1] + n[2] * m[2] < 0


@kernel
def _least_cosine(start, stop, normals, faces, out):
    for f in range(start, stop):
        least = 1.0
        for i in range(3):
            a, b = faces[f, i], faces[f, (i + 1) % 3]
            cosine = 0.0
            for k in range(3):
                cosine += normals[a, k] * normals[b, k]
            least = min(least, cosine)
        out[f] = least


def component_of_vertices(mesh: TriangleMesh) -> NDArray[np.int32]:
    """The number (V,) of the connected component that each vertex belongs to, from 0."""
    a, b, c = mesh.faces.astype(np.int32).T
    ends = np.concatenate([a, b]), np.concatenate([b, c])
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(len(mesh.vertices),) * 2).tocsr()
    del a, b, c, ends
    tick()
    return connected_components(graph, directed=False)[1]


def drop_small_components(mesh: TriangleMesh, share: float) -> tuple[TriangleMesh, int]:
    """Without the components of less than `share` of the largest one's area, and how many those are."""
    component = component_of_vertices(mesh)[mesh.faces[:, 0]]
    area = np.bincount(component, areas(mesh.vertices, mesh.faces))
    large = area >= share * area.max(initial=0.0)
    small = ~large & (np.bincount(component) > 0)
    if not small.any():
        return mesh, 0
    return _with_faces(mesh, large[component]), int(small.sum())


def drop_unsupported_components(
    mesh: TriangleMesh, supported: NDArray[np.bool_], spacing: Array, fewest: float
) -> tuple[TriangleMesh, int]:
    """Without the components that few data support, and how many those are; the best one stays.

    What supports a component is counted in points: the area of its triangles whose vertices (V,)
    are supported, over the square of the spacing (V,) of the data there. One of `fewest` stays
    however small it is beside the others, as an object of its own; one that grew from nothing goes
    however large.
    """
    component = component_of_vertices(mesh)[mesh.faces[:, 0]]
    first = mesh.faces[:, 0]
    borne_out = supported[mesh.faces].all(1)
    points = np.where(borne_out, areas(mesh.vertices, mesh.faces) / spacing[first] ** 2, 0.0)
    count = np.bincount(component, points)
    borne = count >= min(fewest, count.max(initial=0.0))
    dropped = ~borne & (np.bincount(component) > 0)
    if not dropped.any():
        return mesh, 0
    return _with_faces(mesh, borne[component]), int(dropped.sum())


def _with_faces(mesh: TriangleMesh, keep: NDArray[np.bool_]) -> TriangleMesh:
    """The mesh of some of its triangles, without the vertices that none of them uses."""
    faces = mesh.faces[keep]
    used = np.zeros(len(mesh.vertices), np.bool_)
    used[faces] = True
    renumbered = np.cumsum(used) - 1
    normals = None if mesh.normals is None else mesh.normals[used]
    colors = None if mesh.colors is None else mesh.colors[used]
    return TriangleMesh(mesh.vertices[used], renumbered[faces], normals, colors)


def colors_at_vertices(colors: NDArray[Any], faces: NDArray[Any], count: int) -> NDArray[np.uint8]:
    """The mean color (count, 3) of the faces around each vertex; white where there are none.

    colors (F, 3) uint8 of triangles (F, 3).
    """
    corners = faces.ravel()
    around = np.bincount(corners, minlength=count)
    sums = [np.bincount(corners, np.repeat(channel, 3), minlength=count) for channel in colors.T]
    means = np.stack(sums, axis=1) / np.maximum(around, 1)[:, None]
    return np.rint(np.where(around[:, None] > 0, means, 255)).astype(np.uint8)


def welded(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh with vertices at exactly the same place made one, which keeps the first one's attributes.

    Formats without shared vertices (STL), and seams of normals or textures, hide that a mesh is closed.
    """
    import igl

    if not len(mesh.faces):
        return mesh
    found: Any = igl.remove_duplicate_vertices(mesh.vertices, mesh.faces, 0.0)
    _, first, _, faces = found
    if len(first) == len(mesh.vertices):
        return mesh
    return replace(_taken(mesh, first), faces=faces)


def without_unused(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh without the vertices that no face uses."""
    used = np.zeros(len(mesh.vertices), np.bool_)
    used[mesh.faces] = True
    if used.all():
        return mesh
    return replace(_taken(mesh, used), faces=(np.cumsum(used) - 1)[mesh.faces])


def _taken(mesh: TriangleMesh, index: NDArray[Any]) -> TriangleMesh:
    """The vertices at `index`, or of a mask, with their attributes; the faces are left as they are."""
    return replace(
        mesh,
        vertices=mesh.vertices[index],
        normals=None if mesh.normals is None else mesh.normals[index],
        colors=None if mesh.colors is None else mesh.colors[index],
        scalars={name: values[index] for name, values in mesh.scalars.items()},
    )
