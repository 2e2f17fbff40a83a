"""The surface of all tiles as files: one PLY file that is written tile by tile, or a folder of meshes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from ..errors import UsageError
from ..geometry import TriangleMesh
from ..io import atomic_write, ply, write_mesh
from ..io.files import write_json
from .tiling import Tiling

MOST_VERTICES = 2**31
"""Number of vertices that the indices of a PLY file, which are signed, can name."""

INDEX = "index.json"
"""The file of a folder of meshes that says what is in it."""

_AT_ONCE = 1 << 22
"""Bytes that are copied at once."""


def write_ply(
    path: str | Path, sample: TriangleMesh, parts: Iterable[TriangleMesh], vertices: int, faces: int
) -> None:
    """Write the parts of a mesh as the file that `write_mesh` would write of the whole. The write is atomic.

    sample: a mesh of one vertex and no triangle, with the attributes of the parts. parts: in the order of
    the file; their triangles index vertices of the whole. vertices, faces: the numbers of the whole.

    Every part is written to a file of its own beside `path`, and the rows in it are copied to their places.
    Raises UsageError where there are too many vertices or the file cannot be written, SasnetError where the
    disk is full.
    """
    if vertices > MOST_VERTICES:
        raise UsageError(
            f"{path}: a PLY file has at most {MOST_VERTICES} vertices, and the surface has {vertices}; "
            "give --split to write one mesh per tile"
        )
    with atomic_write(path) as partial:
        one = partial.with_name(f"{partial.name}.part")
        try:
            header, row = _layout(sample, one, vertices, faces)
            with partial.open("wb") as file:
                file.write(header)
                vertices_end, faces_end = len(header), len(header) + vertices * row
                for part in parts:
                    ply.write_mesh(one, part)
                    with one.open("rb") as rows:
                        _header(rows)
                        file.seek(vertices_end)
                        for size in _sizes(len(part.vertices) * row):
                            file.write(rows.read(size))
                        vertices_end = file.tell()
                        file.seek(faces_end)
                        shutil.copyfileobj(rows, file, _AT_ONCE)
                        faces_end = file.tell()
        finally:
            one.unlink(missing_ok=True)


def _layout(sample: TriangleMesh, path: Path, vertices: int, faces: int) -> tuple[bytes, int]:
    """The header of a file with so many vertices and triangles, and the bytes of a vertex."""
    ply.write_mesh(path, sample)
    with path.open("rb") as file:
        header = _header(file)
        row = len(file.read())
    for element, count in (("vertex", vertices), ("face", faces)):
        header = re.sub(rb"(\nelement %s) \d+\n" % element.encode(), rb"\1 %d\n" % count, header, count=1)
    return header, row


def _header(file: BinaryIO) -> bytes:
    """Read the header of a PLY file."""
    return b"".join(iter(file.readline, b"end_header\n")) + b"end_header\n"


def _sizes(total: int) -> Iterable[int]:
    """The bytes of each piece of `total`."""
    return (min(_AT_ONCE, total - start) for start in range(0, total, _AT_ONCE))


def write_folder(
    folder: str | Path, suffix: str, meshes: Iterable[tuple[int, TriangleMesh]], tiling: Tiling
) -> tuple[str, ...]:
    """Write a mesh of each tile as NUMBER.SUFFIX, and last index.json, which says what is in the folder.

    folder: made where it is missing. suffix: of the mesh format, such as "ply". meshes: (number of the tile,
    mesh). The index has for every tile its number, its box (low, high) in world units, the numbers of
    vertices and faces, and the name of its file; None where the tile has no triangle, and no file.

    Returns a sentence about each attribute that the format cannot keep. Raises UsageError where the
    extension is unknown or the folder cannot be written.
    """
    folder = Path(folder)
    index, notes = folder / INDEX, []
    try:
        folder.mkdir(exist_ok=True)
        index.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: the folder cannot be written ({error.strerror or error})") from error
    entries = []
    for number, mesh in meshes:
        low, high = tiling.box(tiling.tiles[number])
        name = f"{number:06d}.{suffix}" if len(mesh.faces) else None
        if name:
            notes += [note.removeprefix(f"{folder / name}: ") for note in write_mesh(folder / name, mesh)]
        entries.append(
            {
                "tile": number,
                "file": name,
                "low": low.tolist(),
                "high": high.tolist(),
                "vertices": len(mesh.vertices),
                "faces": len(mesh.faces),
            }
        )
    with atomic_write(index) as partial:
        write_json(partial, {"tiles": entries})
    return tuple(f"{folder}: {note}" for note in dict.fromkeys(notes))
