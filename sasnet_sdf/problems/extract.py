"""From a trained field to a mesh in world units: extracted, trimmed to the data, decimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..config import ExtractionConfig
from ..errors import NoSurface
from ..extraction import (
    REACH,
    Capped,
    Lattice,
    Refined,
    Support,
    Surface,
    Trimmed,
    decimate,
    extract_surface,
    held_to_length,
    lattice_around,
    trim_by_spacing,
    trim_to_length,
)
from ..extraction.descent import GradientField, ValueField
from ..geometry import Array, Frame, TriangleMesh
from ..mesh import Edges, at_boundary, drop_small_components, drop_unsupported_components
from ..runtime.memory import SurfaceMemory
from ..runtime.progress import steps
from ..supervision import CloudTarget, MeshTarget

MOVED = 1e-3
"""The displacement, in cells, from which on a vertex counts as moved."""


@dataclass(frozen=True)
class Extraction:
    """A surface that was extracted from a field or a volume. `mesh, report = extraction` unpacks it.

    mesh: in world units. report: figures of the extraction (docs/report.md, `extraction` and `trim`).
    """

    mesh: TriangleMesh
    report: dict[str, Any]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.mesh, self.report))

    def __repr__(self) -> str:
        return f"Extraction\n  mesh: {described(self.mesh, self.report)}"


def described(mesh: TriangleMesh, facts: dict[str, Any]) -> str:
    """A short description of the size of a mesh."""
    closed = "open" if facts["boundary_edges"] else "closed"
    return f"{len(mesh.vertices):,} vertices, {len(mesh.faces):,} triangles, {closed}"


class DistanceField(Protocol):
    """A signed distance in the unit cube of a frame; low and high (3,) bound the data.

    support: where the data are, or None. unit_distance gives values (N,) at points (N, 3); unit_gradient
    gives values (N,) and gradients (N, 3).
    """

    @property
    def frame(self) -> Frame: ...
    @property
    def support(self) -> Support | None: ...
    @property
    def low(self) -> Array: ...
    @property
    def high(self) -> Array: ...
    def unit_distance(self, points: Array) -> Array: ...
    def unit_gradient(self, points: Array) -> tuple[Array, Array]: ...


def surface_of(
    field: DistanceField,
    config: ExtractionConfig,
    memory: SurfaceMemory,
    data: CloudTarget | MeshTarget | None = None,
) -> tuple[TriangleMesh, dict[str, Any]]:
    """The surface of a field, in world units, and facts about its extraction.

    If `data` are given and the setting `refine` is on, the mesh follows the data. Raises NoSurface, or
    UsageError if the lattice would need more memory than is allowed.
    """
    lattice = lattice_of(config, field.frame, field.low, field.high)

    free, refined = (field.unit_distance, field.unit_gradient), None
    if data is not None and config.refine == "auto":
        refined = Refined(*free, data.evidence, lattice.cell, data.trust)
        free = refined.distance, refined.gradient
    # noise would produce creases that are not in the surface
    creases = refined is not None and refined.trust == 1.0

    def sampled(values: ValueField, gradients: GradientField) -> Surface:
        return extract_surface(values, gradients, lattice, creases=creases, memory=memory)

    step = steps()
    step(0.7)
    capped = Capped.inside(lattice, *free)
    surface = sampled(*((capped.distance, capped.gradient) if config.watertight else free))
    step(0.8)
    mesh, facts = _finished(surface, field, config, at_boundary(surface.faces, len(surface.vertices)))
    unclosed = bool(facts["trim"]["solid"] and facts["boundary_edges"])
    if unclosed:
        # closed except at the lattice's border, beyond which the field closes a hole in the data
        step(0.95)
        surface = sampled(capped.distance, capped.gradient)
        step(1.0)
        mesh, facts = _finished(surface, field, config, capped.at_walls(surface.vertices))
    facts["trim"]["capped"] = unclosed or config.watertight
    facts["refinement"] = _refinement(field, mesh, refined, lattice.cell)
    return replace(mesh, vertices=field.frame.to_world(mesh.vertices)), {
        "resolution": lattice.resolution,
        "edge_length": lattice.cell * field.frame.scale,
        "lattice": [int(n) for n in lattice.shape],
        **facts,
    }


def _refinement(
    field: DistanceField, mesh: TriangleMesh, refined: Refined | None, cell: float
) -> dict[str, Any]:
    """How far the data moved the surface away from that of the network, in world units."""
    if refined is None:
        return {"mode": "off", "trust": 0.0, "vertices_moved": 0, "mean": 0.0, "maximum": 0.0}
    # near its surface, the field's value is the distance to that surface
    moved = np.abs(field.unit_distance(mesh.vertices)).astype(np.float64)
    return {
        "mode": "auto",
        "trust": refined.trust,
        "vertices_moved": int((moved > MOVED * cell).sum()),
        "mean": float(moved.mean()) * field.frame.scale,
        "maximum": float(moved.max()) * field.frame.scale,
    }


def lattice_of(config: ExtractionConfig, frame: Frame, low: Array, high: Array) -> Lattice:
    """The lattice around the data between low (3,) and high (3,) in the unit cube of `frame`."""
    cell = 2 / config.resolution
    if config.edge_length is not None:
        cell = config.edge_length / frame.scale
    return lattice_around(low, high, cell)


def _finished(
    surface: Surface, field: DistanceField, config: ExtractionConfig, ends: NDArray[np.bool_]
) -> tuple[TriangleMesh, dict[str, Any]]:
    """The surface in the unit cube, trimmed and decimated according to the settings, and facts about it."""
    step = steps()
    step(0.6, "trimming")
    mesh, trim = kept_part(
        TriangleMesh(surface.vertices, surface.faces, surface.normals),
        field.support,
        config,
        field.frame.scale,
        ends,
    )
    if config.faces is not None:
        step(0.9, "decimating")
        mesh = decimate(mesh, config.faces)
        if trim["length"] is not None and field.support is not None:
            mesh = held_to_length(mesh, field.support, trim["length"] / field.frame.scale)
    step(1.0, "counting edges")
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


FEWEST = 200
"""Number of points from which on a piece counts as a separate object."""


def kept_part(
    mesh: TriangleMesh,
    support: Support | None,
    config: ExtractionConfig,
    scale: float,
    ends: NDArray[np.bool_],
) -> tuple[TriangleMesh, dict[str, Any]]:
    """The part of a surface in the unit cube that is kept, and facts about it (lengths in world units).

    scale: world units per unit of the cube. ends: (V,) whether the surface ends at a vertex because the
    lattice ends there. Without support nothing is trimmed, and pieces are kept by their area. Raises
    NoSurface if nothing is left.
    """
    facts: dict[str, Any] = {"mode": mode_of(config) if support else "off", "length": None, "reach": None}
    dropped = 0
    if support is None:
        if not config.keep_components:
            mesh, dropped = drop_small_components(mesh, config.smallest_component)
        return mesh, facts | {"solid": False, "removed": 0.0, "components_dropped": dropped}
    distance, spacing = support.distance(mesh.vertices)
    apart = np.flatnonzero(distance > spacing)
    distance[apart[support.against(mesh, apart)]] = np.inf
    trimmed = _trimmed(mesh, distance, spacing, support, config, scale, ends)
    mesh, source = trimmed.mesh, trimmed.source
    if not len(mesh.faces):
        raise NoSurface(_nothing_left(float(distance.min()) * scale, config.trim))
    if not config.keep_components:
        fewest = min(FEWEST, config.smallest_component * len(support))
        borne = (distance <= REACH * spacing)[source] & ~ends[source]
        mesh, dropped = drop_unsupported_components(mesh, borne, spacing[source], fewest)
    return mesh, facts | {
        "length": None if trimmed.length is None else trimmed.length * scale,
        "reach": None if trimmed.reach is None else trimmed.reach * scale,
        "solid": trimmed.solid,
        "removed": trimmed.removed,
        "holes_filled": trimmed.filled,
        "widest_gap": trimmed.widest,
        "components_dropped": dropped,
    }


def mode_of(config: ExtractionConfig) -> str:
    """The trimming mode: auto, length, watertight or off."""
    if config.watertight:
        return "watertight"
    return config.trim if isinstance(config.trim, str) else "length"


def _trimmed(
    mesh: TriangleMesh,
    distance: np.ndarray,
    spacing: np.ndarray,
    support: Support,
    config: ExtractionConfig,
    scale: float,
    ends: NDArray[np.bool_],
) -> Trimmed:
    if not isinstance(config.trim, str):
        return trim_to_length(mesh, distance, support, config.trim / scale)
    if mode_of(config) == "auto":
        return trim_by_spacing(mesh, distance, spacing, support, ends)
    return Trimmed.nothing(mesh)


def _nothing_left(nearest: float, trim: float | str) -> str:
    if isinstance(trim, str):
        return "the field has no surface near the data; train for more steps, or check the normals"
    return (
        f"no surface lies within {trim:.6g} of the data, the nearest is {nearest:.3g} away: trim farther out"
    )
