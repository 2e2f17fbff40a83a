"""LAS, LAZ and COPC: airborne and mobile laser scans, read by laspy."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .._optional import require
from ..errors import UnreadableInput
from .columns import COLOR, POSITION, Columns
from .crs import name_of
from .scan import PIECE, Scan, is_numeric, numbers


def read(path: Path) -> Scan:
    """Double precision coordinates, colours, and every other dimension as a scalar under its own name.

    The coordinate reference system, where the file names one, is a note. Raises UnreadableInput;
    MissingBackend where laspy is not installed, or lazrs for a compressed file.
    """
    laspy = require("laspy", "lidar", "reading LAS and LAZ files")
    # it logs what it also raises
    logging.getLogger("laspy").addHandler(logging.NullHandler())
    reader = _opened(laspy, path)
    header = reader.header
    if header.are_points_compressed:
        require("lazrs", "lidar", "reading LAZ files")
    else:
        room = max(path.stat().st_size - header.offset_to_point_data, 0) // header.point_format.size
        if room < header.point_count:
            raise _cut_short(path, room, header.point_count)
    system = name_of([*header.vlrs, *(header.evlrs or ())])
    notes = [f"coordinate reference system: {system}"] if system else []
    return Scan(_pieces(reader, path), notes, _without_empty_colors)


def _opened(laspy: Any, path: Path) -> Any:
    try:
        return laspy.open(path)
    except Exception as error:
        raise _unreadable(path, error) from error


def _pieces(reader: Any, path: Path) -> Iterator[Columns]:
    found, count = 0, reader.header.point_count
    with reader:
        while found < count:
            try:
                record = reader.read_points(PIECE)
                piece = _columns(record)
            except Exception as error:
                raise _unreadable(path, error) from error
            if not len(record):
                raise _cut_short(path, found, count)
            found += len(record)
            yield piece


def _columns(record: Any) -> Columns:
    """The dimensions of a point record, but not X, Y and Z, the integers behind its coordinates."""
    columns = {name: np.array(record[name], np.float64) for name in POSITION}
    for name in record.point_format.dimension_names:
        values = np.asarray(record[name])
        if name not in ("X", "Y", "Z") and is_numeric(values):
            columns[name] = numbers(values)
    return columns


def _without_empty_colors(columns: Columns) -> Columns:
    """Programs write formats with colours for scans without: all are black."""
    if any(columns[name].any() for name in COLOR if name in columns):
        return columns
    return {name: values for name, values in columns.items() if name not in COLOR}


def _unreadable(path: Path, error: Exception) -> UnreadableInput:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return UnreadableInput(f"{path}: not a LAS file that can be read ({reason}); copy or export it again")


def _cut_short(path: Path, there: int, named: int) -> UnreadableInput:
    return UnreadableInput(
        f"{path}: cut short: holds {there} of the {named} points that its header names;"
        " copy or export it again"
    )
