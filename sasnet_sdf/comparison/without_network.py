"""Surfaces made without a network: by Poisson reconstruction, and of the supervision itself."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ..config import ExtractionConfig
from ..errors import MissingBackend, UsageError
from ..extraction import Support
from ..geometry import Array, Frame, TriangleMesh
from ..problems.extract import surface_of
from ..problems.problem import surface_memory
from ..problems.surface import SurfaceProblem
from ..supervision import CloudTarget, MeshTarget

DEPTH = 9
"""The octree depth that works best on clean clouds of a few hundred thousand points."""


def is_poisson(words: str) -> bool:
    """Whether a model's name stands for Poisson reconstruction. Raises UsageError for an invalid depth."""
    name, _, _ = words.partition(":")
    if name == "poisson":
        _depth(words)
    return name == "poisson"


def poisson_surface(problem: SurfaceProblem, words: str) -> tuple[dict[str, Any], TriangleMesh]:
    """The row and the surface of `poisson` or `poisson:depth=N`, in world units.

    It uses the cleaned points and oriented normals that the targets of the other models are computed from.
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
    """Vertices, faces, and the library that was used."""
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


SUPERVISION = "supervision"
"""The name of this surface in a list of models to compare."""


def no_network(words: str) -> bool:
    """Whether a model's name stands for a surface made without a network.

    Raises UsageError for an invalid Poisson depth.
    """
    return words == SUPERVISION or is_poisson(words)


@dataclass(frozen=True)
class DataField:
    """The signed distance that the data imply, as a field to extract a surface from."""

    target: CloudTarget | MeshTarget
    frame: Frame
    support: Support

    @property
    def low(self) -> Array:
        return self.target.bounds[0]

    @property
    def high(self) -> Array:
        return self.target.bounds[1]

    def unit_distance(self, points: Array) -> Array:
        """Values (N,) at points (N, 3) of the unit cube."""
        return self.target.distance(points)[0]

    def unit_gradient(self, points: Array) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3)."""
        return self.target.distance(points)


def supervision_surface(
    problem: SurfaceProblem, config: ExtractionConfig, max_memory: int | None
) -> tuple[dict[str, Any], TriangleMesh]:
    """The table row of the supervision, and its surface in world units, on the networks' lattice."""
    start = time.perf_counter()
    field = DataField(problem.target, problem.frame, problem.support)
    memory = surface_memory(max_memory, field.unit_gradient, config.faces)
    mesh, _ = surface_of(field, config, memory)
    return {"seconds": time.perf_counter() - start, "engine": "compiled", "settings": {}}, mesh
