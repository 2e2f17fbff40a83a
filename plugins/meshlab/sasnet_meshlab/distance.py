"""compute_scalar_by_sasnet_distance_per_vertex: distances of vertices from another layer's surface."""

from __future__ import annotations

from typing import Any

import numpy as np

from sasnet_sdf import UnusableGeometry, UsageError

from .filters import Filter, OnProgress, Parameter
from .layers import store_scalar, vertices_of
from .reconstruction import TRAINING, source_of, training_settings

COARSE = 128
"""Resolution of the surface, which is extracted only to check that one exists."""


def _current(mesh_set: Any) -> int:
    return mesh_set.current_mesh_id()


def _another(mesh_set: Any) -> int:
    """The first layer other than the current one; the current one if there is no other."""
    current = mesh_set.current_mesh_id()
    return next((layer.id() for layer in mesh_set if layer.id() != current), current)


PARAMETERS = (
    Parameter("measuremesh", "layer", _current, "The layer whose vertices are measured."),
    Parameter(
        "refmesh",
        "layer",
        _another,
        "The layer that they are measured from: a field is trained on its points or triangles.",
    ),
    Parameter("modelfile", "str", "", "A saved field (.sasnet), instead of training one on refmesh."),
    Parameter("signeddist", "bool", True, "Distances are negative inside; off: distances without a sign."),
    *TRAINING,
)


def _run(mesh_set: Any, values: dict[str, Any], on_progress: OnProgress) -> dict[str, Any]:
    from sasnet_sdf import Field, reconstruct

    measured = _layer(mesh_set, "measuremesh", values)
    if values["modelfile"]:
        field = Field.load(values["modelfile"])
    else:
        reference = source_of([_layer(mesh_set, "refmesh", values)])
        settings = training_settings(values)
        field = reconstruct(
            reference, **settings, resolution=COARSE, tiles="off", on_progress=on_progress
        ).field
    vertices = vertices_of(measured)
    if not len(vertices):
        raise UnusableGeometry("measuremesh has no vertices")
    distances = field.distance(vertices)
    if not values["signeddist"]:
        distances = np.abs(distances)
    attribute = store_scalar(mesh_set, measured, distances)
    return {
        "attribute": attribute,
        "min": float(distances.min()),
        "max": float(distances.max()),
        "mean": float(distances.mean()),
    }


def _layer(mesh_set: Any, name: str, values: dict[str, Any]) -> Any:
    if not mesh_set.mesh_id_exists(values[name]):
        raise UsageError(f"{name}: there is no layer {values[name]}")
    return mesh_set.mesh(values[name])


DISTANCE = Filter(
    "compute_scalar_by_sasnet_distance_per_vertex",
    "Distance from SASNet Surface",
    "Set the scalar of a layer's vertices to their signed distances from the surface of another layer, or "
    "of a saved field.",
    PARAMETERS,
    _run,
)
