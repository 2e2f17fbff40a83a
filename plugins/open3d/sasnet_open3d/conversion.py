"""Conversion between Open3D's clouds and meshes, legacy and tensor, and those of sasnet_sdf."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import sasnet_sdf
from sasnet_sdf.runtime.system import require

SENSOR = ("vx", "vy", "vz")
"""The attributes of a tensor cloud that hold the position of the sensor, as in a PLY file."""

COARSE = 1e-4
"""The rounding error of coordinates, relative to the cloud's longest side, above which a note is added."""


def open3d() -> Any:
    """The module open3d. Raises MissingBackend with the command that installs it or a library it needs."""
    return require("open3d", "open3d", "sasnet_open3d")


def cloud_of(pcd: Any) -> sasnet_sdf.PointCloud:
    """The points, normals and colors of a legacy or tensor cloud, in double precision.

    For a tensor cloud, the result also has its sensors (attributes vx, vy, vz), and its attributes of one
    column as scalars. Raises UsageError for another object.
    """
    if isinstance(pcd, open3d().geometry.PointCloud):
        normals = np.array(pcd.normals) if pcd.has_normals() else None
        colors = to_bytes(np.asarray(pcd.colors)) if pcd.has_colors() else None
        return sasnet_sdf.PointCloud(np.array(pcd.points), normals, colors)
    if isinstance(pcd, open3d().t.geometry.PointCloud):
        return _of_tensors({name: tensor.cpu().numpy() for name, tensor in pcd.point.items()})
    kinds = "an open3d.geometry.PointCloud or an open3d.t.geometry.PointCloud"
    raise sasnet_sdf.UsageError(f"pcd must be {kinds}, found {type(pcd).__name__}")


def _of_tensors(values: dict[str, NDArray[Any]]) -> sasnet_sdf.PointCloud:
    points = values.pop("positions", np.empty((0, 3)))
    normals, colors = values.pop("normals", None), values.pop("colors", None)
    scalars = {name: column.reshape(-1) for name, column in values.items() if column.size == len(points)}
    sensors = None
    if all(name in scalars for name in SENSOR):
        sensors = np.stack([scalars.pop(name) for name in SENSOR], axis=1).astype(np.float64)
    return sasnet_sdf.PointCloud(
        points.astype(np.float64),
        None if normals is None else normals.astype(np.float64),
        None if colors is None else to_bytes(colors),
        sensors,
        scalars,
        _rounding(points),
    )


def _rounding(points: NDArray[Any]) -> tuple[str, ...]:
    """A note where single precision is too coarse for points (N, 3), since they are far from the origin."""
    points = points[np.isfinite(points).all(axis=1)]
    if points.dtype != np.float32 or not len(points):
        return ()
    step = float(np.spacing(np.abs(points).max()))
    if step <= COARSE * float(np.ptp(points.astype(np.float64), axis=0).max()):
        return ()
    return (f"the cloud is Float32, which rounds these coordinates to {step:.2g}: make it Float64",)


def to_bytes(colors: NDArray[Any]) -> NDArray[np.uint8]:
    """Colors (N, 3) as 0 to 255, from floats in [0, 1] or integers from 0 to the largest of their type."""
    if colors.dtype == np.uint8:
        return colors
    highest = np.iinfo(colors.dtype).max if colors.dtype.kind in "ui" else 1
    return np.rint(np.nan_to_num(colors / highest).clip(0, 1) * 255).astype(np.uint8)


def mesh_like(pcd: Any, mesh: sasnet_sdf.TriangleMesh) -> Any:
    """The mesh, legacy or tensor like the cloud; a tensor mesh has the cloud's type and device."""
    if isinstance(pcd, open3d().geometry.PointCloud):
        return _legacy(mesh)
    result = open3d().t.geometry.TriangleMesh(pcd.device)
    result.vertex.positions = tensor_like(pcd, mesh.vertices)
    result.triangle.indices = _tensor(mesh.faces, pcd.device)
    if mesh.normals is not None:
        result.vertex.normals = tensor_like(pcd, mesh.normals)
    if mesh.colors is not None:
        # Open3D expects float colors in a tensor mesh, whatever the type of the cloud's colors
        result.vertex.colors = tensor_like(pcd, mesh.colors / 255)
    for name, values in mesh.scalars.items():
        result.vertex[name] = _tensor(values[:, None], pcd.device)
    return result


def tensor_like(pcd: Any, values: NDArray[Any]) -> Any:
    """The values as an open3d.core.Tensor of the type of a tensor cloud's positions, on its device."""
    return _tensor(values, pcd.device).to(pcd.point.positions.dtype)


def _tensor(values: NDArray[Any], device: Any) -> Any:
    return open3d().core.Tensor(np.ascontiguousarray(values), device=device)


def _legacy(mesh: sasnet_sdf.TriangleMesh) -> Any:
    vectors, rows = open3d().utility.Vector3dVector, open3d().utility.Vector3iVector
    result = open3d().geometry.TriangleMesh(vectors(mesh.vertices), rows(mesh.faces.astype(np.int32)))
    if mesh.normals is not None:
        result.vertex_normals = vectors(mesh.normals)
    if mesh.colors is not None:
        result.vertex_colors = vectors(mesh.colors / 255)
    return result
