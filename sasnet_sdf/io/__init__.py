"""Clouds, meshes, images, volumes and models from files and to files; the extension says the format."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from ..errors import UnreadableInput
from ..geometry import PointCloud, TriangleMesh
from .atomic import atomic_write, check_writable
from .columns import cloud_from
from .images import read_image, write_image
from .meshes import write_mesh
from .ply import write_cloud
from .reading import check_file, check_room
from .scan import Scan, joined
from .tables import write_table
from .volumes import read_volume, write_volume

_READERS = {
    ".ply": "ply",
    **dict.fromkeys((".xyz", ".pts", ".csv", ".txt", ".asc"), "text"),
    ".pcd": "pcd",
    **dict.fromkeys((".npy", ".npz"), "arrays"),
    **dict.fromkeys((".las", ".laz"), "las"),
    ".e57": "e57",
    ".ptx": "ptx",
    ".obj": "obj",
    ".off": "off",
    ".stl": "stl",
    ".glb": "glb",
}
"""The module of this room whose `read(path)` knows an extension: it gives a mesh, a cloud or a Scan."""

READABLE = tuple(_READERS)

__all__ = [
    "READABLE",
    "atomic_write",
    "check_writable",
    "read_cloud",
    "read_geometry",
    "read_image",
    "read_volume",
    "write_cloud",
    "write_image",
    "write_mesh",
    "write_table",
    "write_volume",
]


def read_geometry(
    path: str | Path, max_points: int | None = None, max_memory: int | None = None
) -> PointCloud | TriangleMesh:
    """What a file holds, in its own coordinates: a TriangleMesh where it has faces, else a PointCloud.

    As it stands in the file: `validate.validated` leaves out what cannot be used. A cloud of more than
    `max_points` points is thinned to one point a voxel (`thinning.thin`); LAS, E57, PTX, text, NPY,
    binary PLY and binary PCD while they are read, so that the whole is never in memory. Meshes are
    not thinned. max_memory: bytes that the process may hold, asked before a file is read that comes as
    a whole. A cloud's `notes` say what was left out. Raises UnreadableInput where the file is missing,
    damaged or of an unknown format, MissingBackend where its format needs a library that is not
    installed, UsageError where reading would need more than max_memory.
    """
    path = Path(path)
    name = _READERS.get(path.suffix.lower())
    if name is None:
        found = f"extension {path.suffix}" if path.suffix else "file without an extension"
        raise UnreadableInput(f"{path}: unknown {found}; known: {' '.join(READABLE)}")
    check_file(path)
    try:
        check_room(path, max_memory)
        # numbers too large for their type become infinite here, and are counted and left out later
        with np.errstate(all="ignore"):
            found = importlib.import_module(f".{name}", __package__).read(path)
            return _cloud(found, path, max_points) if isinstance(found, (PointCloud, Scan)) else found
    except OSError as error:
        raise UnreadableInput(f"{path}: cannot be read ({error.strerror or error})") from error


def _cloud(found: PointCloud | Scan, path: Path, max_points: int | None) -> PointCloud:
    if max_points is not None:
        from .thinning import thin, thinned

        if isinstance(found, PointCloud):
            return thinned(found, max_points)
        columns = thin(found.pieces, path, max_points, found.notes)
    elif isinstance(found, PointCloud):
        return found
    else:
        columns = joined(found.pieces, found.notes)
    return cloud_from(found.named(columns), path, found.notes)


def read_cloud(path: str | Path) -> PointCloud:
    """The points of a file; of a mesh, its vertices."""
    geometry = read_geometry(path)
    if isinstance(geometry, PointCloud):
        return geometry
    return PointCloud(geometry.vertices, geometry.normals, geometry.colors, scalars=geometry.scalars)
