"""Screened Poisson reconstruction (Kazhdan & Hoppe 2013) by Open3D or PyMeshLab, to compare with."""

from __future__ import annotations

import importlib
import time
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import MissingBackend, UsageError
from ..geometry import Array, TriangleMesh
from ..supervision import CloudTarget
from .fitting import Problem

DEPTH = 9
"""Of the octree: the depth that is best on clean clouds of a few hundred thousand points."""


def is_poisson(words: str) -> bool:
    """Whether the words of a model mean Poisson. Raises UsageError for a depth that cannot be."""
    name, _, _ = words.partition(":")
    if name == "poisson":
        _depth(words)
    return name == "poisson"


def poisson_surface(problem: Problem, words: str) -> tuple[dict[str, Any], TriangleMesh]:
    """The row and the surface of `poisson` or `poisson:depth=N`, in world units.

    It gets the points and the normals that the other models' targets are from: cleaned and oriented.
    Raises UsageError and MissingBackend.
    """
    depth = _depth(words)
    assert isinstance(problem.target, CloudTarget)
    points = problem.frame.to_world(problem.target.points)
    start = time.perf_counter()
    vertices, faces, library = _solve(points, problem.target.normals, depth)
    return (
        {"seconds": time.perf_counter() - start, "engine": library, "settings": {"depth": depth}},
        TriangleMesh(vertices, faces),
    )


def _depth(words: str) -> int:
    _, _, option = words.partition(":")
    if not option:
        return DEPTH
    key, _, text = option.partition("=")
    if key != "depth" or not text.isdigit() or not 1 <= int(text) <= 14:
        raise UsageError(f"model {words}: poisson takes depth=1 to 14")
    return int(text)


def _solve(points: Array, normals: Array, depth: int) -> tuple[Array, np.ndarray, str]:
    """Vertices, faces, and the library that was there."""
    missing = []
    for library, solve in (("open3d", _by_open3d), ("pymeshlab", _by_pymeshlab)):
        try:
            module = importlib.import_module(library)
        except (ImportError, OSError) as error:
            missing.append(str(error).splitlines()[0])
            continue
        vertices, faces = solve(module, points, np.ascontiguousarray(normals), depth)
        return np.asarray(vertices, np.float64), np.asarray(faces, np.int64), library
    raise MissingBackend(
        f'poisson needs Open3D or PyMeshLab: pip install "sasnet-sdf[open3d]" ({"; ".join(missing)})'
    )


def _by_open3d(open3d: ModuleType, points: Array, normals: Array, depth: int) -> tuple[Any, Any]:
    open3d.utility.set_verbosity_level(open3d.utility.VerbosityLevel.Error)
    vector = open3d.utility.Vector3dVector
    cloud = open3d.geometry.PointCloud(vector(points))
    cloud.normals = vector(normals)
    mesh, _ = open3d.geometry.TriangleMesh.create_from_point_cloud_poisson(cloud, depth=depth)
    return mesh.vertices, mesh.triangles


def _by_pymeshlab(pymeshlab: ModuleType, points: Array, normals: Array, depth: int) -> tuple[Any, Any]:
    meshes = pymeshlab.MeshSet(verbose=False)
    meshes.add_mesh(pymeshlab.Mesh(vertex_matrix=points, v_normals_matrix=normals))
    meshes.generate_surface_reconstruction_screened_poisson(depth=depth)
    mesh = meshes.current_mesh()
    return mesh.vertex_matrix(), mesh.face_matrix()
