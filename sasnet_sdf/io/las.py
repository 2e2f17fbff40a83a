"""LAS, LAZ and COPC: airborne and mobile laser scans, read by laspy."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from .._optional import require
from ..errors import UnreadableInput
from ..progress import tick
from .columns import COLOR, POSITION, Columns
from .crs import system_of
from .reading import check_claim, reason_of
from .scan import PIECE, Scan, is_numeric, numbers

T = TypeVar("T")


def read(path: Path) -> Scan:
    """Double precision coordinates, colours, and every other dimension as a scalar under its own name.

    The coordinate reference system, where the file names one, is a note. Raises UnreadableInput;
    MissingBackend where laspy is not installed, or lazrs for a compressed file.
    """
    laspy = require("laspy", "lidar", "reading LAS and LAZ files")
    # it logs what it also raises
    logging.getLogger("laspy").addHandler(logging.NullHandler())
    scan = Scan((), named=_without_empty_colors)
    scan.pieces = _pieces(laspy, path, scan)
    return scan


def _pieces(laspy: Any, path: Path, scan: Scan) -> Iterator[Columns]:
    with path.open("rb") as file:
        _check_records(path, file)
        reader = _or_unreadable(path, lambda: laspy.open(file, closefd=False))
        header = reader.header
        _check_size(path, header)
        if header.are_points_compressed:
            _or_unreadable(path, lambda: _check_chunks(path, file, header))
        system = system_of([*header.vlrs, *(header.evlrs or ())])
        scan.geographic = system.geographic
        if system.name:
            scan.notes.append(f"coordinate reference system: {system.name}")
        found = 0
        while found < header.point_count:
            piece = _or_unreadable(path, lambda: _columns(reader.read_points(PIECE)))
            if not len(piece["x"]):
                raise _cut_short(path, found, header.point_count)
            found += len(piece["x"])
            tick(found / header.point_count)
            yield piece


def _check_records(path: Path, file: BinaryIO) -> None:
    """That there is room for the variable length records that the header names; laspy makes them all."""
    head, size = file.read(247).ljust(247, b"\0"), path.stat().st_size
    file.seek(0)
    count = struct.unpack_from("<I", head, 100)[0]
    start, extended = struct.unpack_from("<QI", head, 235) if head[25] >= 4 else (0, 0)
    for number, room, least in ((count, size, 54), (extended, size - start, 60)):
        if number * least > max(room, 0):
            raise UnreadableInput(
                f"{path}: is damaged: it has no room for the {number} records that its header names"
            )


def _check_size(path: Path, header: Any) -> None:
    """That what unpacks a file is there; that one that is not packed can hold what its header names."""
    if header.are_points_compressed:
        require("lazrs", "lidar", "reading LAZ files")
        return
    room = max(path.stat().st_size - header.offset_to_point_data, 0) // max(header.point_format.size, 1)
    if room < header.point_count:
        raise _cut_short(path, room, header.point_count)


def _check_chunks(path: Path, file: BinaryIO, header: Any) -> None:
    """That packed points need no more memory than the file can stand for: lazrs ends the process then."""
    lazrs: Any = require("lazrs", "lidar", "reading LAZ files")
    size, place = path.stat().st_size, file.tell()
    records = lazrs.LazVlr(header.vlrs[header.vlrs.index("LasZipVlr")].record_data)
    if records.item_size() != header.point_format.size:
        raise ValueError("its points have two sizes")
    file.seek(header.offset_to_point_data)
    table = int.from_bytes(file.read(8), "little", signed=True)
    if table == -1:
        file.seek(-8, 2)
        table = int.from_bytes(file.read(8), "little", signed=True)
    file.seek(max(table, 0) + 4)
    count = int.from_bytes(file.read(4), "little")
    if not header.offset_to_point_data < table < size or count > size:
        raise ValueError("its table of chunks is damaged, or cut off")
    file.seek(header.offset_to_point_data)
    chunks = lazrs.read_chunk_table(file, records)
    file.seek(place)
    if sum(packed for _, packed in chunks) > size:
        raise ValueError("its table of chunks is damaged")
    if (there := sum(points for points, _ in chunks)) < header.point_count:
        raise _cut_short(path, there, header.point_count)
    largest = max((points for points, _ in chunks), default=0)
    check_claim(path, (largest + min(PIECE, header.point_count)) * records.item_size())


def _or_unreadable(path: Path, action: Callable[[], T]) -> T:
    """What the action gives; laspy and lazrs raise errors of many kinds, which no two damages share."""
    try:
        return action()
    except (KeyboardInterrupt, SystemExit, UnreadableInput):
        raise
    except BaseException as error:  # lazrs, which is Rust, panics with one that is no Exception
        raise UnreadableInput(
            f"{path}: not a LAS file that can be read ({reason_of(error)}); copy or export it again"
        ) from error


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


def _cut_short(path: Path, there: int, named: int) -> UnreadableInput:
    return UnreadableInput(
        f"{path}: cut short: holds {there} of the {named} points that its header names;"
        " copy or export it again"
    )
