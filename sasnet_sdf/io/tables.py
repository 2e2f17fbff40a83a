"""Signed distances and gradients at points, as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..geometry import Array
from .atomic import TABLES, atomic_write
from .ply import write_columns

COLUMNS = ("x", "y", "z", "distance", "gx", "gy", "gz")


def write_table(path: str | Path, points: Array, distances: Array, gradients: Array) -> None:
    """Write points (N, 3), distances (N,) and gradients (N, 3) in float64, by the extension.

    .csv and .txt: seven columns under their names; .npy: the same (N, 7); .npz: three arrays named
    points, distances, gradients; .ply: vertices with these properties. Raises UsageError.
    """
    kind = Path(path).suffix.lower()
    if kind not in TABLES:
        raise UsageError(f"{path}: unknown extension {kind or '(none)'}; known: {' '.join(TABLES)}")
    table = np.column_stack([points, distances, gradients]).astype(np.float64)
    if kind == ".ply":
        write_columns(path, dict(zip(COLUMNS, table.T, strict=True)))
        return
    with atomic_write(path) as partial:
        if kind == ".npy":
            np.save(partial, table)
        elif kind == ".npz":
            np.savez(partial, points=table[:, :3], distances=table[:, 3], gradients=table[:, 4:])
        else:
            mark = "," if kind == ".csv" else " "
            with partial.open("w", encoding="ascii", newline="\n") as file:
                file.write(mark.join(COLUMNS) + "\n")
                # repr gives the shortest digits that read back as the same number
                file.writelines(mark.join(map(repr, row)) + "\n" for row in table.tolist())
