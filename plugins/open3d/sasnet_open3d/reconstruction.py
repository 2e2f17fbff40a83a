"""From an Open3D cloud to an Open3D mesh, as TriangleMesh.create_from_point_cloud_poisson does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import sasnet_sdf

from .conversion import cloud_of, mesh_like, open3d, tensor_like


class Reconstruction(NamedTuple):
    """What `reconstruct` gives.

    mesh: of the cloud's kind. distances: of each vertex from the data, in the cloud's units.
    field: the signed distance field; FieldScene(field) asks it as a RaycastingScene is asked,
    field.save(path) keeps it. report: what was done, in numbers (docs/report.md).
    """

    mesh: Any
    distances: Any
    field: sasnet_sdf.Field
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
        pcd (open3d.geometry.PointCloud or open3d.t.geometry.PointCloud): Normals, if it has some, are
            taken to point outward; without normals they are estimated and oriented. A tensor cloud
            may have the position of the sensor of each point in the attributes vx, vy and vz.
        preset (str, default="balanced"): How much work to spend: "fast", "balanced" or "fine".
        on_progress (callable, optional): Called with a sasnet_sdf.Progress, whose `total` goes from
            0 to 1; returning False during training ends it, with the surface so far, and in any other
            stage stops the run, which raises sasnet_sdf.Interrupted.
        **settings: What sasnet_sdf.reconstruct takes, such as resolution, edge_length, trim (lengths
            in the cloud's units), watertight, normals="estimate", faces, carry (attributes of a tensor
            cloud), steps, time_limit, max_memory, seed, device.

    Returns:
        (open3d.geometry.TriangleMesh, open3d.utility.DoubleVector), of a tensor cloud
        (open3d.t.geometry.TriangleMesh, open3d.core.Tensor): the mesh, with normals, and with colours
        if the cloud has some; and the distance of each vertex from the data, large where the surface
        is made up. The tensor mesh has the type of the cloud's positions, and its device.

    Raises sasnet_sdf.SasnetError, whose message is one line: UsageError for a setting or an object
    that cannot be used, UnusableGeometry for too few points, points that are all equal, on a line or
    not finite, NoSurface, MissingBackend, and Interrupted.
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
    """The same, with the field and the report."""
    found = sasnet_sdf.reconstruct(
        cloud_of(pcd), preset=preset, on_progress=on_progress or _unwatched, **settings
    )
    distances = found.field.distance_to_data(found.mesh.vertices)
    legacy = isinstance(pcd, open3d().geometry.PointCloud)
    _log(found.report)
    return Reconstruction(
        mesh_like(pcd, found.mesh),
        open3d().utility.DoubleVector(distances) if legacy else tensor_like(pcd, distances),
        found.field,
        found.report,
    )


def _unwatched(progress: sasnet_sdf.Progress) -> None:
    """The callback of a run that nobody watches."""


def _log(report: dict[str, Any]) -> None:
    """What came out and what to know of it, as far as Open3D's verbosity level lets it through."""
    utility = open3d().utility
    level = utility.get_verbosity_level()
    if level >= utility.VerbosityLevel.Info:
        print(f"[Open3D INFO] SASNet: {_summary(report)}")
    if level >= utility.VerbosityLevel.Warning:
        for note in [*report["warnings"], *report["notes"]]:
            print(f"[Open3D WARNING] SASNet: {note}")


def _summary(report: dict[str, Any]) -> str:
    surface, loops = report["extraction"], report["extraction"]["boundary_loops"]
    return (
        f"{surface['vertices']:,} vertices and {surface['faces']:,} triangles from "
        f"{report['input']['used_points']:,} points in {report['seconds']['total']:.1f} s, "
        + (f"open, {loops:,} boundary loop{'s'[: loops != 1]}" if surface["boundary_edges"] else "closed")
    )
