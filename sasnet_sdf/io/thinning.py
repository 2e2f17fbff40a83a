"""Thinning clouds that do not fit into memory to one point per voxel, while they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..geometry import Array, PointCloud
from ..runtime.compiled import kept
from ..runtime.memory import USED_POINT
from ..runtime.progress import tick
from .columns import PIECE, Columns, finite, joined, positions, rows_in, taken

_SALT = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)
_FREE, _ONE = np.uint64(0), np.uint64(1)


@kept()
def _stirred(bits: np.uint64) -> np.uint64:  # pragma: no cover - compiled
    """A permutation of 64 bits that spreads neighbors apart (Steele et al. 2014, SplitMix64)."""
    bits = bits + _SALT
    bits = (bits ^ (bits >> _30)) * _FIRST
    bits = (bits ^ (bits >> _27)) * _SECOND
    return bits ^ (bits >> _31)


@kept()
def mark_first(
    points: Array, edges: Array, offsets: Array, table: NDArray[np.uint64], first: NDArray[np.bool_]
) -> int:  # pragma: no cover - compiled
    """Mark the finite points (N, 3) whose cell is not yet in the table, and return their number.

    The cell is floor(point / edge + offset), edges and offsets (3,).
    table: (2^k,) uint64, initially zero; it stores a 64-bit hash of each cell. Among 10⁷ cells, a collision,
    which loses a point, has a probability of 10⁻⁵. The table must not be full. first: (N,) bool.
    """
    last = np.uint64(table.size - 1)
    count = 0
    for row in range(points.shape[0]):
        key = _FREE
        for axis in range(3):
            key = _stirred(
                key ^ np.uint64(np.int64(np.floor(points[row, axis] / edges[axis] + offsets[axis])))
            )
        if key == _FREE:
            key = _ONE
        slot = key & last
        while table[slot] != _FREE and table[slot] != key:
            slot = (slot + _ONE) & last
        first[row] = table[slot] == _FREE
        table[slot] = key
        count += first[row]
    return count


_SAMPLE = 100_000
_REFINEMENTS, _ALL_APART = 20, 1.1


_THINNED = "thinned from"
"""The beginning of the note on thinning."""


def was_thinned(notes: Iterable[str]) -> bool:
    """Whether the notes on a cloud say that it was thinned."""
    return any(note.startswith(_THINNED) for note in notes)


def default_max_points(available_bytes: int) -> int:
    """The number of points whose supervision and training fit into the available memory."""
    return max(available_bytes // USED_POINT, 100_000)


def thinned(cloud: PointCloud, max_points: int) -> PointCloud:
    """The cloud, thinned to one point per voxel if it has more than `max_points` points, and a note about it.

    The result has the points that `read_geometry(path, max_points)` keeps when it reads this cloud.
    """
    if len(cloud) <= max_points:
        return cloud
    notes: list[str] = []
    rows = thin(numbered(cloud.points), Path(), max_points, notes)["row"]
    return replace(cloud.select(rows), notes=(*cloud.notes, *notes))


def numbered(points: Array) -> Iterator[Columns]:
    """Pieces of points (N, 3), with their indices in a column `row`."""
    for start in range(0, len(points), PIECE):
        part = points[start : start + PIECE]
        yield dict(zip("xyz", part.T, strict=True)) | {"row": np.arange(start, start + len(part))}


def thin(pieces: Iterable[Columns], path: Path, most: int, notes: list[str]) -> Columns:
    """All finite rows of the pieces if there are at most `most`, else the first row in each voxel.

    The voxel grid is fixed in world space. The edges of a voxel are powers of two, with a ratio of one or
    two; at most `most` points are kept, and no fewer than half of that unless points coincide. The result
    depends on the points and their order, not on how they are cut into pieces; at most `most` rows and one
    piece are in memory.

    The first point is kept rather than the mean: a mean lies between the two sides of a thin sheet, has no
    normal and no sensor, and has less noise than neighboring means of fewer points.
    """
    return thin_together([(pieces, path, notes)], most, notes)[0]


def thin_together(
    scans: Iterable[tuple[Iterable[Columns], Path, list[str]]], most: int, notes: list[str]
) -> list[Columns]:
    """Thin several scans as by `thin`, as if they were one, to `most` rows in total; a result for each scan.

    scans: pieces, their file, and the list for notes on this scan; notes on all scans go to `notes`.
    """
    found, sieve = sifted(scans, most)
    notes += sieve.notes()
    if sieve.level is not None:
        voxel = " x ".join(f"{edge:.3g}" for edge in _edges(sieve.level))
        notes.append(f"{_THINNED} {sieve.seen} to {sieve.count} points: one per voxel of {voxel}")
    return found


def sifted(
    scans: Iterable[tuple[Iterable[Columns], Path, list[str]]], most: int
) -> tuple[list[Columns], Sieve]:
    """The rows of each scan that `thin_together` keeps, and the sieve that has counted all rows."""
    if most < 1:
        raise UsageError(f"at least one point must be kept, not {most}")
    sieve, ends, own = Sieve(most), [0], []
    for pieces, path, of_scan in scans:
        for piece in pieces:
            # some formats are read in one piece; the sieve's table has space for PIECE rows at a time
            for start in range(0, max(rows_in(piece), 1), PIECE):
                tick()
                sieve.add(taken(piece, slice(start, start + PIECE)), path)
        ends.append(len(sieve.kept))
        own.append(of_scan)
    found = [joined(sieve.kept[i:j], n) for i, j, n in zip(ends, ends[1:], own, strict=False)]
    return found, sieve


class Sieve:
    """Keeps at most `most` finite rows of the pieces: all, or the first in each voxel.

    Where there are too many rows the voxels double, and the kept rows are sifted again. The grids are nested:
    the first row in a large voxel is also the first in one of its small voxels, so it was kept before.
    """

    def __init__(self, most: int):
        self.most = most
        self.kept: list[Columns] = []
        self.seen = self.finite = self.count = 0
        self.level: int | None = None
        self.table = np.empty(0, np.uint64)

    def notes(self) -> list[str]:
        """A sentence about the points that are not finite, if there are any."""
        if self.seen == self.finite:
            return []
        return [f"{self.seen - self.finite} of {self.seen} points are not finite and were left out"]

    def add(self, piece: Columns, path: Path) -> None:
        usable = finite(positions(piece, path))
        self.seen += len(usable)
        self.finite += int(usable.sum())
        piece = piece if usable.all() else taken(piece, usable)
        self.kept.append(piece if self.level is None else self._sifted(piece, self.level))
        self.count += rows_in(self.kept[-1])
        while self.count > self.most:
            self._coarsen()

    def _coarsen(self) -> None:
        if self.level is None:
            self.table = _table(self.most + PIECE)
            # determined by the first `most` points, however they were cut into pieces
            points = np.concatenate([_points(piece) for piece in self.kept])[: self.most]
            self.level = _first_level(points, self.table)
        else:
            self.level += 1
        self.table[:] = 0
        self.kept = [self._sifted(piece, self.level) for piece in self.kept]
        self.count = sum(map(rows_in, self.kept))

    def _sifted(self, piece: Columns, level: int) -> Columns:
        first = np.empty(rows_in(piece), np.bool_)
        mark_first(_points(piece), _edges(level), _offsets(level), self.table, first)
        return taken(piece, first)


def _points(piece: Columns) -> Array:
    """The points (N, 3) of a piece that was added, which is known to have positions."""
    return positions(piece, Path())


def _edges(level: int) -> Array:
    """The edges (3,) of the voxels of a level; from one level to the next, they double along one axis.

    So a step removes at most half of the points; doubling all edges would remove three quarters of a surface.
    """
    return 2.0 ** _exponents(level)


def _offsets(level: int) -> Array:
    """The position of the world's origin in its voxel: at one or two thirds, which keeps the grids nested.

    If it were a corner in every grid, points on either side of it would never share a voxel.
    """
    return np.where(_exponents(level) % 2, 2 / 3, 1 / 3)


def _exponents(level: int) -> NDArray[np.int64]:
    return (level + np.array([2, 1, 0])) // 3


def _first_level(points: Array, table: NDArray[np.uint64]) -> int:
    """A level at which more than half of the points (N, 3) are first in their voxel, unless they coincide.

    The voxels have half the spacing of points spread evenly over a surface of the cloud's size, or are finer.
    The size is the interquartile range, which outliers do not affect.
    """
    some = points[:: max(1, len(points) // _SAMPLE)]
    low, high = np.percentile(some, [25, 75], axis=0)
    size = float((high - low).max()) or float(np.ptp(some, axis=0).max()) or 1.0
    level = 3 * int(np.floor(np.log2(size / np.sqrt(len(points)) / 2)))
    first, last = np.empty(len(points), np.bool_), 0
    for _ in range(_REFINEMENTS):
        table[:] = 0
        number = mark_first(points, _edges(level), _offsets(level), table, first)
        if number > len(points) / 2 or number < _ALL_APART * last:
            break
        level, last = level - 3, number
    return level


def _table(rows: int) -> NDArray[np.uint64]:
    """A hash table for the voxels of that many rows; it is still fast when three quarters full."""
    return np.zeros(1 << int(np.ceil(np.log2(rows / 0.75 + 1))), np.uint64)
