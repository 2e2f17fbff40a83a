"""Clouds of more points than memory carries: one point a voxel, chosen while the file is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..geometry import Array, PointCloud
from .cells import mark_first
from .columns import Columns, finite, positions
from .scan import PIECE, joined, taken

BYTES_A_POINT = 1000
"""What supervision and training take for a point of the cloud."""
_SAMPLE = 100_000
_HALVINGS, _BISECTIONS, _CLOSE = 40, 6, 0.9


def default_max_points(available_bytes: int) -> int:
    """The number of points whose supervision and training fit into the memory that is available."""
    return max(available_bytes // BYTES_A_POINT, 100_000)


def thinned(cloud: PointCloud, max_points: int) -> PointCloud:
    """The cloud, or where it has more than `max_points` points one point a voxel, and a note that says so.

    The same points that `read_geometry(path, max_points)` keeps of a file with these.
    """
    if len(cloud) <= max_points:
        return cloud
    notes: list[str] = []
    rows = thin(_numbered(cloud.points), Path(), max_points, notes)["row"]
    return replace(cloud.select(rows), notes=(*cloud.notes, *notes))


def _numbered(points: Array) -> Iterator[Columns]:
    for start in range(0, len(points), PIECE):
        part = points[start : start + PIECE]
        yield dict(zip("xyz", part.T, strict=True)) | {"row": np.arange(start, start + len(part))}


def thin(pieces: Iterable[Columns], path: Path, most: int, notes: list[str]) -> Columns:
    """All rows of the pieces where they are at most `most`, else of each voxel the first, whole.

    The voxels are those of a grid through the origin; their edge is such that at most `most` points are
    kept, and of points on a surface no fewer than half of it. What is kept depends on the points and
    their order, not on how they are cut into pieces. At most 2 `most` rows and a piece are in memory.

    The first point rather than the mean: a mean lies between the sides of a thin sheet, has no normal
    and no sensor, and has less noise than its neighbours where they are fewer.
    """
    if most < 1:
        raise UsageError(f"at least one point must be kept, not {most}")
    sieve = _Sieve(path, room=2 * most)
    for piece in pieces:
        sieve.add(piece)
    columns, edge = joined(sieve.kept, notes), sieve.edge
    if sieve.seen > sieve.finite:
        notes.append(f"{sieve.seen - sieve.finite} of {sieve.seen} points are not finite and were left out")
    if sieve.count > most:
        points = positions(columns, path)
        edge, first = _finest(points, most, edge or _edge_for(points))
        columns = taken(columns, first)
    if edge:
        notes.append(f"thinned from {sieve.seen} to {_rows(columns)} points: one a voxel of {edge:.3g}")
    return columns


class _Sieve:
    """Pieces of which at most `room` finite rows are kept: all, or the first of each voxel.

    Where they become too many the edge doubles, and what is kept is sifted again. The grids are nested:
    the first of a large voxel is among the firsts of its small ones, so none is lost by the way.
    """

    def __init__(self, path: Path, room: int):
        self.path, self.room = path, room
        self.kept: list[Columns] = []
        self.seen = self.finite = self.count = 0
        self.edge = 0.0
        self.table = np.empty(0, np.uint64)

    def add(self, piece: Columns) -> None:
        usable = finite(positions(piece, self.path))
        self.seen += len(usable)
        self.finite += int(usable.sum())
        piece = piece if usable.all() else taken(piece, usable)
        self.kept.append(self._sifted(piece) if self.edge else piece)
        self.count += _rows(self.kept[-1])
        while self.count > self.room:
            self._coarsen()

    def _coarsen(self) -> None:
        if self.edge:
            self.edge *= 2
            self.table[:] = 0
        else:
            # by the first `room` points, however they came
            self.edge = _edge_for(np.concatenate([positions(p, self.path) for p in self.kept])[: self.room])
            self.table = _table(self.room + PIECE)
        self.kept = [self._sifted(piece) for piece in self.kept]
        self.count = sum(map(_rows, self.kept))

    def _sifted(self, piece: Columns) -> Columns:
        first = np.empty(_rows(piece), np.bool_)
        mark_first(positions(piece, self.path), self.edge, self.table, first)
        return taken(piece, first)


def _finest(points: Array, most: int, edge: float) -> tuple[float, NDArray[np.bool_]]:
    """An edge whose voxels hold at most `most` of the points (N, 3) as their first, but nearly; and those."""
    table, first = _table(len(points)), np.empty(len(points), np.bool_)

    def count(edge: float) -> int:
        table[:] = 0
        return mark_first(points, edge, table, first)

    halvings = 0
    while count(edge) <= most and halvings < _HALVINGS:  # never more than `most`: points coincide
        edge, halvings = edge / 2, halvings + 1
    fine, coarse = edge, 2 * edge
    while count(coarse) > most:
        fine, coarse = coarse, 2 * coarse
    for _ in range(_BISECTIONS):
        middle = float(np.sqrt(fine * coarse))
        number = count(middle)
        if number > most:
            fine = middle
        else:
            coarse = middle
            if number >= _CLOSE * most:
                break
    count(coarse)
    return coarse, first


def _edge_for(points: Array) -> float:
    """A power of two below the distance that points (N, 3) would have spread over a surface of their size.

    Their size is that of their middle half, which outliers do not change.
    """
    some = points[:: max(1, len(points) // _SAMPLE)]
    low, high = np.percentile(some, [25, 75], axis=0)
    size = float((high - low).max()) or float(np.ptp(some, axis=0).max()) or 1.0
    return float(2.0 ** np.floor(np.log2(size / np.sqrt(len(points)) / 2)))


def _table(rows: int) -> NDArray[np.uint64]:
    """Room for the voxels of so many rows; three quarters full is still quick."""
    return np.zeros(1 << int(np.ceil(np.log2(rows / 0.75 + 1))), np.uint64)


def _rows(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))
