"""PLY, the main format: clouds and meshes, in double precision."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array, PointCloud, TriangleMesh
from ..mesh import colors_at_vertices
from .colors import as_colors
from .columns import (
    COLOR,
    FIELD,
    NORMAL,
    POSITION,
    SENSOR,
    Columns,
    Scan,
    canonical,
    cloud_from,
    columns_of,
    joined,
    records,
)
from .files import not_carried, opened, reason_of
from .ply_rows import Header, cut_short, read_rows
from .polygons import strips, triangles_of

_LISTS = ("vertex_indices", "vertex_index")
_TEXTURE = ({"texcoord"}, {"s", "t"}, {"u", "v"}, {"texture_u", "texture_v"})
"""Names of texture coordinates, of a face's corners or of a vertex."""

_KNOWN = {"vertex", "face", "tristrips", "camera"}
_GAUSSIANS = {"scale_0", "rot_0", "opacity"}


@dataclass(frozen=True)
class Faces:
    """triangles (F, 3) int64, and the colors (F, 3) uint8 of their polygons or None."""

    triangles: NDArray[np.int64]
    colors: NDArray[np.uint8] | None


def read_faces(tables: Mapping[str, NDArray[Any]], points: Array, path: Path) -> Faces:
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


def left_out(tables: Mapping[str, NDArray[Any]]) -> list[str]:
    """The names of what the elements hold in addition to triangles and numeric vertex properties."""
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


def _lists(rows: NDArray[Any] | None, path: Path) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The concatenated vertex indices of all rows, and how many each row has."""
    names = [] if rows is None or not len(rows) else _indices(rows)
    if rows is None or not names:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    corners = rows[names[0]]
    if corners.dtype != object:
        corners = np.array(corners).reshape(len(rows), -1)
        return corners.astype(np.int64).ravel(), np.full(len(rows), corners.shape[1])
    return np.concatenate(corners).astype(np.int64), np.array([len(polygon) for polygon in corners])


def _indices(rows: NDArray[Any]) -> list[str]:
    """The lists that may hold vertex indices: by their names, or else all lists of integers."""
    lists = [n for n in rows.dtype.names or () if rows.dtype[n].kind == "O" or rows.dtype[n].shape]
    named = [name for name in _LISTS if name in lists]
    return named or [name for name in lists if np.asarray(rows[name][0]).dtype.kind in "iu"]


def _check(corners: NDArray[Any], count: int, path: Path) -> None:
    outside = corners[(corners < 0) | (corners >= count)]
    if len(outside):
        raise UnreadableInput(f"{path}: a face names vertex {outside[0]} (from 0), there are {count}")


def _colors(rows: NDArray[Any]) -> NDArray[np.uint8] | None:
    names = {canonical(name): name for name in rows.dtype.names or ()}
    if not set(COLOR) <= set(names):
        return None
    return as_colors(np.stack([rows[names[color]] for color in COLOR], axis=1))


_KINDS = {
    **dict(zip(("i1", "u1", "i2", "u2"), ("char", "uchar", "short", "ushort"), strict=True)),
    **dict(zip(("i4", "u4", "f4", "f8"), ("int", "uint", "float", "double"), strict=True)),
}
_TRIANGLE = np.dtype([("corners", "u1"), ("indices", "<i4", (3,))])


def read(path: Path) -> Scan | PointCloud | TriangleMesh:
    """The vertices of a PLY file, as a mesh where it has faces; polygons become triangles.

    The file may be ASCII or binary in either byte order, with any numeric types in any order. Additional
    properties become scalars. Raises UnreadableInput, before allocating memory, where the file cannot hold
    what its header names.
    """
    tables = _parsed(path)
    if "vertex" not in tables:
        raise UnreadableInput(f"{path}: has no vertices (elements: {', '.join(tables) or 'none'})")
    vertex = tables["vertex"]
    lost = left_out(tables)
    if not any(len(tables.get(name, ())) for name in ("face", "tristrips")):
        return Scan(_pieces(vertex, path), not_carried(lost))
    cloud = cloud_from(joined(_pieces(vertex, path), []), path)
    found = read_faces(tables, cloud.points, path)
    if not len(found.triangles):
        return replace(cloud, notes=tuple(not_carried(lost)))
    colors, notes = cloud.colors, []
    if found.colors is not None and colors is None:
        colors = colors_at_vertices(found.colors, found.triangles, len(cloud))
        notes = ["the colors of its faces were averaged at the vertices"]
    elif found.colors is not None:
        lost.append("colors of faces, since its vertices have colors")
    notes += not_carried(lost)
    return TriangleMesh(cloud.points, found.triangles, cloud.normals, colors, cloud.scalars, tuple(notes))


def _pieces(vertex: NDArray[Any], path: Path) -> Iterator[Columns]:
    """The vertices in pieces; a binary file without lists is memory-mapped and read lazily."""
    if isinstance(vertex, np.memmap):
        tables = records(path, vertex.dtype, vertex.offset, len(vertex))
    else:
        tables = iter([vertex])
    return map(columns_of, tables)


def _parsed(path: Path) -> dict[str, NDArray[Any]]:
    """Structured arrays by element name; lists are arrays in object columns, or (N, C) columns."""
    header = Header.of(path)
    if header.ascii:
        return read_rows(path, header.lines, header.elements)
    from plyfile import PlyData, PlyElementParseError, PlyParseError

    triangles = {e.name: {e.lists[0]: 3} for e in header.elements if e.name == "face" and len(e.lists) == 1}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # NumPy warns about an element that ends too early
            try:
                # fast where all faces are triangles
                with opened(path, header.size) as file:
                    data = PlyData.read(file, known_list_len=triangles)
            except PlyElementParseError as error:
                if not triangles or _place(error)[0] != "face":
                    raise
                with opened(path, header.size) as file:
                    data = PlyData.read(file)
    except PlyElementParseError as error:
        name, row, count = _place(error)
        if error.message == "early end-of-file":
            raise cut_short(path, name, row, count) from error
        raise UnreadableInput(
            f"{path}: {name} {row + 1} of {count} is damaged ({error.message}); export the file again"
        ) from error
    except (PlyParseError, ValueError, OverflowError, MemoryError) as error:
        raise UnreadableInput(f"{path}: not a PLY file that can be read ({reason_of(error)})") from error
    return {element.name: element.data for element in data.elements}


def _place(error: Any) -> tuple[str, int, int]:
    """The element that plyfile could not parse, the zero-based row, and the expected number of rows."""
    return error.element.name, error.row or 0, error.element.count


def memory(path: Path) -> float:
    """Memory for reading a file; 0 for a binary file with only points, which is read in pieces."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    whole = b"format ascii" in head or re.search(rb"element face +[1-9]", head) is not None
    return 15 * path.stat().st_size * whole


def write_cloud(path: Path, cloud: PointCloud) -> None:
    """Write a binary PLY: positions and sensors as double, normals as float, colors as uchar.

    Scalars follow under their names, 64-bit integers as doubles, others in their own types.
    """
    columns = _columns(POSITION, cloud.points, "f8")
    columns |= _columns(NORMAL, cloud.normals, "f4") | _columns(COLOR, cloud.colors, "u1")
    columns |= _columns(SENSOR, cloud.sensors, "f8")
    _write(path, _with_scalars(columns, cloud.scalars))


def write_mesh(path: Path, mesh: TriangleMesh) -> None:
    """Write a binary PLY: positions as double, normals as float, colors as uchar, faces as int32.

    Scalars follow under their names, 64-bit integers as doubles, others in their own types.
    """
    columns = _columns(POSITION, mesh.vertices, "f8")
    columns |= _columns(NORMAL, mesh.normals, "f4") | _columns(COLOR, mesh.colors, "u1")
    _write(path, _with_scalars(columns, mesh.scalars), mesh.faces)


def _columns(names: tuple[str, ...], values: NDArray[Any] | None, kind: str) -> dict[str, NDArray[Any]]:
    return {} if values is None else {n: values[:, k].astype(kind) for k, n in enumerate(names)}


def _with_scalars(
    columns: dict[str, NDArray[Any]], scalars: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """The columns followed by the scalars, under unique names that are valid in a PLY header."""
    for name, values in scalars.items():
        name = re.sub(r"[^!-~]+", "_", name) or "_"
        while name in columns:
            name += "_"
        columns[name] = values if values.dtype.str[1:] in _KINDS else values.astype("f8")
    return columns


def write_table(path: Path, table: NDArray[np.float64]) -> None:
    """Write each row of FIELD (N, 7) as a vertex."""
    _write(path, dict(zip(FIELD, table.T, strict=True)))


def _write(path: Path, columns: Mapping[str, NDArray[Any]], faces: NDArray[Any] | None = None) -> None:
    """Write vertices from named columns (N,) and triangles (F, 3), in binary little endian."""
    count = len(next(iter(columns.values())))
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    header += [f"property {_KINDS[c.dtype.str[1:]]} {name}" for name, c in columns.items()]
    rows = np.empty(count, [(name, c.dtype.newbyteorder("<")) for name, c in columns.items()])
    for name, column in columns.items():
        rows[name] = column
    triangles = np.empty(0 if faces is None else len(faces), _TRIANGLE)
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        triangles["corners"], triangles["indices"] = 3, faces
    with path.open("wb") as file:
        file.write(("\n".join([*header, "end_header"]) + "\n").encode("ascii"))
        file.write(rows.tobytes())
        file.write(triangles.tobytes())
