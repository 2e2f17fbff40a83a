"""Derives from a cloud or a mesh the signed distances that a field is trained on."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import Finding, notes
from ..geometry import Frame, PointCloud, TriangleMesh
from .cloud import prepare_cloud
from .solid import solid_of
from .targets import CloudTarget, MeshTarget, face_normals, sample_surface

__all__ = ["CloudTarget", "MeshTarget", "prepare"]

MESH_SAMPLES = 200_000
"""Number of points sampled on an open mesh."""


def prepare(
    geometry: PointCloud | TriangleMesh, frame: Frame
) -> tuple[CloudTarget | MeshTarget, dict[str, Any]]:
    """The signed distance that a geometry implies, and facts about the geometry for the report.

    geometry: in world units. frame: the transform between world units and the unit cube; the target works in
    the unit cube. A closed mesh (`solid_of`) gives exact distances; an open one is sampled and treated as an
    oriented cloud. Lengths among the facts are in world units. Raises UnusableGeometry if too few points are
    left.
    """
    if isinstance(geometry, PointCloud):
        sensors = None if geometry.sensors is None else frame.to_unit(geometry.sensors)
        cloud = PointCloud(frame.to_unit(geometry.points), geometry.normals, None, sensors)
        return _in_world_units(*prepare_cloud(cloud), frame)
    vertices, faces = frame.to_unit(geometry.vertices), geometry.faces
    # merge vertices at the same place, as in STL files
    vertices, index = np.unique(vertices, axis=0, return_inverse=True)
    faces = np.ascontiguousarray(index.reshape(-1)[faces], np.int64)
    if (solid := solid_of(vertices, faces)) is not None:
        facts = {"watertight": True, "findings": notes(solid.notes)}
        inside = None if solid.boundary.all() else solid.faces
        return MeshTarget(vertices, solid.faces[solid.boundary], inside), facts
    points, face = sample_surface(vertices, faces, MESH_SAMPLES, np.random.default_rng(0))
    cloud = PointCloud(points, face_normals(vertices, faces)[face])
    target, facts = _in_world_units(*prepare_cloud(cloud), frame)
    return target, facts | {"watertight": False}


def _in_world_units(
    target: CloudTarget, facts: dict[str, Any], frame: Frame
) -> tuple[CloudTarget, dict[str, Any]]:
    lengths = {name: facts[name] and facts[name] * frame.scale for name in ("noise", "spacing")}
    if facts["depth_steps"] is not None:
        lengths["depth_steps"] = [step * frame.scale for step in facts["depth_steps"]]
        least, greatest = lengths["depth_steps"]
        size = f"{least:.2g}" if greatest < 1.05 * least else f"{least:.2g} to {greatest:.2g}"
        found = Finding(f"depths were rounded to steps of {size}, which were smoothed")
        lengths["findings"] = [found, *facts["findings"]]
    return target, facts | lengths
