"""From a trained field to a mesh in world units."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..config import ExtractionConfig
from ..edges import Edges
from ..extraction import (
    Capped,
    Lattice,
    Needs,
    Surface,
    decimate,
    extract_surface,
    held_to_length,
    lattice_around,
)
from ..extraction.descent import ValueField
from ..extraction.surface import GradientField
from ..field import Field
from ..geometry import Array, Frame, TriangleMesh
from ..progress import OnProgress, silent
from .memory import field_needs
from .settings import make_config
from .trimming import kept_part


def extract(
    field: Field,
    *,
    resolution: int | None = None,
    edge_length: float | None = None,
    trim: str | float | None = None,
    watertight: bool = False,
    keep_components: bool = False,
    faces: int | None = None,
    max_memory: int | str | None = None,
    on_progress: OnProgress = silent,
) -> tuple[TriangleMesh, dict[str, Any]]:
    """The surface of a field at any resolution, in world units, and the facts of its extraction.

    resolution: lattice cells along the side of the unit cube. edge_length: a cell's side, in world
    units. trim: "auto", "off", or the length in world units from the data beyond which no surface
    stays. watertight: close what is open instead. Raises NoSurface, or UsageError where the lattice
    would need more than max_memory.
    """
    config = make_config(
        resolution=resolution,
        edge_length=edge_length,
        trim=trim,
        watertight=watertight,
        keep_components=keep_components,
        faces=faces,
        max_memory=max_memory,
    )
    return surface_of(field, config.extraction, config.max_memory, on_progress)


def surface_of(
    field: Field, config: ExtractionConfig, max_memory: int | None, on_progress: OnProgress
) -> tuple[TriangleMesh, dict[str, Any]]:
    """The same, from settings."""
    lattice = lattice_of(config, field.frame, field.low, field.high)
    needs = Needs() if max_memory is None else field_needs(field.unit_gradient, config.faces)

    def sampled(values: ValueField, gradients: GradientField) -> Surface:
        return extract_surface(
            values, gradients, lattice, on_progress=on_progress, max_memory=max_memory, needs=needs
        )

    free = field.unit_distance, field.unit_gradient
    capped = Capped.inside(lattice, *free)
    surface = sampled(*((capped.distance, capped.gradient) if config.watertight else free))
    mesh, facts = _finished(surface, field, config)
    if facts["trim"]["solid"] and facts["boundary_edges"]:
        # it is closed but for the lattice's border, across which the field closes a hole in the data
        surface = sampled(capped.distance, capped.gradient)
        mesh, facts = _finished(surface, field, config)
    return replace(mesh, vertices=field.frame.to_world(mesh.vertices)), {
        "resolution": round(2 / lattice.cell),
        "edge_length": lattice.cell * field.frame.scale,
        "lattice": [int(n) for n in lattice.shape],
        **facts,
    }


def lattice_of(config: ExtractionConfig, frame: Frame, low: Array, high: Array) -> Lattice:
    """The lattice around the data between low (3,) and high (3,) in the unit cube of `frame`."""
    cell = 2 / config.resolution
    if config.edge_length is not None:
        cell = config.edge_length / frame.scale
    return lattice_around(low, high, cell)


def _finished(
    surface: Surface, field: Field, config: ExtractionConfig
) -> tuple[TriangleMesh, dict[str, Any]]:
    """What is kept of a surface, with the number of triangles that is asked for; in the unit cube."""
    mesh, trim = kept_part(
        TriangleMesh(surface.vertices, surface.faces, surface.normals),
        field.support,
        config,
        field.frame.scale,
    )
    if config.faces is not None:
        mesh = decimate(mesh, config.faces)
        if trim["length"] is not None and field.support is not None:
            mesh = held_to_length(mesh, field.support, trim["length"] / field.frame.scale)
    edges = Edges.of(mesh.faces)
    return mesh, {
        "evaluations": surface.evaluations,
        "lattice_evaluations": surface.lattice_evaluations,
        "components_dropped": trim.pop("components_dropped"),
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "boundary_edges": edges.boundary,
        "boundary_loops": edges.loops,
        "non_manifold_edges": edges.branching,
        "trim": {"mode": trim.pop("mode"), "closed": not edges.boundary, **trim},
    }
