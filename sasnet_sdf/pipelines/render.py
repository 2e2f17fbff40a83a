"""What is made from a fitted image or volume: other samples, or the surface at a level."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..edges import Edges
from ..errors import UsageError
from ..extraction import extract_surface
from ..extraction.lattice import Lattice
from ..fitted import FittedSignal
from ..geometry import Array, TriangleMesh
from ..progress import OnProgress, silent


def isosurface(
    fitted: FittedSignal,
    level: float,
    *,
    resolution: int | None = None,
    channel: int = 0,
    max_memory: int | None = None,
    on_progress: OnProgress = silent,
) -> tuple[TriangleMesh, dict[str, Any]]:
    """Where a fitted volume has the value `level`, in its world frame, and facts of the surface.

    Outward is towards lower values. The surface ends, open, at the outermost samples: beyond them
    nothing is made up. resolution: cells along the longest side; two for each of the volume's finest
    unless given. Raises UsageError for an image or a level that the volume does not reach, NoSurface.
    """
    grid = fitted.grid
    if grid.dim != 3:
        raise UsageError("an isosurface is that of a volume, and the model is one of an image")
    if not 0 <= channel < len(fitted.low):
        raise UsageError(f"channel must lie between 0 and {len(fitted.low) - 1}, found {channel}")
    low, high = fitted.low[channel], fitted.high[channel]
    if not low < level < high:
        raise UsageError(f"isosurface must lie between {low:.6g} and {high:.6g}, found {level:g}")
    corners = grid.to_unit(np.array([[0, 0, 0], np.array(grid.shape) - 1]))
    extent = corners[1] - corners[0]
    if resolution is None:
        resolution = int(np.ceil(2 * extent.max() / (grid.spacing.min() / grid.half)))
    if not 8 <= resolution <= 4096:
        raise UsageError(f"resolution must lie between 8 and 4096, found {resolution}")
    cell = extent.max() / resolution
    i, j, k = (max(int(n), 1) for n in np.floor(extent / cell + 1e-9))
    lattice = Lattice(corners[0], cell, (i, j, k))
    half = (high - low) / 2

    def values(points: Array) -> Array:
        index = grid.from_unit(points)
        return (level - fitted.at_index(index)[:, channel]) / half

    def with_gradient(points: Array) -> tuple[Array, Array]:
        world = grid.to_world(grid.from_unit(points))
        slopes = -fitted.gradient(world)[:, channel] / half
        return values(points), slopes @ to_world

    # of the unit cube to the world, as gradients go the other way
    to_world = grid.affine[:-1, :-1] @ np.diag(grid.half / grid.spacing)
    surface = extract_surface(values, with_gradient, lattice, on_progress=on_progress, max_memory=max_memory)
    # a vertex moves onto the surface, but not beyond the last samples
    vertices = grid.to_world(np.clip(grid.from_unit(surface.vertices), 0, np.array(grid.shape) - 1))
    normals = surface.normals @ np.linalg.inv(to_world)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    faces = surface.faces if np.linalg.det(to_world) > 0 else np.ascontiguousarray(surface.faces[:, ::-1])
    mesh = TriangleMesh(vertices, faces, normals)
    edges = Edges.of(faces)
    facts = {
        "level": level,
        "resolution": resolution,
        "vertices": len(vertices),
        "faces": len(faces),
        "boundary_edges": edges.boundary,
        "boundary_loops": edges.loops,
        "non_manifold_edges": edges.branching,
        "evaluations": surface.evaluations,
    }
    return mesh, facts
