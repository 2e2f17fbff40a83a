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
_GAUSSIANS = {"scale_0", "rot_0", "opacity"}


@dataclass(frozen=True)
class Faces:
    """triangles (F, 3) int64, and the colors (F, 3) uint8 of their polygons or None."""

    triangles: NDArray[np.int64]
    colors: NDArray[np.uint8] | None


def read(tables: Mapping[str, NDArray], points: Array, path: Path) -> Faces:
    """The triangles of the elements `face` and `tristrips` among points (V, 3). Raises UnreadableInput."""
    corners, sizes = _lists(tables.get("face"), path)
    _check(corners, len(points), path)
    triangles, owner = triangles_of(points, corners, sizes)
    colors = None
    if len(sizes):
        colors = _colors(tables["face"])
        colors = None if colors is None else colors[owner]
    indices, lengths = _lists(tables.get("tristrips"), path)
    if len(indices):
        _check(indices[indices != -1], len(points), path)
        more = strips(indices, lengths)
        triangles, colors = np.concatenate([triangles, more]), colors if not len(more) else None
    return Faces(triangles, colors)


def left_out(tables: Mapping[str, NDArray]) -> list[str]:
    """What the elements hold that is neither in triangles nor in numbers of vertices."""
    names = {name: set(table.dtype.names or ()) for name, table in tables.items() if len(table)}
    of_vertices, of_faces = names.get("vertex", set()), names.get("face", set())
    lost = []
    if of_vertices >= _GAUSSIANS:
        lost.append("shapes, opacities and view-dependent colors of its 3D Gaussians")
    if "face" in names or "tristrips" in names:
        textured = any(group <= of_vertices | of_faces for group in _TEXTURE)
        lost += ["textures"] * (textured or any("texture" in name for name in names))
    lost += ["colors of the corners of faces"] * ("color" in of_faces)
    lists = [name for name in of_vertices if tables["vertex"].dtype[name].kind == "O"]
    lost += [f"lists of vertices ({', '.join(sorted(lists))})"] * bool(lists)
    others = [name for name in names if name not in _KNOWN and "texture" not in name]
    return lost + [f"rows of {name} ({len(tables[name])})" for name in others]


def _lists(rows: NDArray | None, path: Path) -> tuple[NDArray[np.int64], NDArray]:
    """The vertex indices of all rows one after the other, and how many each row has."""
    names = [] if rows is None or not len(rows) else _indices(rows)
    if rows is None or not names:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    corners = rows[names[0]]
    if corners.dtype != object:
        corners = np.array(corners).reshape(len(rows), -1)
        return corners.astype(np.int64).ravel(), np.full(len(rows), corners.shape[1])
    return np.concatenate(corners).astype(np.int64), np.array([len(polygon) for polygon in corners])


def _indices(rows: NDArray) -> list[str]:
    """The lists that can be of vertices: by their names, or else those of whole numbers."""
    lists = [n for n in rows.dtype.names or () if rows.dtype[n].kind == "O" or rows.dtype[n].shape]
    named = [name for name in _LISTS if name in lists]
    return named or [name for name in lists if np.asarray(rows[name][0]).dtype.kind in "iu"]


def _check(corners: NDArray, count: int, path: Path) -> None:
    outside = corners[(corners < 0) | (corners >= count)]
    if len(outside):
        raise UnreadableInput(f"{path}: a face names vertex {outside[0]} (from 0), there are {count}")


def _colors(rows: NDArray) -> NDArray[np.uint8] | None:
    names = {canonical(name): name for name in rows.dtype.names or ()}
    if not set(COLOR) <= set(names):
        return None
    return as_colors(np.stack([rows[names[color]] for color in COLOR], axis=1))
