"""Loads inputs as geometry: reads them, thins clouds to what fits into memory, and validates the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..config import Config
from ..errors import UnusableGeometry
from ..geometry import PointCloud, TriangleMesh, as_places
from ..runtime.memory import POINTS_SHARE, RESERVED
from ..runtime.progress import steps
from ..runtime.system import memory_limit_bytes

Geometry = TypeVar("Geometry", PointCloud, TriangleMesh)

MOST_POINTS = 5_000_000
"""The default limit on the number of points.

The finest preset's lattice puts about two million vertices on a surface. More than a few points per vertex
cost time and memory but add no detail.
"""
_GIVEN = (str, Path, PointCloud, TriangleMesh)


def load(source: Any, config: Config) -> tuple[PointCloud | TriangleMesh, list[str]]:
    """A path, a geometry or an array (N, 3) as valid geometry, and notes about what was omitted.

    Several paths or clouds, in a list or tuple, become one cloud. A cloud is thinned to at most `most_points`
    points, chosen as `config.input` specifies; a mesh is not thinned.
    """
    from ..io import read_merged
    from ..io.validate import validated

    step = steps()
    step(0.9)
    parts = [part if isinstance(part, (str, Path)) else of_arrays(part) for part in sources_of(source)]
    found = read_merged(parts, most_points(config), config.max_memory, config.input)
    step(1.0, "checking")
    return validated(found, name_of(source))


def sources_of(source: Any) -> list[Any]:
    """The inputs to merge: the items of a list or tuple of paths and clouds, otherwise the source alone."""
    several = isinstance(source, (list, tuple)) and all(isinstance(part, _GIVEN) for part in source)
    return list(source) if several and source else [source]


def name_of(source: Any) -> str:
    """The name of the input in messages."""
    return ", ".join(str(p) if isinstance(p, (str, Path)) else "the input" for p in sources_of(source))


def most_points(config: Config) -> int:
    """`max_points` if given; otherwise what fits into `max_memory` or the machine, up to MOST_POINTS."""
    from ..io.thinning import default_max_points

    if config.max_points is not None:
        return config.max_points
    if config.max_memory is not None:
        return min(default_max_points(config.max_memory - RESERVED), MOST_POINTS)
    return min(default_max_points(int(POINTS_SHARE * memory_limit_bytes())), MOST_POINTS)


def of_arrays(source: Any) -> PointCloud | TriangleMesh:
    """A cloud, a mesh or an array as a geometry with arrays of matching sizes. Raises UnusableGeometry.

    An array holds points (N, 3), or points followed by unit normals (N, 6). Clouds and meshes of trimesh,
    Open3D and PyVista are recognized by their attributes.
    """
    try:
        source = _of_library(source)
        if isinstance(source, TriangleMesh):
            mesh = replace(source, vertices=as_places(source.vertices, 3, "vertices"))
            faces = np.asarray(source.faces)
            if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
                raise ValueError(f"faces must be whole numbers of the shape (F, 3), found {faces.shape}")
            return _with_rows(replace(mesh, faces=faces.astype(np.int64, copy=False)), len(mesh.vertices))
        cloud = source if isinstance(source, PointCloud) else _of_array(source)
        cloud = replace(cloud, points=as_places(cloud.points, 3))
        return _with_rows(cloud, len(cloud.points))
    except ValueError as error:
        raise UnusableGeometry(str(error)) from error


def _of_array(source: Any) -> PointCloud:
    shape = np.shape(source)
    if len(shape) != 2 or shape[1] != 6:
        return PointCloud(source)
    rows = as_places(source, 6)
    lengths = np.linalg.norm(rows[:, 3:], axis=1)
    if not np.isclose(lengths, 1, atol=0.02).mean() > 0.9:
        raise ValueError("the last three of six columns are not unit normals: give a PointCloud instead")
    return PointCloud(rows[:, :3], rows[:, 3:])


def _of_library(source: Any) -> Any:
    """Convert a cloud or mesh of another library; return anything else unchanged. Raises ValueError.

    A trimesh object has vertices and faces. An Open3D object has points, or vertices and triangles. A PyVista
    object has points and faces, each preceded by its number of corners. None of these libraries is imported.
    """
    if isinstance(source, (PointCloud, TriangleMesh, np.ndarray)):
        return source
    if hasattr(source, "to_legacy"):  # Open3D's tensor geometries
        source = source.to_legacy()
    places = getattr(source, "vertices", getattr(source, "points", None))
    if places is None:
        return source
    faces = getattr(source, "faces", getattr(source, "triangles", None))
    faces = np.empty((0, 3), np.int64) if faces is None else np.asarray(faces)
    if faces.ndim == 1 and len(faces):
        if len(faces) % 4 or (faces[::4] != 3).any():
            raise ValueError("the mesh has polygons: triangulate it first")
        faces = faces.reshape(-1, 4)[:, 1:]
    if faces.size:
        return TriangleMesh(np.asarray(places), faces)
    data = getattr(source, "point_data", {})
    normals = data["Normals"] if "Normals" in data else getattr(source, "normals", None)
    known = normals is not None and len(normals) == len(places)
    colors = np.asarray(getattr(source, "colors", []))
    if colors.shape == (len(places), 3) and colors.dtype.kind == "f":
        colors = (colors * 255).round().clip(0, 255).astype(np.uint8)
    fits = colors.ndim == 2 and len(colors) == len(places)
    return PointCloud(
        np.asarray(places), np.asarray(normals) if known else None, colors[:, :3] if fits else None
    )


def _with_rows(geometry: Geometry, count: int) -> Geometry:
    """The geometry with its attributes as arrays of `count` rows. Raises ValueError."""
    given = {name: getattr(geometry, name, None) for name in ("normals", "sensors", "colors")}
    rows: dict[str, Any] = {
        name: np.asarray(values) if name == "colors" else as_places(values, 3, name)
        for name, values in given.items()
        if values is not None
    }
    scalars = {name: np.asarray(values) for name, values in geometry.scalars.items()}
    wanted = {**dict.fromkeys(rows, (count, 3)), **dict.fromkeys(scalars, (count,))}
    for name, values in (rows | scalars).items():
        if values.shape != wanted[name]:
            raise ValueError(
                f"{name} must have the shape {wanted[name]}, one row a point, found {values.shape}"
            )
    return replace(geometry, **rows, scalars=scalars)
