"""Triangles from polygons, and vertices that lie at one place made one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import TriangleMesh


def fans(corners: NDArray, sizes: NDArray) -> NDArray[np.int64]:
    """Polygons cut into fans around their first corner: (F, 3) triangles.

    corners: vertex indices of all polygons, one after the other; sizes (P,): corners of each.
    Those with fewer than three corners give none.
    """
    first = np.cumsum(sizes) - sizes
    triangles = np.maximum(sizes - 2, 0)
    apex = np.repeat(first, triangles)
    step = np.arange(len(apex)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return corners[np.stack([apex, apex + step + 1, apex + step + 2], axis=1)].astype(np.int64)


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


def _taken(mesh: TriangleMesh, index: NDArray) -> TriangleMesh:
    """The vertices at `index`, or of a mask, with their attributes; the faces are left as they are."""
    return replace(
        mesh,
        vertices=mesh.vertices[index],
        normals=None if mesh.normals is None else mesh.normals[index],
        colors=None if mesh.colors is None else mesh.colors[index],
        scalars={name: values[index] for name, values in mesh.scalars.items()},
    )
