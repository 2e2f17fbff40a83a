"""From a trained field to a mesh in world units."""

from __future__ import annotations

from typing import Any

from ..config import ExtractionConfig
from ..extraction import decimate, drop_small_components, extract_surface, lattice_around
from ..field import Field
from ..geometry import TriangleMesh
from ..progress import OnProgress, silent
from .settings import make_config


def extract(
    field: Field,
    *,
    resolution: int | None = None,
    edge_length: float | None = None,
    keep_components: bool = False,
    faces: int | None = None,
    max_memory: int | str | None = None,
    on_progress: OnProgress = silent,
) -> tuple[TriangleMesh, dict[str, Any]]:
    """The surface of a field at any resolution, in world units, and the facts of its extraction.

    resolution: lattice cells along the side of the unit cube. edge_length: a cell's side, in world
    units. Raises NoSurface, or UsageError where the lattice would need more than max_memory.
    """
    config = make_config(
        resolution=resolution,
        edge_length=edge_length,
        keep_components=keep_components,
        faces=faces,
        max_memory=max_memory,
    )
    return surface_of(field, config.extraction, config.max_memory, on_progress)


def surface_of(
    field: Field, config: ExtractionConfig, max_memory: int | None, on_progress: OnProgress
) -> tuple[TriangleMesh, dict[str, Any]]:
    """The same, from settings."""
    cell = 2 / config.resolution
    if config.edge_length is not None:
        cell = config.edge_length / field.frame.scale
    lattice = lattice_around(field.low, field.high, cell)
    surface = extract_surface(
        field.unit_distance, field.unit_gradient, lattice, on_progress=on_progress, max_memory=max_memory
    )
    evaluations = {
        "evaluations": surface.evaluations,
        "lattice_evaluations": surface.lattice_evaluations,
    }
    mesh = TriangleMesh(field.frame.to_world(surface.vertices), surface.faces, surface.normals)
    del surface  # its vertices in the unit cube would outlive their use
    dropped = 0
    if not config.keep_components:
        mesh, dropped = drop_small_components(mesh, config.smallest_component)
    if config.faces is not None:
        mesh = decimate(mesh, config.faces)
    facts = {
        "resolution": round(2 / cell),
        "edge_length": cell * field.frame.scale,
        "lattice": [int(n) for n in lattice.shape],
        **evaluations,
        "components_dropped": dropped,
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
    }
    return mesh, facts
