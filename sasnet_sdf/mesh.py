"""Triangle meshes as arrays: edges, areas, connected components, welding and selection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from .geometry import Array, TriangleMesh
from .runtime.compiled import kept, kernel, over_ranges, part
from .runtime.progress import tick

Faces = NDArray[np.int64]


@dataclass(frozen=True)
class Edges:
    """Numbers of boundary edges (in one triangle), their loops, and edges in more than two triangles."""

    boundary: int
    loops: int
    branching: int

    @classmethod
    def of(cls, faces: NDArray[Any]) -> Edges:
        """Count the edges of triangles (F, 3). Loops that meet in a vertex count as one."""
        special, uses = unpaired_edges(faces, np.zeros(int(faces.max(initial=-1)) + 1, np.bool_))
        tick()
        boundary = special[uses == 1]
        vertices, ends = np.unique(boundary, return_inverse=True)
        ends = ends.reshape(-1, 2)
        graph = edge_graph(ends[:, 0], ends[:, 1], len(vertices))
        loops = int(connected_components(graph, directed=False)[0]) if len(boundary) else 0
        return cls(len(boundary), loops, int(np.count_nonzero(uses > 2)))


def at_boundary(faces: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Which of `count` vertices are on the boundary of triangles (F, 3)."""
    found = np.zeros(count, np.bool_)
    edges, uses = unpaired_edges(faces, found)
    found[edges[uses == 1]] = True
    return found


def unpaired_edges(
    faces: NDArray[Any], among: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The edges (E, 2) that are not in exactly two triangles (F, 3), and how many triangles (E,) each is in.

    among: (V,) some vertices; all edges between two of them are returned as well. The lower vertex of an edge
    comes first, and the edges are in lexicographic order.
    """
    return _unpaired_edges(np.ascontiguousarray(faces, np.int32), among)


@kept(nogil=True)
def _unpaired_edges(faces, among):
    # counting sort: each edge is listed at its lower end, by its other end
    starts = np.zeros(len(among) + 1, np.int64)
    for face in range(len(faces)):
        for k in range(3):
            starts[min(faces[face, k], faces[face, (k + 1) % 3]) + 1] += 1
    starts = np.cumsum(starts)
    ends, filled = np.empty(3 * len(faces), np.int32), starts[:-1].copy()
    for face in range(len(faces)):
        for k in range(3):
            a, b = faces[face, k], faces[face, (k + 1) % 3]
            ends[filled[min(a, b)]] = max(a, b)
            filled[min(a, b)] += 1
    found, uses, count = np.empty((len(ends), 2), np.int32), np.empty(len(ends), np.int32), 0
    for vertex in range(len(among)):
        mine = np.sort(ends[starts[vertex] : starts[vertex + 1]])
        begin = 0
        for n in range(len(mine)):
            if n + 1 == len(mine) or mine[n + 1] != mine[n]:
                used = n + 1 - begin
                begin = n + 1
                if used != 2 or (among[vertex] and among[mine[n]]):
                    found[count, 0], found[count, 1] = vertex, mine[n]
                    uses[count] = used
                    count += 1
    return found[:count].copy(), uses[:count].copy()


def directed_edges(faces: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The starts (3 F,) and ends of the three edges of every triangle (F, 3), in the triangles' direction."""
    a, b, c = faces.astype(np.int32).T
    return np.concatenate([a, b, c]), np.concatenate([b, c, a])


def edge_graph(
    starts: NDArray[Any], ends: NDArray[Any], count: int, values: NDArray[Any] | None = None
) -> csr_array:
    """The sparse matrix (count, count) with a value, 1 by default, for each edge (E,) from start to end."""
    values = np.ones(len(starts), np.int8) if values is None else values
    return coo_array((values, (starts, ends)), shape=(count, count)).tocsr()


def component_of_vertices(mesh: TriangleMesh, side: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
    """The number (V,) of the connected component that each vertex belongs to, from 0.

    side: (V,); edges whose ends are on different sides do not connect.
    """
    starts, ends = directed_edges(mesh.faces)
    # two edges connect the vertices of a triangle
    used = slice(2 * len(mesh.faces)) if side is None else side[starts] == side[ends]
    starts, ends = starts[used], ends[used]
    graph = edge_graph(starts, ends, len(mesh.vertices))
    del starts, ends
    tick()
    return connected_components(graph, directed=False)[1]


def cross_products(vertices: Array, faces: NDArray[Any]) -> Array:
    """The cross product (F, 3) of two sides of each triangle: its normal, with twice its area as length."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


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
    """The cross product of two sides of a triangle: the normal, with twice the area as its length."""
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


def drop_small_components(mesh: TriangleMesh, share: float) -> tuple[TriangleMesh, int]:
    """The mesh without components smaller than `share` of the largest one's area, and the number dropped."""
    component = component_of_vertices(mesh)[mesh.faces[:, 0]]
    area = np.bincount(component, areas(mesh.vertices, mesh.faces))
    return _of_components(mesh, component, area >= share * area.max(initial=0.0))


def drop_unsupported_components(
    mesh: TriangleMesh, supported: NDArray[np.bool_], spacing: Array, fewest: float
) -> tuple[TriangleMesh, int]:
    """The mesh without poorly supported components, and the number dropped; the best one is always kept.

    The support of a component is expressed as a number of points: the area of its triangles whose vertices
    (V,) are supported, over the square of the spacing (V,) of the data there. A component with the
    support of `fewest` points is kept, however small it is relative to the others.
    """
    first = mesh.faces[:, 0]
    component = component_of_vertices(mesh)[first]
    borne_out = supported[mesh.faces].all(1)
    points = np.where(borne_out, areas(mesh.vertices, mesh.faces) / spacing[first] ** 2, 0.0)
    count = np.bincount(component, points)
    return _of_components(mesh, component, count >= min(fewest, count.max(initial=0.0)))


def _of_components(
    mesh: TriangleMesh, component: NDArray[np.int32], keep: NDArray[np.bool_]
) -> tuple[TriangleMesh, int]:
    """The mesh of the components to keep (C,), and how many are dropped. component: (F,)."""
    dropped = ~keep & (np.bincount(component) > 0)
    if not dropped.any():
        return mesh, 0
    return with_faces(mesh, mesh.faces[keep[component]]), int(dropped.sum())


def colors_at_vertices(colors: NDArray[Any], faces: NDArray[Any], count: int) -> NDArray[np.uint8]:
    """The mean color (count, 3) of the triangles around each vertex; white where there are none.

    colors: (F, 3) uint8, of triangles (F, 3).
    """
    corners = faces.ravel()
    around = np.bincount(corners, minlength=count)
    sums = [np.bincount(corners, np.repeat(channel, 3), minlength=count) for channel in colors.T]
    means = np.stack(sums, axis=1) / np.maximum(around, 1)[:, None]
    return np.rint(np.where(around[:, None] > 0, means, 255)).astype(np.uint8)


def welded(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh with vertices at equal positions merged; the first one's attributes are kept.

    Without welding, a closed mesh appears open if its format has no shared vertices (STL) or if normals or
    textures have seams.
    """
    import igl

    if not len(mesh.faces):
        return mesh
    found: Any = igl.remove_duplicate_vertices(mesh.vertices, mesh.faces, 0.0)
    _, first, _, faces = found
    if len(first) == len(mesh.vertices):
        return mesh
    return _selected(mesh, first, faces)


def without_unused(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh without the vertices that no triangle uses."""
    return with_faces(mesh, mesh.faces)


def with_faces(mesh: TriangleMesh, faces: Faces) -> TriangleMesh:
    """The mesh of triangles (F', 3) over its vertices, without the vertices that none of them uses."""
    used, renumbered = compacted(faces, len(mesh.vertices))
    return replace(mesh, faces=faces) if used.all() else _selected(mesh, used, renumbered)


def compacted(faces: Faces, count: int) -> tuple[NDArray[np.bool_], Faces]:
    """Which of `count` vertices the triangles (F, 3) use, and the triangles renumbered to those."""
    used = np.zeros(count, np.bool_)
    used[faces] = True
    return used, (np.cumsum(used) - 1)[faces]


def _selected(mesh: TriangleMesh, index: NDArray[Any], faces: Faces) -> TriangleMesh:
    """The vertices selected by `index` (or a mask), with their attributes, and new triangles over them."""
    return replace(
        mesh,
        vertices=mesh.vertices[index],
        faces=faces,
        normals=None if mesh.normals is None else mesh.normals[index],
        colors=None if mesh.colors is None else mesh.colors[index],
        scalars={name: values[index] for name, values in mesh.scalars.items()},
    )
