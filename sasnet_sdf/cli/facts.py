"""What can be said about a cloud, a mesh or a model in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..config import to_dict
from ..edges import Edges
from ..field import Field
from ..fitted import FittedSignal
from ..geometry import PointCloud, TriangleMesh
from ..metrics import Points
from ..pipelines.fit_signal import ranges
from ..signals import Signal
from ..supervision.duplicates import first_of_equals


def cloud_facts(cloud: PointCloud) -> dict[str, Any]:
    """Points, extent in world units, attributes, and what its reader says.

    sensors: the places that it was seen from. spacing: the median distance to the nearest other point.
    """
    return {
        "kind": "point cloud",
        "points": len(cloud),
        **_extent(cloud.points),
        "attributes": [name for name in ("normals", "colors", "sensors") if getattr(cloud, name) is not None],
        "scalars": list(cloud.scalars),
        "sensors": 0 if cloud.sensors is None else len(first_of_equals(cloud.sensors)),
        "spacing": Points(cloud.points).spacing(),
        "notes": list(cloud.notes),
    }


def mesh_facts(mesh: TriangleMesh) -> dict[str, Any]:
    """Vertices, faces, extent in world units, attributes, and whether the mesh is closed."""
    edges = Edges.of(mesh.faces)
    return {
        "kind": "mesh",
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        **_extent(mesh.vertices),
        "attributes": [name for name in ("normals", "colors") if getattr(mesh, name) is not None],
        "scalars": list(mesh.scalars),
        "closed": edges.boundary == 0 and edges.branching == 0,
        "boundary_edges": edges.boundary,
        "boundary_loops": edges.loops,
        "non_manifold_edges": edges.branching,
    }


def signal_facts(signal: Signal, notes: list[str]) -> dict[str, Any]:
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
        **({"spacing": signal.grid.spacing.tolist()} if volume else {}),
        "notes": notes,
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
    return {
        "low": low.tolist(),
        "high": high.tolist(),
        "diagonal": float(np.linalg.norm(high - low)),
    }
