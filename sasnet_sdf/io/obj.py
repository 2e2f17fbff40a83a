"""Wavefront OBJ: positions, vertex colors, normals and polygons; a note says what else was there.

An own reader because others split vertices along seams of textures and normals, which opens a
closed mesh, and forget the normals of a file of points.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import PointCloud, TriangleMesh
from ..runtime.progress import each, steps
from .columns import as_colors
from .files import division, not_carried, text_of
from .polygons import triangles_of

_LARGEST = 2**53
"""An index: beyond it no file has vertices."""

OFTEN = 10_000
"""Lines after which the run may be stopped."""


_CURVED = {"l": "lines", "curv": "curves", "surf": "curved surfaces"}
"""Elements beside faces that become no triangles."""


def read(path: Path) -> PointCloud | TriangleMesh:
    """A mesh, or the points where there are no faces; polygons become triangles.

    Colors follow the position (v x y z r g b). Normals are kept where each vertex has one of its
    own. Raises UnreadableInput, which names the line.
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
    faces = _faces(points, corners, sizes, path)
    notes = tuple(_left_out(others, vertices, colors, len(faces), _parts(names, len(sizes))))
    own = len(normals) == len(points) and normals_of_corners == (corners if len(faces) else [])
    directions = np.array(normals) if own else None
    if not len(faces):
        return PointCloud(points, directions, colors, notes=notes)
    return TriangleMesh(points, faces, directions, colors, notes=notes)


def _left_out(
    others: Counter[str], vertices: list[list[float]], colors: NDArray[Any] | None, faces: int, parts: int
) -> list[str]:
    """The note on what the file has and the mesh has not; `others` counts lines by their first word."""
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
    """Of how many names there are faces; names: each with the number of faces before it."""
    blocks = [(0, ""), *names, (faces, "")]
    return len({name for (start, name), (end, _) in pairwise(blocks) if start < end})


def _from_zero(word: str, count: int) -> int:
    """An index from zero: the file counts from one, or back from the latest with negative numbers."""
    index = int(word)
    if abs(index) > _LARGEST:
        raise ValueError("there are not so many vertices")
    return count + index if index < 0 else index - 1


def _split(vertices: list[list[float]]) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
    """Positions (V, 3), and colors (V, 3) where every vertex has one."""
    if any(len(vertex) < 6 for vertex in vertices):
        return np.array([vertex[:3] for vertex in vertices]), None
    table = np.array(vertices)
    return table[:, :3].copy(), as_colors(table[:, 3:])


def _faces(
    points: NDArray[np.float64], corners: list[int], sizes: list[int], path: Path
) -> NDArray[np.int64]:
    """Triangles (F, 3), all of whose vertices are there."""
    index, count = np.array(corners, np.int64), len(points)
    outside = index[(index < 0) | (index >= count)]
    if len(outside):
        raise UnreadableInput(f"{path}: a face names vertex {outside[0] + 1}, there are {count}")
    return triangles_of(points, index, np.array(sizes, np.int64))[0]


def write(path: Path, mesh: TriangleMesh) -> None:
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
