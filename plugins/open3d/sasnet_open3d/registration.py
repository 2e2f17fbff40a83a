"""The reconstruction beside Open3D's own, as a static method of its meshes."""

from __future__ import annotations

from typing import Any

from .conversion import open3d
from .reconstruction import create_from_point_cloud_sasnet

NAME = "create_from_point_cloud_sasnet"


def register() -> None:
    """Put create_from_point_cloud_sasnet on open3d.geometry.TriangleMesh and on the tensor one.

    A method of that name that is there already stays. Raises MissingBackend where Open3D is missing.
    """
    for mesh in _meshes():
        if not hasattr(mesh, NAME):
            setattr(mesh, NAME, staticmethod(create_from_point_cloud_sasnet))


def unregister() -> None:
    """Take away what `register` put there, and nothing else."""
    for mesh in _meshes():
        if getattr(mesh, NAME, None) is create_from_point_cloud_sasnet:
            delattr(mesh, NAME)


def _meshes() -> tuple[Any, Any]:
    return open3d().geometry.TriangleMesh, open3d().t.geometry.TriangleMesh
