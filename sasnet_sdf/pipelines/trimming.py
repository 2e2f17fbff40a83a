"""What of an extracted surface is kept: by its distance from the data, piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import ExtractionConfig
from ..errors import NoSurface
from ..extraction import (
    REACH,
    Support,
    Trimmed,
    trim_by_spacing,
    trim_to_length,
)
from ..geometry import TriangleMesh
from ..mesh import drop_small_components, drop_unsupported_components

FEWEST = 200
"""Points that make a piece an object of its own."""


def kept_part(
    mesh: TriangleMesh,
    support: Support | None,
    config: ExtractionConfig,
    scale: float,
    ends: NDArray[np.bool_],
) -> tuple[TriangleMesh, dict[str, Any]]:
    """What of a surface in the unit cube is kept, and the facts about it, lengths in world units.

    scale: world units per unit of the cube. ends: (V,) the vertices where the lattice ends the surface.
    Without support nothing is trimmed, and pieces are told by their area. Raises NoSurface where
    nothing is left.
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
    """auto, length, watertight or off."""
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
        return "the field has no surface near the data; train for more steps, or look at the normals"
    return (
        f"no surface lies within {trim:.6g} of the data, the nearest is {nearest:.3g} away: trim farther out"
    )
