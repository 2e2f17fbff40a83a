"""Clouds, meshes, images, volumes and models from files and to files; the extension says the format."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..config import InputConfig
from ..geometry import PointCloud, TriangleMesh
from .files import atomic_write, check_file, check_room, check_writable, readable
from .images import read_image, write_image
from .kinds import refused, signal_kind
from .ply import write_cloud
from .scan import Scan
from .volumes import read_volume, write_volume
from .writing import write_mesh, write_table

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
    "read_merged",
    "read_volume",
    "write_cloud",
    "write_image",
    "write_mesh",
    "write_table",
    "write_volume",
]


def read_geometry(
    path: str | Path,
    max_points: int | None = None,
    max_memory: int | None = None,
    wanted: InputConfig | None = None,
) -> PointCloud | TriangleMesh:
    """What a file holds, in its own coordinates: a TriangleMesh where it has faces, else a PointCloud.

    As it stands in the file: `validate.validated` leaves out what cannot be used. A cloud of more than
    `max_points` points is thinned to one point a voxel (`thinning.thin`); LAS, E57, PTX, text, NPY,
    binary PLY and binary PCD while they are read, so that the whole is never in memory. Meshes are
    not thinned. max_memory: bytes that the process may hold, asked before a file is read that comes as
    a whole. wanted: which points of a cloud, chosen before it is thinned; None: all of them. A cloud's
    `notes` say what was left out. Raises UnreadableInput where the file is missing, damaged or of an
    unknown format, MissingBackend where its format needs a library that is not installed, UsageError
    where reading would need more than max_memory, and what `read_merged` raises of `wanted`.
    """
    return read_merged([path], max_points, max_memory, wanted)


def read_merged(
    sources: Sequence[str | Path | PointCloud | TriangleMesh],
    max_points: int | None = None,
    max_memory: int | None = None,
    wanted: InputConfig | None = None,
) -> PointCloud | TriangleMesh:
    """One cloud of several files and clouds, as `read_geometry` gives it of one file; a mesh alone is itself.

    Attributes that only some of them have are left out, with a note. Raises what `read_geometry` does;
    UsageError where a mesh is among several, or points of a mesh are to be chosen; UnusableGeometry where
    none of the points is wanted.
    """
    from .merging import merged

    found = [(_found(s, max_memory), s) if isinstance(s, (str, Path)) else (s, "the input") for s in sources]
    # numbers too large for their type become infinite here, and are counted and left out later
    with np.errstate(all="ignore"):
        return merged([(part, Path(path)) for part, path in found], max_points, wanted)


def _found(path: str | Path, max_memory: int | None) -> PointCloud | TriangleMesh | Scan:
    """What the file's reader gives: of most clouds, pieces that are yet to be drawn."""
    path = Path(path)
    name = _READERS.get(path.suffix.lower())
    if name is None or signal_kind(path):
        raise refused(path, READABLE)
    check_file(path)
    with readable(path), np.errstate(all="ignore"):
        check_room(path, max_memory)
        return importlib.import_module(f".{name}", __package__).read(path)


def read_cloud(path: str | Path) -> PointCloud:
    """The points of a file; of a mesh, its vertices."""
    geometry = read_geometry(path)
    if isinstance(geometry, PointCloud):
        return geometry
    return PointCloud(geometry.vertices, geometry.normals, geometry.colors, scalars=geometry.scalars)
