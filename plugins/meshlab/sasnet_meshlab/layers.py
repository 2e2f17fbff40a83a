"""Conversion between layers of a MeshSet and geometry, in the coordinates in which layers are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasnet_sdf import PointCloud, TriangleMesh

from .versions import load, transform_of

SCALAR = "scalar"
"""The name that the scalar of a layer's vertices has in a cloud or mesh."""
ATTRIBUTE = "sasnet_distance"
"""The name of the custom attribute through which distances become a layer's scalar."""


def layers_of(mesh_set: Any, visible: bool) -> list[Any]:
    """Return the visible layers, or the current one alone."""
    return [layer for layer in mesh_set if layer.is_visible()] if visible else [mesh_set.current_mesh()]


def diagonal(layers: Sequence[Any]) -> float:
    """Return the diagonal of the layers' common bounding box; 0 where they have no vertex."""
    points = np.concatenate([vertices_of(layer) for layer in layers]) if layers else np.zeros((0, 3))
    return float(np.linalg.norm(np.ptp(points, axis=0))) if len(points) else 0.0


def vertices_of(layer: Any) -> NDArray[Any]:
    """Return the vertices (N, 3) of a layer, with its transform applied."""
    layer.compact()  # vertices that a filter deleted may still be in the arrays
    return layer.transformed_vertex_matrix()


def geometry_of(
    layers: Sequence[Any], colors: bool = False, scalar: bool = False
) -> PointCloud | TriangleMesh:
    """Return the layers as one mesh where all have faces, else as one cloud.

    The result has colors and scalars if requested and present in all layers, and normals unless they
    are all zero, which is how PyMeshLab stores missing normals.
    """
    points = np.concatenate([vertices_of(layer) for layer in layers])
    painted = colors and all(layer.has_vertex_color() for layer in layers)
    measured = scalar and all(layer.has_vertex_scalar() for layer in layers)
    paint = np.concatenate([_colors(layer) for layer in layers]) if painted else None
    scalars = {SCALAR: np.concatenate([layer.vertex_scalar_array() for layer in layers])} if measured else {}
    if all(layer.face_number() for layer in layers):
        first = np.cumsum([0, *(layer.vertex_number() for layer in layers)])
        faces = np.concatenate([_faces(layer) + start for layer, start in zip(layers, first, strict=False)])
        return TriangleMesh(points, faces, colors=paint, scalars=scalars)
    normals = np.concatenate([_normals(layer) for layer in layers])
    return PointCloud(points, normals if normals.any() else None, colors=paint, scalars=scalars)


def add_surface(mesh_set: Any, mesh: TriangleMesh, name: str) -> None:
    """Add the mesh as a new current layer; MeshLab adds a number to a name that is taken."""
    attributes = {}  # without normals, which PyMeshLab computes
    if mesh.colors is not None:
        opaque = np.full((len(mesh.colors), 1), 255)
        attributes["v_color_matrix"] = np.hstack([mesh.colors, opaque]) / 255
    if SCALAR in mesh.scalars:
        attributes["v_scalar_array"] = mesh.scalars[SCALAR].astype(np.float64)
    layer = load().Mesh(mesh.vertices, mesh.faces.astype(np.int32), **attributes)
    mesh_set.add_mesh(layer, name)


def store_scalar(mesh_set: Any, layer: Any, values: NDArray[Any]) -> str:
    """Make values (N,) the scalar of a layer's vertices, and return the name of their custom attribute.

    PyMeshLab accepts arrays only as custom attributes, which can be neither changed nor removed, so each
    run adds a new one.
    """
    name, number = ATTRIBUTE, 1
    while _has_attribute(layer, name):
        number += 1
        name = f"{ATTRIBUTE}{number}"
    layer.add_vertex_custom_scalar_attribute(values, name)
    current = mesh_set.current_mesh_id()
    mesh_set.set_current_mesh(layer.id())
    try:
        mesh_set.apply_filter("compute_scalar_by_function_per_vertex", q=name)
    finally:
        mesh_set.set_current_mesh(current)
    return name


def _has_attribute(layer: Any, name: str) -> bool:
    try:
        layer.vertex_custom_scalar_attribute_array(name)
    except load().PyMeshLabException:
        return False
    return True


def _normals(layer: Any) -> NDArray[Any]:
    """The normals (N, 3) of the vertices, perpendicular to the surface whatever the transform is."""
    return layer.vertex_normal_matrix() @ np.linalg.pinv(transform_of(layer)[:3, :3])


def _faces(layer: Any) -> NDArray[np.int64]:
    """The faces (F, 3), counter-clockwise from outside, even where the transform mirrors the layer."""
    faces = layer.face_matrix().astype(np.int64)
    return faces[:, ::-1] if np.linalg.det(transform_of(layer)[:3, :3]) < 0 else faces


def _colors(layer: Any) -> NDArray[np.uint8]:
    return np.rint(layer.vertex_color_matrix()[:, :3] * 255).astype(np.uint8)
