"""OBJ and OFF: meshes as text, with colors and normals; a note lists what else the file has.

The OBJ reader is our own because others split vertices along seams of textures and normals, which opens a
closed mesh, and lose the normals of a file of points. OFF has two counts, then a line for each vertex and
each polygon. Letters before the word OFF specify what follows a position: C a color, N a normal, ST texture
coordinates. Face colors follow the corners without any declaration.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array, PointCloud, TriangleMesh
from ..mesh import colors_at_vertices
from ..runtime.progress import each, steps, tick
from .colors import as_colors
from .files import count_of, division, not_carried, text_of
from .polygons import triangles_of

OFTEN = 10_000
"""Number of lines between two checks for a stop request."""

_CURVED = {"l": "lines", "curv": "curves", "surf": "curved surfaces"}
"""Elements other than faces, which do not become triangles."""


def read_obj(path: Path) -> PointCloud | TriangleMesh:
    """A mesh, or a cloud where there are no faces; polygons become triangles.

    Colors follow the position (v x y z r g b). Normals are kept where each vertex has exactly one.
    Raises UnreadableInput, which names the line.
    """
    vertices: list[list[float]] = []
    normals: list[list[float]] = []
    corners: list[int] = []
    normals_of_corners: list[int] = []
    sizes: list[int] = []
    others: Counter[str] = Counter()
    names: list[tuple[int, str]] = []
    lines = text_of(path).replace("\\\n", " ").split("\n")
    for number, line in enumerate(each(lines, OFTEN), 1):
        words = line.partition("#")[0].split()
        try:
            match words:
                case ["v", _, _, _, *_]:
                    vertices.append([float(word) for word in words[1:7]])
                case ["vn", x, y, z, *_]:
                    normals.append([float(x), float(y), float(z)])
                case ["f", *polygon]:
                    for word in polygon:
                        index, *more = word.split("/")
                        corners.append(_from_zero(index, len(vertices)))
                        if len(more) == 2 and more[1]:
                            normals_of_corners.append(_from_zero(more[1], len(normals)))
                    sizes.append(len(polygon))
                case ["v" | "vn", *_]:
                    raise ValueError("three numbers are needed")
                case ["o" | "g", *name]:
                    names.append((len(sizes), " ".join(name)))
                case [word, *_]:
                    others[word] += 1
        except ValueError as error:
            raise UnreadableInput(
                f"{path}: line {number} is damaged ({error}): {line.strip()[:60]}"
            ) from error
    if not vertices:
        raise UnreadableInput(f"{path}: has no vertices; is it an OBJ file?")
    points, colors = _split(vertices)
    faces, _ = _triangles(points, corners, sizes, path, first=1)
    notes = tuple(_left_out(others, vertices, colors, len(faces), _parts(names, len(sizes))))
    own = len(normals) == len(points) and normals_of_corners == (corners if len(faces) else [])
    directions = np.array(normals) if own else None
    if not len(faces):
        return PointCloud(points, directions, colors, notes=notes)
    return TriangleMesh(points, faces, directions, colors, notes=notes)


def _left_out(
    others: Counter[str], vertices: list[list[float]], colors: NDArray[Any] | None, faces: int, parts: int
) -> list[str]:
    """The note on what the mesh lacks of the file; `others` counts lines by their first word."""
    things = []
    if faces and others["usemtl"]:
        things.append("colors of materials")
    if faces and others["vt"]:
        things.append("textures" if others["usemtl"] else "texture coordinates")
    if colors is None and any(len(vertex) >= 6 for vertex in vertices):
        things.append("colors, which only some of its vertices have")
    things += [f"{name} ({others[word]})" for word, name in _CURVED.items() if others[word]]
    if faces and others["p"]:
        things.append(f"point elements ({others['p']})")
    return not_carried([*things, *division(parts)])


def _parts(names: list[tuple[int, str]], faces: int) -> int:
    """The number of named parts that have faces. names: each with the number of faces before it."""
    blocks = [(0, ""), *names, (faces, "")]
    return len({name for (start, name), (end, _) in pairwise(blocks) if start < end})


def _from_zero(word: str, count: int) -> int:
    """A zero-based index: the file counts from one, or backward from the last vertex if negative."""
    index = int(word)
    return count + index if index < 0 else index - 1


def _split(vertices: list[list[float]]) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
    """Positions (V, 3), and colors (V, 3) where every vertex has one."""
    if any(len(vertex) < 6 for vertex in vertices):
        return np.array([vertex[:3] for vertex in vertices]), None
    table = np.array(vertices)
    return table[:, :3].copy(), as_colors(table[:, 3:])


def _triangles(
    points: Array, corners: list[int], sizes: list[int], path: Path, first: int
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Triangles (F, 3) of polygons, and the polygon (F,) of each. first: what the file counts from."""
    try:
        index = np.array(corners, np.int64)
    except OverflowError as error:
        raise UnreadableInput(f"{path}: a face names a vertex beyond all that there can be") from error
    outside = index[(index < 0) | (index >= len(points))]
    if len(outside):
        raise UnreadableInput(f"{path}: a face names vertex {outside[0] + first}, there are {len(points)}")
    return triangles_of(points, index, np.array(sizes, np.int64))


def write_obj(path: Path, mesh: TriangleMesh) -> None:
    """Write positions in full precision, colors after them, normals, and faces f v//vn."""
    table = mesh.vertices.astype(np.float64)
    if mesh.colors is not None:
        table = np.hstack([table, np.round(mesh.colors / 255, 4)])
    step = steps()
    with path.open("w", encoding="ascii", newline="\n") as file:
        step(0.4)
        # repr gives the shortest digits, at most 17, that read back as the same number
        file.writelines("v " + " ".join(map(repr, row)) + "\n" for row in each(table.tolist(), OFTEN))
        step(0.6)
        if mesh.normals is not None:
            file.writelines(f"vn {x:.6g} {y:.6g} {z:.6g}\n" for x, y, z in each(mesh.normals.tolist(), OFTEN))
        step(1.0)
        corner = "{0}" if mesh.normals is None else "{0}//{0}"
        face = "f " + " ".join(corner.replace("0", str(k)) for k in range(3)) + "\n"
        file.writelines(face.format(*row) for row in each((mesh.faces + 1).tolist(), OFTEN))


_HEAD = re.compile(r"((?:ST|C|N)*)(4?n?)OFF(.*)", re.IGNORECASE)


def read_off(path: Path) -> PointCloud | TriangleMesh:
    """A mesh, or a cloud where there are no faces; polygons become triangles.

    Face colors are averaged at the vertices if these have no colors. Raises UnreadableInput.
    """
    step = steps()
    step(0.2)
    parts = (line.partition("#")[0].strip() for line in each(text_of(path).split("\n"), OFTEN))
    lines = [part for part in parts if part]
    head = _HEAD.fullmatch(lines[0]) if lines else None
    if head and (head[2] or "binary" in head[3].lower()):
        kind = f"{head[2]}OFF, of other than three dimensions" if head[2] else "binary"
        raise UnreadableInput(f"{path}: is {kind}, which is not read; export it as PLY")
    words = (head[3].split() or " ".join(lines[1:2]).split()) if head else []
    vertices, faces = (count_of(word) for word in [*words[:2], "", ""][:2])
    if head is None or vertices is None or faces is None:
        raise UnreadableInput(f"{path}: not an OFF file (it does not begin with OFF and two counts)")
    rows = lines[1 if head[3].strip() else 2 :]
    if len(rows) < vertices:
        raise UnreadableInput(
            f"{path}: cut short: its {len(rows)} lines cannot be the {vertices} vertices and {faces} faces"
            " that its header names; copy or export it again"
        )
    if len(rows) < vertices + faces:
        raise UnreadableInput(
            f"{path}: cut short: {len(rows) - vertices} faces are there where at least {faces} should be"
        )
    step(0.5)
    table = _off_table(rows[:vertices], path)
    step(1.0)
    lost: list[str] = []
    normals, colors = _off_attributes(table[:, 3:], head[1].upper(), lost)
    points = np.ascontiguousarray(table[:, :3])
    if not faces:
        return PointCloud(points, normals, colors, notes=tuple(not_carried(lost)))
    triangles, owner, paints = _off_triangles(rows[vertices : vertices + faces], points, path)
    if len(triangles) < faces:
        raise UnreadableInput(
            f"{path}: is damaged: {len(triangles)} triangles could be read where at least {faces} should be"
        )
    notes = []
    if paints is not None and len(paints) and colors is None:
        colors = colors_at_vertices(paints[owner], triangles, vertices)
        notes.append("the colors of its faces were averaged at the vertices")
    elif paints is not None:
        lost.append("colors of faces")
    return TriangleMesh(points, triangles, normals, colors, notes=(*notes, *not_carried(lost)))


def write_off(path: Path, mesh: TriangleMesh) -> list[str]:
    """Write positions in full precision, and triangles."""
    step = steps()
    with path.open("w", encoding="ascii", newline="\n") as file:
        step(0.5)
        file.write(f"OFF\n{len(mesh.vertices)} {len(mesh.faces)} 0\n")
        file.writelines(" ".join(map(repr, row)) + "\n" for row in each(mesh.vertices.tolist(), OFTEN))
        step(1.0)
        file.writelines("3 {} {} {}\n".format(*row) for row in each(mesh.faces.tolist(), OFTEN))
    return ["OFF is written without colors; PLY keeps them"] if mesh.colors is not None else []


def _off_table(rows: list[str], path: Path) -> NDArray[np.float64]:
    """The first C numbers of each row (V, C); C is the length of the shortest row, at least three."""
    table: list[list[float]] = []
    for row in each(rows, OFTEN):
        try:
            numbers = [float(word) for word in row.split()]
            if len(numbers) < 3:
                raise ValueError("three numbers are needed")
        except ValueError as error:
            raise UnreadableInput(f"{path}: a vertex is damaged ({error}): {row[:60]}") from error
        table.append(numbers)
    least = min(map(len, table), default=3)
    return np.array([numbers[:least] for numbers in table]).reshape(-1, least)


def _off_attributes(
    rest: NDArray[Any], letters: str, lost: list[str]
) -> tuple[NDArray[np.float64] | None, NDArray[np.uint8] | None]:
    """Normals (V, 3) and colors (V, 3) that the letters declare, from the numbers (V, C) after positions.

    Three or four undeclared bytes are also taken as a color.
    """
    normals = colors = None
    has_normals, has_colors = "N" in letters, "C" in letters or (not letters and _are_bytes(rest))
    count = rest.shape[1] - 2 * ("ST" in letters)
    sizes = {False: (0,), True: (3, 4)}[has_colors]
    if count - 3 * has_normals in sizes:
        # programs differ in which of the two comes first; normals have length 1
        colors_first = (
            has_normals and has_colors and _unit_share(rest[:, :3]) < _unit_share(rest[:, count - 3 : count])
        )
        color_at = 0 if colors_first or not has_normals else 3
        normal_at = count - 3 if colors_first else 0
        colors = as_colors(rest[:, color_at : color_at + 3]) if has_colors else None
        normals = rest[:, normal_at : normal_at + 3].copy() if has_normals else None
        if "ST" in letters:
            lost.append("texture coordinates")
    elif rest.shape[1]:
        lost.append(f"{rest.shape[1]} further numbers of each vertex")
    return normals, colors


def _are_bytes(rest: NDArray[Any]) -> bool:
    """Whether the numbers (V, C) after positions can only be colors."""
    whole = rest == np.rint(rest.clip(0, 255))
    return rest.shape[1] in (3, 4) and bool(whole.all() and (rest > 1).any())


def _unit_share(values: NDArray[Any]) -> float:
    return float((np.abs(np.linalg.norm(values, axis=1) - 1) < 0.01).mean()) if len(values) else 0.0


def _off_triangles(
    rows: list[str], points: NDArray[np.float64], path: Path
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.uint8] | None]:
    """Triangles (F, 3) of the polygons, the polygon of each (F,), and the colors of these (P, 3).

    A row is a polygon: the number of corners, the corners, and its color if any. The colors are None
    where no polygon has one, and empty where only some have one or the colors are palette indices.
    """
    corners: list[int] = []
    sizes: list[int] = []
    paints: list[list[float]] = []
    for row in each(rows, OFTEN):
        words = row.split()
        try:
            size = int(words[0])
            if not 0 <= size < len(words):
                raise UnreadableInput(
                    f"{path}: a face has {words[0][:20]} corners, {len(words) - 1} are there"
                )
            corners += map(int, words[1 : size + 1])
            if len(words) > size + 1:
                paints.append([float(word) for word in words[size + 1 : size + 4]])
        except ValueError as error:
            raise UnreadableInput(f"{path}: a face is damaged ({error}): {row[:60]}") from error
        sizes.append(size)
    tick(1.0)
    whole = len(paints) == len(sizes) and all(len(paint) == 3 for paint in paints)
    colors = as_colors(np.array(paints if whole else []).reshape(-1, 3)) if paints else None
    return *_triangles(points, corners, sizes, path, first=0), colors
