"""Clouds, meshes and models from files and to files; the extension says the format."""

from __future__ import annotations

import importlib
from pathlib import Path

from ..errors import UnreadableInput
from ..geometry import PointCloud, TriangleMesh
from .atomic import atomic_write, check_writable
from .meshes import write_mesh
from .ply import write_cloud
from .reading import check_file
from .tables import write_table

_READERS = {
    ".ply": "ply",
    **dict.fromkeys((".xyz", ".pts", ".csv", ".txt", ".asc"), "text"),
    ".pcd": "pcd",
    **dict.fromkeys((".npy", ".npz"), "arrays"),
    ".obj": "obj",
    **dict.fromkeys((".stl", ".off", ".glb"), "meshes"),
}
"""The module of this room whose `read(path)` knows an extension."""

READABLE = tuple(_READERS)

__all__ = [
    "READABLE",
    "atomic_write",
    "check_writable",
    "read_cloud",
    "read_geometry",
    "write_cloud",
    "write_mesh",
    "write_table",
]


def read_geometry(path: str | Path) -> PointCloud | TriangleMesh:
    """What a file holds, in its own coordinates: a TriangleMesh where it has faces, else a PointCloud.

    As it stands in the file: `validate.validated` leaves out what cannot be used. Raises
    UnreadableInput where the file is missing, damaged or of an unknown format.
    """
    path = Path(path)
    name = _READERS.get(path.suffix.lower())
    if name is None:
        found = f"extension {path.suffix}" if path.suffix else "file without an extension"
        raise UnreadableInput(f"{path}: unknown {found}; known: {' '.join(READABLE)}")
    check_file(path)
    try:
        return importlib.import_module(f".{name}", __package__).read(path)
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror or error})") from error


def read_cloud(path: str | Path) -> PointCloud:
    """The points of a file; of a mesh, its vertices."""
    geometry = read_geometry(path)
    if isinstance(geometry, PointCloud):
        return geometry
    return PointCloud(geometry.vertices, geometry.normals, geometry.colors)
