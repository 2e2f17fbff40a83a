"""From an Open3D cloud to an Open3D mesh, as an addition to create_from_point_cloud_poisson."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import sasnet_sdf

from .conversion import cloud_of, mesh_like, open3d, tensor_like

NAME = "create_from_point_cloud_sasnet"


class Reconstruction(NamedTuple):
    """The result of `reconstruct`.

    mesh: legacy or tensor, like the cloud. distances: distance of each vertex from the data, in the cloud's
    units. field: the signed distance field; FieldScene(field) has the methods of a RaycastingScene, and
    field.save(path) writes it. report: facts and figures of the run (docs/report.md).
    """

    mesh: Any
    distances: Any
    field: sasnet_sdf.Field | sasnet_sdf.TiledField
    report: dict[str, Any]


def create_from_point_cloud_sasnet(
    pcd: Any,
    preset: str = "balanced",
    *,
    on_progress: Callable[[sasnet_sdf.Progress], bool | None] | None = None,
    **settings: Any,
) -> tuple[Any, Any]:
    """Compute a triangle mesh from a point cloud by training a signed distance field, SASNet, on it.

    SASNet is that of Feng et al., "SASNet: Spatially-Adaptive Sinusoidal Networks", CVPR 2026.

    Args:
        pcd (open3d.geometry.PointCloud or open3d.t.geometry.PointCloud): Its normals, if any, must
            point outward; without normals they are estimated and oriented. The attributes vx, vy and
            vz of a tensor cloud are the position of the sensor that saw each point.
        preset (str, default="balanced"): How much work to spend: "fast", "balanced" or "fine".
        on_progress (callable, optional): Called with a sasnet_sdf.Progress, whose `total` goes from
            0 to 1. Returning False during training ends it, with the surface so far; in any other
            stage it stops the run, which raises sasnet_sdf.Interrupted.
        **settings: The settings of sasnet_sdf.reconstruct, such as resolution, edge_length, trim
            (lengths in the cloud's units), watertight, normals="estimate", faces, carry (attributes of
            a tensor cloud), steps, time_limit, max_memory, seed, device.

    Returns:
        (open3d.geometry.TriangleMesh, open3d.utility.DoubleVector), for a tensor cloud
        (open3d.t.geometry.TriangleMesh, open3d.core.Tensor): the mesh, with normals, and with colors
        if the cloud has them; and the distance of each vertex from the data, which is large where the
        surface covers a hole. A tensor mesh has the type of the cloud's positions, and its device.

    Raises sasnet_sdf.SasnetError with a message of one line: UsageError for a setting or an object
    that cannot be used, UnusableGeometry for points that are too few, all equal, on a line or not finite,
    NoSurface, MissingBackend, and Interrupted.
    """
    result = reconstruct(pcd, preset, on_progress=on_progress, **settings)
    return result.mesh, result.distances


def reconstruct(
    pcd: Any,
    preset: str = "balanced",
    *,
    on_progress: Callable[[sasnet_sdf.Progress], bool | None] | None = None,
    **settings: Any,
) -> Reconstruction:
    """Reconstruct as create_from_point_cloud_sasnet, and return the field and the report as well."""
    cloud = cloud_of(pcd)
    found = sasnet_sdf.reconstruct(cloud, preset=preset, on_progress=on_progress or _unwatched, **settings)
    if isinstance(found.field, sasnet_sdf.Field):
        distances = found.field.distance_to_data(found.mesh.vertices)
    else:
        distances = _distances(found.mesh.vertices, cloud.points)
    legacy = isinstance(pcd, open3d().geometry.PointCloud)
    _log(found.report)
    return Reconstruction(
        mesh_like(pcd, found.mesh),
        open3d().utility.DoubleVector(distances) if legacy else tensor_like(pcd, distances),
        found.field,
        found.report,
    )


def register() -> None:
    """Add create_from_point_cloud_sasnet to open3d.geometry.TriangleMesh and to the tensor mesh.

    It becomes a static method; an existing method of that name stays. Raises MissingBackend where
    Open3D is missing.
    """
    for mesh in _meshes():
        if not hasattr(mesh, NAME):
            setattr(mesh, NAME, staticmethod(create_from_point_cloud_sasnet))


def unregister() -> None:
    """Remove what `register` added, and nothing else."""
    for mesh in _meshes():
        if getattr(mesh, NAME, None) is create_from_point_cloud_sasnet:
            delattr(mesh, NAME)


def _meshes() -> tuple[Any, Any]:
    return open3d().geometry.TriangleMesh, open3d().t.geometry.TriangleMesh


def _distances(vertices: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
    """The distances (V,) of vertices (V, 3) from the nearest finite one of points (N, 3)."""
    o3d = open3d()
    there = points[np.isfinite(points).all(axis=1)]
    asked, data = (o3d.geometry.PointCloud(o3d.utility.Vector3dVector(part)) for part in (vertices, there))
    return np.asarray(asked.compute_point_cloud_distance(data))


def _unwatched(progress: sasnet_sdf.Progress) -> None:
    """The default callback: does nothing."""


def _log(report: dict[str, Any]) -> None:
    """Print the result and notes about it, as Open3D's verbosity level allows."""
    utility = open3d().utility
    level = utility.get_verbosity_level()
    if level >= utility.VerbosityLevel.Info:
        surface, loops = report["extraction"], report["extraction"]["boundary_loops"]
        print(
            f"[Open3D INFO] SASNet: {surface['vertices']:,} vertices and {surface['faces']:,} triangles from "
            f"{report['input']['used_points']:,} points in {report['seconds']['total']:.1f} s, "
            + (f"open, {loops:,} boundary loop{'s'[: loops != 1]}" if surface["boundary_edges"] else "closed")
        )
    if level >= utility.VerbosityLevel.Warning:
        for note in [*report["warnings"], *report["notes"]]:
            print(f"[Open3D WARNING] SASNet: {note}")
