"""The faces of a PLY file: polygons, strips of triangles, their colors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array
from .columns import COLOR, as_colors, canonical
from .polygons import strips, triangles_of

_LISTS = ("vertex_indices", "vertex_index")
_TEXTURE = ({"texcoord"}, {"s", "t"}, {"u", "v"}, {"texture_u", "texture_v"})
"""Names of a place in a texture, at a face's corners or at a vertex."""

_KNOWN = {"vertex", "face", "tristrips", "camera"}


@dataclass(frozen=True)
class Faces:
    """triangles (F, 3) int64, the colors (F, 3) uint8 of their polygons or None, and notes."""

    triangles: NDArray[np.int64]
    colors: NDArray[np.uint8] | None
    notes: list[str]


def read(tables: Mapping[str, NDArray], points: Array, path: Path) -> Faces:
    """The triangles of the elements `face` and `tristrips` among points (V, 3). Raises UnreadableInput."""
    corners, sizes = _lists(tables.get("face"), path)
    _check(corners, len(points), path)
    triangles, owner = triangles_of(points, corners, sizes)
    notes: list[str] = []
    colors = None
    if len(sizes):
        colors = _colors(tables["face"])
        colors = None if colors is None else colors[owner]
    indices, lengths = _lists(tables.get("tristrips"), path)
    if len(indices):
        _check(indices[indices != -1], len(points), path)
        more = strips(indices, lengths)
        triangles, colors = np.concatenate([triangles, more]), colors if not len(more) else None
    names = {name for table in tables.values() for name in table.dtype.names or ()}
    if any(group <= names for group in _TEXTURE):
        notes.append("its texture is not carried over, only colors of vertices and faces are")
    others = [f"{len(rows)} {name}" for name, rows in tables.items() if name not in _KNOWN and len(rows)]
    if others:
        notes.append(f"its elements beside vertices and faces were left out ({', '.join(others)})")
    return Faces(triangles, colors, notes)


def _lists(rows: NDArray | None, path: Path) -> tuple[NDArray[np.int64], NDArray]:
    """The vertex indices of all rows one after the other, and how many each row has."""
    names = [name for name in _LISTS if rows is not None and name in (rows.dtype.names or ())]
    if rows is None or not names or not len(rows):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    corners = rows[names[0]]
    if corners.dtype != object:
        corners = np.array(corners).reshape(len(rows), -1)
        return corners.astype(np.int64).ravel(), np.full(len(rows), corners.shape[1])
    return np.concatenate(corners).astype(np.int64), np.array([len(polygon) for polygon in corners])


def _check(corners: NDArray, count: int, path: Path) -> None:
    outside = corners[(corners < 0) | (corners >= count)]
    if len(outside):
        raise UnreadableInput(f"{path}: a face names vertex {outside[0]} (from 0), there are {count}")


def _colors(rows: NDArray) -> NDArray[np.uint8] | None:
    names = {canonical(name): name for name in rows.dtype.names or ()}
    if not set(COLOR) <= set(names):
        return None
    return as_colors(np.stack([rows[names[color]] for color in COLOR], axis=1))
