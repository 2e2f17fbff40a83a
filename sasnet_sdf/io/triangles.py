"""Vertices that lie at one place made one, unused ones left out, and colors of faces brought to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import TriangleMesh


def colors_at_vertices(colors: NDArray, faces: NDArray, count: int) -> NDArray[np.uint8]:
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


def _taken(mesh: TriangleMesh, index: NDArray) -> TriangleMesh:
    """The vertices at `index`, or of a mask, with their attributes; the faces are left as they are."""
    return replace(
        mesh,
        vertices=mesh.vertices[index],
        normals=None if mesh.normals is None else mesh.normals[index],
        colors=None if mesh.colors is None else mesh.colors[index],
        scalars={name: values[index] for name, values in mesh.scalars.items()},
    )
