"""A cloud on its way from a file: columns in pieces, so that 10⁸ points need never be in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import PointCloud
from ..runtime.progress import tick
from .columns import Columns, cloud_from

PIECE = 1 << 18
"""The most rows of a piece."""


@dataclass
class Scan:
    """What a reader gives for points that it can read piece by piece.

    pieces: columns under the file's own names, at most PIECE rows each, read when they are drawn;
    they may raise UnreadableInput. notes: sentences for the user, complete once all are drawn.
    named: the columns under their names, for what can only be told when all of them are there.
    geographic: whether x and y are longitude and latitude; like notes, known once all pieces are drawn.
    """

    pieces: Iterable[Columns]
    notes: list[str] = field(default_factory=list)
    named: Callable[[Columns], Columns] = lambda columns: columns
    geographic: bool = False

    def cloud(self, columns: Columns, path: Path) -> PointCloud:
        """The cloud of columns that were kept of the pieces. Raises UnreadableInput."""
        cloud = cloud_from(self.named(columns), path, self.notes)
        return replace(cloud, geographic=self.geographic)


def records(path: Path, kind: np.dtype, offset: int, count: int) -> Iterator[NDArray[Any]]:
    """Arrays of at most PIECE of the `count` records that the file holds from `offset` on."""
    with path.open("rb") as file:
        file.seek(offset)
        for start in range(0, max(count, 1), PIECE):
            tick(start / max(count, 1))
            yield np.fromfile(file, kind, min(PIECE, count - start))


def columns_of(rows: NDArray[Any]) -> Columns:
    """The fields of a structured array (N,) that are numbers, each (N,) on its own."""
    names = rows.dtype.names or ()
    return {name: numbers(rows[name]) for name in names if is_numeric(rows[name])}


def numbers(values: NDArray[Any]) -> NDArray[Any]:
    """A copy in this machine's byte order that holds on to nothing else."""
    return np.array(values, values.dtype.newbyteorder("="))


def is_numeric(values: NDArray[Any]) -> bool:
    return values.ndim == 1 and values.dtype.kind in "fiu"


def rows_in(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))


def taken(columns: Columns, keep: NDArray[Any] | slice) -> Columns:
    """The rows that a boolean mask, an index array or a slice keeps."""
    return {name: values[keep] for name, values in columns.items()}


def joined(pieces: Iterable[Columns], notes: list[str]) -> Columns:
    """All pieces in one; columns that only some of them have are left out, and a note says so."""
    parts = []
    for piece in pieces:
        tick()
        parts.append(piece)
    if len(parts) < 2:
        return parts[0] if parts else {}
    everywhere = [name for name in parts[0] if all(name in part for part in parts)]
    elsewhere = dict.fromkeys(name for part in parts for name in part if name not in everywhere)
    if elsewhere:
        notes.append(f"only some of its scans have {', '.join(elsewhere)}: left out")
    # taken out of the parts one by one, so that no more than a column is there twice
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in everywhere}


def empty_rows(missing: int, total: int) -> list[str]:
    """The note about rows of a depth image or a scanner's raster that saw nothing."""
    return [f"{missing} of {total} rows hold no measurement and were left out"] if missing else []
