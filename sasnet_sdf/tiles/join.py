"""One surface from those of all tiles, read one after the other.

Besides one tile, only a few numbers for each component and each border vertex are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import TriangleMesh
from ..mesh import compacted
from ..runtime.progress import each
from .output import write_folder, write_ply
from .scratch import Scratch
from .summary import AREA, COVERED, VERTICES, Summary, components
from .tiling import Tiling
from .whole import Whole

Rows = dict[str, NDArray[Any]]
"""Attributes of vertices by name, each with a row for every vertex."""

NO_VERTICES: Rows = {"vertices": np.empty((0, 3)), "normals": np.empty((0, 3))}


@dataclass(frozen=True)
class Joined:
    """The surface of at least one tile, whose parts are in the scratch folder.

    The arrays (kind, number) of a tile are: vertices (V, 3) float64 in world units, which the tile owns;
    shared (), how many of them, the first ones, other tiles may use; normals (V, 3) float64 of unit length;
    optionally colors (V, 3) uint8, scalar_0, scalar_1... (V,); foreign (X, 2) int32, distinct shared vertices
    of other tiles, by tile and index; faces (F, 3) int32, where V + n is foreign vertex n; borne (F,)
    float32, the number of data points that support a triangle; area (F,) float32 in world units; optionally
    covered (K,) int32, for each sampled data point that the surface covers the nearest vertex.

    facts: numbers of the whole: vertices, faces, components_dropped, and boundary_edges, boundary_loops,
    non_manifold_edges as `Edges` counts them. covered: number of sampled data points that the whole covers.
    areas: of the triangles that stay, by tile, in world units.
    """

    scratch: Scratch
    kind: str
    facts: Mapping[str, int]
    covered: int
    areas: Mapping[int, float]
    _parts: Mapping[int, _Part]
    _empty: Rows
    _names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        scratch: Scratch,
        numbers: Sequence[int],
        names: Sequence[str] = (),
        fewest: float = 200.0,
        keep_all: bool = False,
        kind: str = "mesh",
    ) -> Joined:
        """Read the tiles once and decide which components of the whole stay.

        A component stays if at least `fewest` data points support it; the best supported one always does.
        keep_all: all do. names: of the scalars. An attribute that some tile lacks is left out. The shared
        vertices are saved once more, as the kind KIND-border. Raises UsageError where a file is missing or
        damaged.
        """
        summaries: dict[int, Summary] = {}
        kinds: list[Rows] = []
        for number in each(numbers):
            arrays = scratch.load(kind, number)
            rows = _attributes(arrays, len(names))
            summaries[number] = Summary.of(number, arrays)
            scratch.save(_border(kind), number, **_selected(rows, slice(summaries[number].shared)))
            if len(arrays["vertices"]):
                kinds.append({name: np.empty((0, *v.shape[1:]), v.dtype) for name, v in rows.items()})

        whole = Whole.of(summaries, lambda number: scratch.path(kind, number, "npz"))
        kept, border, dropped = whole.stays(0.0 if keep_all else fewest)
        parts: dict[int, _Part] = {}
        areas: dict[int, float] = {}
        start = 0
        ends = whole.component_ends[:-1], whole.border_ends[:-1]
        for number, of_tile, at_border, tallies in zip(
            numbers,
            np.split(kept, ends[0]),
            np.split(border, ends[1]),
            np.split(whole.tallies, ends[0]),
            strict=True,
        ):
            areas[number] = float(tallies[of_tile, AREA].sum())
            places = np.where(at_border, start + np.cumsum(at_border) - 1, -1)
            parts[number] = _Part(start, np.append(of_tile, False), places)
            start += int(at_border.sum()) + int(tallies[of_tile, VERTICES].sum())
        facts = {"vertices": start, "components_dropped": dropped, **whole.facts(kept, border)}
        covered = int(whole.tallies[kept, COVERED].sum())
        return cls(scratch, kind, facts, covered, areas, parts, _common(kinds), tuple(names))

    def staying(self, number: int) -> NDArray[np.bool_]:
        """Which components (C,) of a tile's surface stay, in the order of `summary.components`."""
        return self._parts[number].kept[:-1]

    def parts(self) -> Iterator[TriangleMesh]:
        """For each tile the vertices that it owns, and its triangles, which index vertices of the whole."""
        for rows, faces in self._pieces():
            yield self._mesh([rows], faces)

    def mesh(self) -> TriangleMesh:
        """The whole as one mesh."""
        rows, faces = zip(*self._pieces(), strict=True)
        return self._mesh(rows, np.concatenate(faces))

    def tile_meshes(self) -> Iterator[tuple[int, TriangleMesh]]:
        """Each tile's number and its mesh, which has copies of the vertices of other tiles that it uses."""
        for number in each(list(self._parts)):
            tile = self._load(number)
            used, faces = compacted(tile.faces, len(tile.component))
            foreign = tile.foreign[used[tile.owned :]]
            copies = {
                name: np.empty((len(foreign), *v.shape[1:]), v.dtype) for name, v in self._empty.items()
            }
            for owner, mine in _by_owner(foreign):
                shared = self.scratch.load(_border(self.kind), owner)
                for name, values in copies.items():
                    values[mine] = shared[name][foreign[mine, 1]]
            yield number, self._mesh([_selected(tile.rows, used[: tile.owned]), copies], faces)

    def write_ply(self, path: str | Path) -> None:
        """Write the whole as one PLY file, the one that `write_mesh` writes, tile by tile and atomically.

        Raises UsageError where there are more vertices than a PLY file can have, or it cannot be written.
        """
        row = {name: np.zeros((1, *v.shape[1:]), v.dtype) for name, v in self._empty.items()}
        sample = self._mesh([row], np.empty((0, 3), np.int64))
        write_ply(path, sample, self.parts(), self.facts["vertices"], self.facts["faces"])

    def write_folder(self, folder: str | Path, suffix: str, tiling: Tiling) -> tuple[str, ...]:
        """Write a mesh of each tile as FOLDER/NUMBER.SUFFIX, and index.json, which names them.

        Returns a sentence about each attribute that the format cannot keep. Raises UsageError.
        """
        return write_folder(folder, suffix, self.tile_meshes(), tiling)

    def _pieces(self) -> Iterator[tuple[Rows, NDArray[np.int64]]]:
        """The vertices that each tile owns, and its triangles, which index vertices of the whole."""
        for number in each(list(self._parts)):
            tile, part = self._load(number), self._parts[number]
            own = part.kept[tile.component[: tile.owned]]
            own[: len(part.border)] = part.border >= 0
            foreign = np.empty(len(tile.foreign), np.int64)
            for owner, mine in _by_owner(tile.foreign):
                foreign[mine] = self._parts[owner].border[tile.foreign[mine, 1]]
            places = np.concatenate([part.start + np.cumsum(own) - 1, foreign])
            yield _selected(tile.rows, own), places[tile.faces]

    def _load(self, number: int) -> _Tile:
        """A tile with the triangles that stay."""
        arrays = self.scratch.load(self.kind, number)
        faces, foreign, owned = arrays["faces"], arrays["foreign"], len(arrays["vertices"])
        component, _ = components(faces, owned + len(foreign))
        faces = faces[self._parts[number].kept[component[faces[:, 0]]]]
        return _Tile(_attributes(arrays, len(self._names)), owned, foreign, faces, component)

    def _mesh(self, pieces: Sequence[Rows], faces: NDArray[np.int64]) -> TriangleMesh:
        """The mesh of the vertices of all pieces, with the attributes and in the types of the whole."""
        rows = {
            name: np.concatenate([empty, *(piece[name] for piece in pieces if len(piece["vertices"]))])
            for name, empty in self._empty.items()
        }
        scalars = {n: rows[f"scalar_{k}"] for k, n in enumerate(self._names) if f"scalar_{k}" in rows}
        return TriangleMesh(rows["vertices"], faces, rows["normals"], rows.get("colors"), scalars)


@dataclass(frozen=True)
class _Part:
    """Where a tile is in the whole.

    start: the number of its first vertex. kept: (C + 1,) which of its components stay; the last entry stands
    for vertices that no triangle uses. border: (S,) the numbers of its shared vertices, -1 where they are
    left out; unlike others, they stay where triangles of other tiles use them.
    """

    start: int
    kept: NDArray[np.bool_]
    border: NDArray[np.int64]


@dataclass(frozen=True)
class _Tile:
    """rows: of `owned` (V) vertices. foreign: (X, 2). faces: (F, 3) that stay. component: (V + X,), or -1."""

    rows: Rows
    owned: int
    foreign: NDArray[np.int32]
    faces: NDArray[Any]
    component: NDArray[np.int32]


def _border(kind: str) -> str:
    """The kind of the arrays of shared vertices."""
    return f"{kind}-border"


def _attributes(arrays: Rows, scalars: int) -> Rows:
    """The attributes of a tile's vertices, positions included."""
    names = ("vertices", "normals", "colors", *(f"scalar_{k}" for k in range(scalars)))
    return {name: arrays[name] for name in names if name in arrays}


def _selected(rows: Rows, index: Any) -> Rows:
    """The rows that a mask, a slice or an index array selects."""
    return {name: values[index] for name, values in rows.items()}


def _common(kinds: Sequence[Rows]) -> Rows:
    """No rows, with the attributes that all kinds have, in types that hold the values of all."""
    common = [name for name in kinds[0] if all(name in kind for kind in kinds)] if kinds else []
    return NO_VERTICES | {name: np.concatenate([kind[name] for kind in kinds]) for name in common}


def _by_owner(foreign: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The tiles that foreign vertices (X, 2) belong to, and which of them belong to each."""
    for owner in np.unique(foreign[:, 0]):
        yield int(owner), np.flatnonzero(foreign[:, 0] == owner)
