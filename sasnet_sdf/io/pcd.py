"""PCD, the Point Cloud Library's format: ascii, binary and binary_compressed (LZF by M. Lehmann)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..runtime.compiled import kept
from .colors import is_packed
from .columns import (
    SENSOR,
    Columns,
    Scan,
    columns_of,
    empty_rows,
    finite,
    is_known,
    numbers,
    positions,
    records,
    taken,
)
from .files import not_carried, reason_of
from .rows import row_of, tables_of


@kept()
def decompress(source: NDArray[np.uint8], target: NDArray[np.uint8]) -> int:  # pragma: no cover - compiled
    """Fill `target` from `source` and return the bytes written, or -1 where the stream is damaged.

    A control byte n below 32 is followed by n + 1 literal bytes. Any other control byte begins a copy: its
    upper three bits hold the length minus 2 (if 7, another byte is added to it), its lower five bits the
    upper bits of the distance minus 1.
    """
    here = there = 0
    while here < source.size:
        control = int(source[here])
        here += 1
        if control < 32:
            length = control + 1
            if here + length > source.size or there + length > target.size:
                return -1
            for k in range(length):
                target[there + k] = source[here + k]
            here += length
        else:
            length = control >> 5
            if here + (length == 7) >= source.size:
                return -1
            if length == 7:
                length += int(source[here])
                here += 1
            length += 2
            back = there - ((control & 31) << 8) - int(source[here]) - 1
            here += 1
            if back < 0 or there + length > target.size:
                return -1
            for k in range(length):
                target[there + k] = target[back + k]
        there += length
    return there


_DEFAULT_VIEWPOINT = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
_LONGEST_HEADER = 1 << 16


@dataclass(frozen=True)
class _Header:
    """row: the dtype of a point, by the file's own names. organized: a depth image, NaN where it has no data.

    lines, size: the lines and bytes of the header, after which the data begin.
    """

    row: np.dtype
    points: int
    organized: bool
    viewpoint: tuple[float, ...]
    encoding: str
    lines: int
    size: int


def read(path: Path) -> Scan:
    """The points of a PCD file, with normals, packed colors and further fields where it has them.

    The empty pixels of an organized cloud are left out. The viewpoint becomes the sensor's position if it
    is not the default, or if the cloud is organized, since a depth camera takes its images from 0 0 0.
    Raises UnreadableInput.
    """
    header = _header(path)
    wide = [name for name in header.row.names or () if header.row[name].shape and not name.startswith("_")]
    notes = not_carried([f"fields of several numbers ({', '.join(wide)})"] if wide else [])
    room = path.stat().st_size - header.size
    if header.encoding == "ascii":
        _check_size(room, 2 * header.points, header, path)
        pieces = _ascii(header, path, notes)
    elif header.encoding == "binary":
        _check_size(room, header.points * header.row.itemsize, header, path)
        pieces = map(columns_of, records(path, header.row, header.size, header.points))
    else:
        pieces = iter([_compressed(header, path)])
    return Scan(
        _measured(pieces, header, path, notes),
        notes,
        lambda columns: {name: values for name, values in columns.items() if not name.startswith("_")},
    )


def _measured(pieces: Iterable[Columns], header: _Header, path: Path, notes: list[str]) -> Iterator[Columns]:
    """The pieces without the empty pixels of an organized cloud, with the sensor added."""
    missing = 0
    for piece in pieces:
        points = positions(piece, path)
        if header.organized:
            seen = finite(points)
            missing += int((~seen).sum())
            piece, points = taken(piece, seen), points[seen]
        if header.organized or header.viewpoint != _DEFAULT_VIEWPOINT:
            piece |= {n: np.full(len(points), v) for n, v in zip(SENSOR, header.viewpoint, strict=False)}
        yield piece
    notes += empty_rows(missing, header.points)


def _header(path: Path) -> _Header:
    with path.open("rb") as file:
        data = file.read(_LONGEST_HEADER)
    words: dict[str, list[str]] = {}
    start = lines = 0
    while "DATA" not in words:
        end = data.find(b"\n", start)
        if end < 0:
            raise UnreadableInput(f"{path}: not a PCD file, or one without a line DATA")
        name, *values = data[start:end].decode("ascii", "replace").replace(",", " ").split() or ["#"]
        words[name.upper()] = values
        start, lines = end + 1, lines + 1
    extension = _extension(data[start:])
    start, lines = start + len(extension), lines + extension.count(b"\n")
    try:
        fields, kinds = words["FIELDS" if "FIELDS" in words else "COLUMNS"], words["TYPE"]
        sizes = [int(size) for size in words["SIZE"]]
        counts = [int(count) for count in words.get("COUNT", ["1"] * len(fields))]
        words.setdefault("WIDTH", words.get("POINTS", []))
        width, height = int(words["WIDTH"][0]), int(words.get("HEIGHT", ["1"])[0])
        points = int(words["POINTS"][0]) if "POINTS" in words else width * height
        viewpoint = tuple(float(number) for number in words.get("VIEWPOINT", _DEFAULT_VIEWPOINT))
        encoding = words["DATA"][0].lower()
        if not set("".join(kinds).upper()) <= set("IUF") or min(counts) < 1:
            raise ValueError("its types must be I, U or F, its counts at least 1")
        kinds = [f"<{kind.lower()}{size}" for kind, size in zip(kinds, sizes, strict=True)]
        row = np.dtype([part for k in range(len(fields)) for part in _field(k, fields, kinds, counts)])
    except (KeyError, IndexError, ValueError, TypeError, SyntaxError, OverflowError) as error:
        raise UnreadableInput(f"{path}: its PCD header is damaged ({reason_of(error)})") from error
    if min(points, width, height) < 0 or encoding not in ("ascii", "binary", "binary_compressed"):
        raise UnreadableInput(f"{path}: its PCD header names {points} points as {encoding}; it is damaged")
    if len(viewpoint) != len(_DEFAULT_VIEWPOINT) or not np.isfinite(viewpoint).all():
        viewpoint = _DEFAULT_VIEWPOINT
    return _Header(row, points, height > 1, viewpoint, encoding, lines, start)


def _field(
    k: int, names: list[str], kinds: list[str], counts: list[int]
) -> list[tuple[str, str, tuple[int, ...]]]:
    """A field as one column, or as three where it is a complete position, normal or color."""
    name, count = names[k], counts[k]
    if count == 3 and is_known(f"{name}0"):
        return [(f"{name}{axis}", kinds[k], ()) for axis in range(3)]
    # a padding field, named _, may occur more than once
    return [(f"_{k}" if name == "_" else name, kinds[k], (count,) * (count != 1))]


def _extension(data: bytes) -> bytes:
    """The lines that some lidar software puts between header and data, including the last line break."""
    extension = re.match(rb"HEADER_EXT_START.*?HEADER_EXT_END[^\n]*\n", data, re.DOTALL)
    return extension[0] if extension else b""


def _ascii(header: _Header, path: Path, notes: list[str]) -> Iterator[Columns]:
    widths = [np.prod(header.row[name].shape, dtype=int) for name in header.row.names or ()]
    first = np.cumsum([0, *widths])
    plain = [(n, k) for n, k, w in zip(header.row.names or (), first, widths, strict=False) if w == 1]
    found = surplus = 0
    with path.open("rb") as file:
        file.seek(header.size)
        row = row_of(file.readline(_LONGEST_HEADER).decode("ascii", "replace"))
    for table in tables_of(path, row and row[0], header.lines):
        if sum(widths) != table.shape[1]:
            raise UnreadableInput(
                f"{path}: its header names {sum(widths)} values a row, found {table.shape[1]}"
            )
        surplus += max(found + len(table) - header.points, 0)
        table = table[: header.points - found]
        found += len(table)
        # a packed color may be written as an integer, which a column of type float32 would round
        yield {
            name: table[:, k].astype(np.float64 if is_packed(name) else header.row[name].base)
            for name, k in plain
        }
    _check_size(found, header.points, header, path)
    if surplus:
        notes.append(f"{surplus} rows beyond the {header.points} that its header names were left out")


def _compressed(header: _Header, path: Path) -> Columns:
    """Read two uint32, the compressed and the uncompressed size, then the columns one after the other."""

    body = path.read_bytes()[header.size :]
    packed, size = (int(n) for n in np.frombuffer(body[:8].ljust(8, b"\0"), "<u4"))
    _check_size(len(body) - 8, packed, header, path)
    wanted = header.points * header.row.itemsize
    # in LZF, three bytes expand to at most 264
    if size < wanted or size > 88 * packed:
        raise UnreadableInput(f"{path}: {size} bytes of data for {header.points} points; it is damaged")
    columns = np.empty(size, np.uint8)
    if decompress(np.frombuffer(body, np.uint8, packed, 8), columns) != size:
        raise UnreadableInput(f"{path}: its compressed data are damaged; export it again")
    found, start = {}, 0
    for name in header.row.names or ():
        kind = header.row[name]
        if kind.shape == ():
            found[name] = numbers(columns[start : start + header.points * kind.itemsize].view(kind))
        start += header.points * kind.itemsize
    return found


def _check_size(found: int, wanted: int, header: _Header, path: Path) -> None:
    if found < wanted:
        there = max(found, 0) * header.points // max(wanted, 1)
        raise UnreadableInput(
            f"{path}: cut short: holds about {there} of the {header.points} points that its header names;"
            " copy or export it again"
        )
