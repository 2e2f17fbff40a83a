"""Connected pieces of a mesh, and the removal of the small ones that float in empty space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..geometry import TriangleMesh


def component_of_faces(mesh: TriangleMesh) -> NDArray[np.int64]:
    """The number (F,) of the connected component that each triangle belongs to, from 0."""
    a, b, c = mesh.faces.T
    ends = np.concatenate([a, b]), np.concatenate([b, c])
    links = coo_array((np.ones(len(ends[0]), np.bool_), ends), shape=(len(mesh.vertices),) * 2)
    component = connected_components(links, directed=False)[1][a]
    return np.unique(component, return_inverse=True)[1].astype(np.int64)


def drop_small_components(mesh: TriangleMesh, share: float) -> tuple[TriangleMesh, int]:
    """Without the components of less than `share` of the largest one's area, and how many those are."""
    component = component_of_faces(mesh)
    a, b, c = (mesh.vertices[mesh.faces[:, n]] for n in range(3))
    areas = np.bincount(component, np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2)
    large = areas >= share * areas.max(initial=0.0)
    if large.all():
        return mesh, 0
    return _with_faces(mesh, large[component]), int((~large).sum())


def _with_faces(mesh: TriangleMesh, keep: NDArray[np.bool_]) -> TriangleMesh:
    """The mesh of some of its triangles, without the vertices that none of them uses."""
    faces = mesh.faces[keep]
    used = np.zeros(len(mesh.vertices), np.bool_)
    used[faces] = True
    renumbered = np.cumsum(used) - 1
    normals = None if mesh.normals is None else mesh.normals[used]
    colors = None if mesh.colors is None else mesh.colors[used]
    return TriangleMesh(mesh.vertices[used], renumbered[faces], normals, colors)
