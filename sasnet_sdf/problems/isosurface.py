"""Extracts an isosurface of a fitted volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import NoSurface, UsageError
from ..extraction import Lattice, extract_surface
from ..fitted import FittedSignal
from ..geometry import Array, TriangleMesh
from ..mesh import Edges
from ..runtime.progress import OnProgress, silent, stage
from ..runtime.system import parse_memory
from .extract import Extraction
from .problem import surface_memory


def isosurface(
    fitted: FittedSignal | str | Path,
    level: float,
    *,
    resolution: int | None = None,
    channel: int = 0,
    max_memory: int | str | None = None,
    on_progress: OnProgress = silent,
) -> Extraction:
    """Extract the surface on which a fitted volume has the value `level`, in the volume's world frame.

    The outward side is that of the lower values. The surface is open at the outermost samples: nothing is
    extrapolated beyond them.

    fitted: a volume from fit_volume, or a path to its model file.

    level: a value between the lowest and the highest value of the channel, in the units of the samples.

    resolution: cells along the longest side, 8 to 4096; by default two per finest sample spacing.

    channel: which channel of the volume, from 0.

    max_memory: such as "4G"; a lattice for which the process would hold more is refused.

    on_progress: called several times a second with a Progress; returning False raises Interrupted.

    Raises UsageError for an image or for a level that the volume does not reach; NoSurface; Interrupted.

        fitted = sasnet_sdf.fit_volume("volume.npz")
        sasnet_sdf.isosurface(fitted, 0.5).mesh.save("bone.ply")
    """
    fitted = fitted if isinstance(fitted, FittedSignal) else FittedSignal.load(fitted)
    grid = fitted.grid
    if grid.dim != 3:
        raise UsageError("only a volume has isosurfaces, and this is the model of an image")
    if not 0 <= channel < len(fitted.low):
        raise UsageError(f"channel must lie between 0 and {len(fitted.low) - 1}, found {channel}")
    low, high = fitted.low[channel], fitted.high[channel]
    if not low < level < high:
        raise UsageError(
            f"the level of an isosurface must lie between {low:.6g} and {high:.6g}, found {level:g}"
        )
    last = np.array(grid.shape) - 1
    extent = last * grid.spacing / grid.half
    if resolution is None:
        resolution = int(np.clip(2 * extent.max() * grid.half / grid.spacing.min(), 8, 4096))
    if not 8 <= resolution <= 4096:
        raise UsageError(f"resolution must lie between 8 and 4096, found {resolution}")
    cell = extent.max() / resolution
    i, j, k = (int(n) for n in np.ceil(extent / cell - 1e-9))
    lattice = Lattice(np.zeros(3), cell, (i, j, k))
    # cells are cubes in the lattice, and then shrunk slightly so that the last one ends at the last sample
    step = last / (np.array([i, j, k]) * cell)
    half = (high - low) / 2

    def values(points: Array) -> Array:
        return (level - fitted.at_index(points * step)[:, channel]) / half

    def with_gradient(points: Array) -> tuple[Array, Array]:
        return values(points), -fitted.slopes_at_index(points * step)[:, channel] * step / half

    memory = surface_memory(None if max_memory is None else parse_memory(max_memory), with_gradient)
    try:
        with stage("extraction", on_progress):
            surface = extract_surface(values, with_gradient, lattice, memory=memory)
    except NoSurface as error:
        raise NoSurface(f"the volume has no surface at {level:g}: take another level") from error
    # vertices are moved onto the surface, but not beyond the last samples
    vertices = grid.to_world(np.clip(surface.vertices * step, 0, last))
    to_world = grid.affine[:-1, :-1] @ np.diag(step)
    normals = surface.normals @ np.linalg.inv(to_world)  # normals transform by the inverse transpose
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
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
    return Extraction(mesh, facts)
