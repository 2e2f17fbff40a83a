"""STL, binary and ASCII: triangles with separate vertices, which are welded, and face colors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array, TriangleMesh
from ..mesh import colors_at_vertices, welded
from ..runtime.progress import steps
from .files import division, not_carried, text_of

_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_HEADER = 84
"""Bytes before the triangles: 80 of text, and their number."""

_UNCOUNTED = (0, 2**32 - 1)
"""Triangle counts in headers of programs that did not know the number when they wrote the header."""

_VERTEX = re.compile(r"\bvertex((?:\s+[-+.\dA-Za-z]+){3})")
_VALID = 0x8000
"""The attribute bit that is set where a face has a color (VisCAM) or has none (Materialise)."""


def read(path: Path) -> TriangleMesh:
    """The mesh, with vertices at identical positions merged. Raises UnreadableInput.

    A file that begins with 'solid' may still be binary, since some programs write such headers.
    """
    with path.open("rb") as file:
        head = file.read(1024).removeprefix(b"\xef\xbb\xbf")
    if head.lstrip()[:5].lower() == b"solid" and not re.search(rb"[\0-\x08]", head):
        return welded(_ascii(path))
    return _binary(path, head)


def _separate(corners: Array, notes: tuple[str, ...] = ()) -> TriangleMesh:
    """The mesh of triangles (F, 3, 3) that share no vertices."""
    faces = np.arange(3 * len(corners), dtype=np.int64).reshape(-1, 3)
    return TriangleMesh(corners.reshape(-1, 3).astype(np.float64), faces, notes=notes)


def _ascii(path: Path) -> TriangleMesh:
    text = text_of(path).lower()
    if "endsolid" not in text:
        raise UnreadableInput(f"{path}: cut short: its solid has no end; copy or export it again")
    count = text.count("endfacet")
    if not count:
        raise UnreadableInput(f"{path}: has no triangles")
    step = steps()
    step(0.5)
    words = " ".join(found[1] for found in _VERTEX.finditer(text)).split()
    step(1.0)
    try:
        numbers = np.array(words, np.float64)
    except ValueError as error:
        raise UnreadableInput(f"{path}: a vertex is damaged ({error})") from error
    if len(numbers) != 9 * count:
        raise UnreadableInput(
            f"{path}: {len(numbers) // 3} vertices could be read where its {count} facets have"
            f" {3 * count}; it is damaged"
        )
    return _separate(numbers.reshape(-1, 3, 3), tuple(not_carried(division(text.count("endsolid")))))


def _binary(path: Path, head: bytes) -> TriangleMesh:
    room = path.stat().st_size - _HEADER
    count = named = int.from_bytes(head[80:84], "little")
    if named in _UNCOUNTED and room > 0 and room % _RECORD.itemsize == 0:
        count = room // _RECORD.itemsize
    if room < 0 or room < _RECORD.itemsize * count:
        there = max(room, 0) // _RECORD.itemsize
        raise UnreadableInput(
            f"{path}: cut short, or not an STL file: holds {there} of the {count} triangles that its"
            " header names"
        )
    if not count:
        raise UnreadableInput(f"{path}: has no triangles")
    rows = np.fromfile(path, _RECORD, count, offset=_HEADER)
    beyond = room - _RECORD.itemsize * count
    notes = [f"{beyond} bytes after its triangles were ignored"] if beyond else []
    if count != named:
        notes.append(f"its header names {named} triangles, {count} are there: all were read")
    colors = _colors(rows["attribute"], head[:80])
    if colors is not None:
        notes.append("the colors of its faces were averaged at the vertices")
    mesh = welded(_separate(rows["corners"], tuple(notes)))
    if colors is None:
        return mesh
    vertex_colors = colors_at_vertices(colors, mesh.faces, len(mesh.vertices))
    return TriangleMesh(mesh.vertices, mesh.faces, colors=vertex_colors, notes=mesh.notes)


def _colors(attributes: NDArray[Any], header: bytes) -> NDArray[np.uint8] | None:
    """The colors (F, 3) in the attributes (F,), five bits per channel; None where they hold no colors.

    VisCAM's attributes begin with blue and mark faces with a color; other faces are white. Materialise's
    attributes begin with red and mark faces without a color, which have the color in the header.
    """
    place = header.find(b"COLOR=")
    materialise = 0 <= place <= len(header) - 10
    default = header[place + 6 : place + 9] if materialise else b"\xff\xff\xff"
    own = ((attributes & _VALID) == 0) if materialise else ((attributes & _VALID) != 0)
    if not materialise and not own.any():
        return None
    channels = np.stack([attributes >> shift & 31 for shift in (0, 5, 10)], axis=1)
    colors = np.rint(channels * (255 / 31)).astype(np.uint8)
    if not materialise:
        colors = colors[:, ::-1]
    return np.where(own[:, None], colors, np.frombuffer(default, np.uint8))


def rounding_of(vertices: Array) -> float:
    """The rounding error of single precision at the largest coordinate, in world units.

    0 where it is below 1e-5 of the mesh's diagonal, which is not visible.
    """
    rounding = float(np.spacing(np.float32(np.abs(vertices).max(initial=0))))
    return rounding if rounding > 1e-5 * float(np.linalg.norm(np.ptp(vertices, axis=0))) else 0.0


def write(path: Path, mesh: TriangleMesh) -> list[str]:
    """Write binary STL, since programs read ASCII files into single precision too."""
    import trimesh

    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path, file_type="stl")
    notes = []
    if rounding := rounding_of(mesh.vertices):
        notes.append(f"STL is single precision, coordinates are rounded to {rounding:.2g}; PLY keeps them")
    if mesh.colors is not None:
        notes.append("STL is written without colors; PLY keeps them")
    return notes
