"""Fewer triangles, by quadric edge collapse (Garland & Heckbert 1997) of fast-simplification."""

from __future__ import annotations

import numpy as np

from .._optional import require
from ..geometry import TriangleMesh


def decimate(mesh: TriangleMesh, faces: int) -> TriangleMesh:
    """The mesh with about `faces` triangles; normals are those of the triangles around a vertex.

    Colours are lost. A mesh that is small enough comes back as it is. Raises MissingBackend where
    fast-simplification is not installed.
    """
    if len(mesh.faces) <= faces:
        return mesh
    library = require("fast_simplification", "decimate", "decimation")
    centre = mesh.vertices.mean(0)
    size = np.abs(mesh.vertices - centre).max()
    vertices, triangles = library.simplify(
        (mesh.vertices - centre) / size, mesh.faces.astype(np.int32), target_count=faces
    )
    return TriangleMesh(vertices * size + centre, triangles.astype(np.int64))
