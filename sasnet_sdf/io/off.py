"""OFF: two counts, then a line for each vertex and for each polygon; colors after them are left out."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import PointCloud, TriangleMesh
from ..progress import each, steps, tick
from .atomic import atomic_write
from .obj import OFTEN
from .reading import count_of, text_of
from .triangles import fans


def read(path: Path) -> PointCloud | TriangleMesh:
    """A mesh, or points where there are no faces; polygons become fans of triangles.

    Raises UnreadableInput.
    """
    step = steps()
    step(0.2)
    parts = (line.partition("#")[0].strip() for line in each(text_of(path).split("\n"), OFTEN))
    lines = [part for part in parts if part]
    head = re.fullmatch(r"OFF(.*)", lines[0]) if lines else None
    words = (head[1].split() or " ".join(lines[1:2]).split()) if head else []
    vertices, faces = (count_of(word) for word in [*words[:2], "", ""][:2])
    if head is None or vertices is None or faces is None:
        raise UnreadableInput(f"{path}: not an OFF file (it does not begin with OFF and two counts)")
    rows = lines[1 if head[1].strip() else 2 :]
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
    points = _points(rows[:vertices], path)
    step(1.0)
    triangles = _triangles(rows[vertices : vertices + faces], vertices, path)
    if len(triangles) < faces:
        raise UnreadableInput(
            f"{path}: is damaged: {len(triangles)} triangles could be read where at least {faces} should be"
        )
    return TriangleMesh(points, triangles) if faces else PointCloud(points)


def write(path: str | Path, mesh: TriangleMesh) -> None:
    """Write positions in full precision, and triangles."""
    step = steps()
    with atomic_write(path) as partial, partial.open("w", encoding="ascii", newline="\n") as file:
        step(0.5)
        file.write(f"OFF\n{len(mesh.vertices)} {len(mesh.faces)} 0\n")
        file.writelines(" ".join(map(repr, row)) + "\n" for row in each(mesh.vertices.tolist(), OFTEN))
        step(1.0)
        file.writelines("3 {} {} {}\n".format(*row) for row in each(mesh.faces.tolist(), OFTEN))


def _points(rows: list[str], path: Path) -> NDArray[np.float64]:
    """Points (V, 3), the first three numbers of each row."""
    numbers: list[float] = []
    for row in each(rows, OFTEN):
        try:
            x, y, z = row.split(maxsplit=3)[:3]
            numbers += float(x), float(y), float(z)
        except ValueError as error:
            raise UnreadableInput(f"{path}: a vertex is damaged ({error}): {row[:60]}") from error
    return np.array(numbers).reshape(-1, 3)


def _triangles(rows: list[str], count: int, path: Path) -> NDArray[np.int64]:
    """Triangles (F, 3) of the polygons, a row each: how many corners it has, then these."""
    corners: list[int] = []
    sizes: list[int] = []
    for row in each(rows, OFTEN):
        words = row.split()
        try:
            size = int(words[0])
            if not 0 <= size < len(words):
                raise UnreadableInput(
                    f"{path}: a face has {words[0][:20]} corners, {len(words) - 1} are there"
                )
            corners += map(int, words[1 : size + 1])
        except ValueError as error:
            raise UnreadableInput(f"{path}: a face is damaged ({error}): {row[:60]}") from error
        sizes.append(size)
    try:
        index = np.array(corners, np.int64)
    except OverflowError as error:
        raise UnreadableInput(f"{path}: a face names a vertex beyond all that there can be") from error
    tick(1.0)
    outside = index[(index < 0) | (index >= count)]
    if len(outside):
        raise UnreadableInput(f"{path}: a face names vertex {outside[0]}, there are {count}")
    return fans(index, np.array(sizes, np.int64))
