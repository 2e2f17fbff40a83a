"""What can be said about a cloud, a mesh or a model in numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import SupervisionConfig
from ..errors import Finding, SasnetError, notes, warning
from ..field import Field
from ..fitted import FittedSignal
from ..geometry import PointCloud, TriangleMesh
from ..io.columns import finite
from ..io.validate import validated
from ..mesh import Edges
from ..metrics import Points
from ..problems.selection import selected
from ..problems.signal import ranges
from ..settings import to_dict
from ..signals import Signal
from ..spatial import first_of_equals


def cloud_facts(cloud: PointCloud) -> dict[str, Any]:
    """Points, extent in world units, attributes, and what its reader says.

    sensors: the places that it was seen from. spacing: the median distance to the nearest other point,
    None of fewer than two. Extent and spacing are those of its finite points.
    """
    usable = finite(cloud.points)
    return {
        "kind": "point cloud",
        "points": len(cloud),
        **_extent(cloud.points[usable]),
        "attributes": [name for name in ("normals", "colors", "sensors") if getattr(cloud, name) is not None],
        "scalars": list(cloud.scalars),
        "sensors": 0 if cloud.sensors is None else len(first_of_equals(cloud.sensors)),
        "spacing": _number(Points(cloud.points[usable]).spacing()) if usable.sum() > 1 else None,
        "notes": [*cloud.notes, *_missing(usable, "points")],
    }


def checked(cloud: PointCloud, name: str) -> list[Finding]:
    """What `reconstruct` finds in a cloud before it starts; what would end it is a warning here."""
    try:
        usable, told = validated(cloud, name)
        found, _ = selected(usable, SupervisionConfig(), name)
    except SasnetError as error:
        return [warning(str(error).removeprefix(f"{name}: "))]
    # cloud_facts tells the rest
    said = [text for text in told if text not in cloud.notes and "points are not finite" not in text]
    return notes(said) + found.findings


def mesh_facts(mesh: TriangleMesh) -> dict[str, Any]:
    """Vertices, faces, extent in world units of finite vertices, attributes, and whether it is closed."""
    edges, usable = Edges.of(mesh.faces), finite(mesh.vertices)
    return {
        "kind": "mesh",
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        **_extent(mesh.vertices[usable]),
        "attributes": [name for name in ("normals", "colors") if getattr(mesh, name) is not None],
        "scalars": list(mesh.scalars),
        "closed": edges.boundary == 0 and edges.branching == 0,
        "boundary_edges": edges.boundary,
        "boundary_loops": edges.loops,
        "non_manifold_edges": edges.branching,
        "notes": [*mesh.notes, *_missing(usable, "vertices")],
    }


def signal_facts(signal: Signal, told: list[str]) -> dict[str, Any]:
    """Samples along the axes, channels, type, range of the values, and where an image or volume lies."""
    low, high, missing = ranges(signal)
    volume = signal.grid.dim == 3
    return {
        "kind": "volume" if volume else "image",
        "shape": list(signal.grid.shape),
        "channels": signal.channels,
        "dtype": str(signal.values.dtype),
        "low": [None if np.isnan(value) else value for value in low.tolist()],
        "high": [None if np.isnan(value) else value for value in high.tolist()],
        "not_finite": missing,
        **(
            {"spacing": signal.grid.spacing.tolist(), "origin": signal.grid.affine[:3, 3].tolist()}
            if volume
            else {}
        ),
        "notes": told,
    }


def model_facts(field: Field | FittedSignal) -> dict[str, Any]:
    """Architecture, parameters, frame or grid, and training facts of a trained field, image or volume."""
    surface = isinstance(field, Field)
    return {
        "kind": "model" if surface else f"model of {'an' if field.kind == 'image' else 'a'} {field.kind}",
        "parameters": sum(parameter.numel() for parameter in field.model.parameters()),
        "network": to_dict(field.model.config),  # pyright: ignore[reportArgumentType]
        **({"frame": field.frame.to_dict()} if surface else {"grid": field.grid.to_dict()}),
        "training": field.metadata,
    }


def _extent(points: np.ndarray) -> dict[str, Any]:
    low, high = points.min(0), points.max(0)
    with np.errstate(over="ignore"):
        diagonal = math.hypot(*(high - low))
    return {"low": low.tolist(), "high": high.tolist(), "diagonal": _number(diagonal)}


def _number(value: float) -> float | None:
    """None for what JSON has no number for."""
    return value if math.isfinite(value) else None


def _missing(usable: NDArray[np.bool_], what: str) -> list[str]:
    missing = int((~usable).sum())
    return [f"{missing} of {len(usable)} {what} are not finite"] if missing else []
