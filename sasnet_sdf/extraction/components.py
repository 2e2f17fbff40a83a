"""Connected pieces of a mesh, and the removal of the small ones that float in empty space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..geometry import Array, TriangleMesh
from ..progress import tick
from .triangles import areas


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
