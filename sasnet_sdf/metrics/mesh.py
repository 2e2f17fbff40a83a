"""What a mesh is by itself: its size, its edges, its pieces, what it covers and encloses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..edges import Edges
from ..extraction.components import component_of_vertices
from ..geometry import TriangleMesh
from ..supervision.mesh import is_closed, signed_volume


def mesh_figures(mesh: TriangleMesh) -> dict[str, Any]:
    """Counts, area and volume of a mesh in world units, whose vertices are shared by its triangles.

    watertight: every edge belongs to two triangles that run along it in opposite directions. volume:
    negative where the mesh is inside out; None where it is not watertight.
    """
    edges, watertight = Edges.of(mesh.faces), is_closed(mesh.faces)
    # far from the origin the terms of the volume would cancel
    vertices = mesh.vertices - mesh.vertices.mean(0)
    a, b, c = (vertices[mesh.faces[:, k]] for k in range(3))
    return {
        "vertices": len(vertices),
        "faces": len(mesh.faces),
        "boundary_edges": edges.boundary,
        "nonmanifold_edges": edges.branching,
        "components": len(np.unique(component_of_vertices(mesh)[mesh.faces[:, 0]])),
        "watertight": watertight,
        "area": float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2),
        "volume": signed_volume(vertices, mesh.faces) if watertight else None,
    }
