"""Signed distances to train on, from a cloud or a mesh."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import Finding, notes
from ..geometry import Frame, PointCloud, TriangleMesh
from .cloud import prepare_cloud
from .cloud_target import CloudTarget
from .mesh import MeshTarget, face_normals, sample_surface
from .solid import solid_of

__all__ = ["CloudTarget", "MeshTarget", "prepare"]

MESH_SAMPLES = 200_000


def prepare(
    geometry: PointCloud | TriangleMesh, frame: Frame
) -> tuple[CloudTarget | MeshTarget, dict[str, Any]]:
    """The signed distance that the geometry implies, in the unit cube of `frame`, and what was found.

    A closed mesh (`solid_of`) gives exact distances; an open one is sampled and treated as an
    oriented cloud.
    """
    if isinstance(geometry, PointCloud):
        sensors = None if geometry.sensors is None else frame.to_unit(geometry.sensors)
        cloud = PointCloud(frame.to_unit(geometry.points), geometry.normals, None, sensors)
        return _in_world_units(*prepare_cloud(cloud), frame)
    vertices, faces = frame.to_unit(geometry.vertices), geometry.faces
    # the same place under two indices, as STL has it, is one vertex
    vertices, index = np.unique(vertices, axis=0, return_inverse=True)
    faces = np.ascontiguousarray(index.reshape(-1)[faces], np.int64)
    if (solid := solid_of(vertices, faces)) is not None:
        facts = {"watertight": True, "findings": notes(solid.notes)}
        if solid.boundary.all():
            return MeshTarget(vertices, solid.faces), facts
        return MeshTarget(vertices, solid.faces[solid.boundary], solid.faces), facts
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
        lengths["findings"] = [_steps_found(*lengths["depth_steps"]), *facts["findings"]]
    return target, facts | lengths


def _steps_found(least: float, greatest: float) -> Finding:
    size = f"{least:.2g}" if greatest < 1.05 * least else f"{least:.2g} to {greatest:.2g}"
    return Finding(f"depths were rounded to steps of {size}, which were smoothed")
