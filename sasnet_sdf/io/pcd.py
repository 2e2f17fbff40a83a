"""PCD, the Point Cloud Library's format: ascii, binary and binary_compressed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import PointCloud
from .columns import canonical, cloud_from
from .text import table_from

_LONGEST_HEADER = 1 << 16


@dataclass(frozen=True)
class _Header:
    """fields: the dtype of a row. organised: rows and columns of a depth image, NaN where it saw nothing."""

    row: np.dtype
    points: int
    organised: bool
    encoding: str


def read(path: Path) -> PointCloud:
    """The points of a PCD file, with normals and packed colours where it has them.

    The empty pixels of an organised cloud are left out. Raises UnreadableInput.
    """
    data = path.read_bytes()
    header, start = _header(data, path)
    body = data[start:]
    if header.encoding == "ascii":
        columns = _ascii(body, header, path)
    elif header.encoding == "binary":
        _check_size(len(body), header.points * header.row.itemsize, header, path)
        rows = np.frombuffer(body, header.row, header.points)
        columns = {name: rows[name] for name in header.row.names or ()}
    else:
        columns = _compressed(body, header, path)
    cloud = cloud_from(_unpacked(columns), path)
    if header.organised:
        cloud = cloud.select(np.asarray(np.isfinite(cloud.points).all(axis=1)))
    return cloud


def _header(data: bytes, path: Path) -> tuple[_Header, int]:
    """The header, and where the data begin."""
    words: dict[str, list[str]] = {}
    start = 0
    while "DATA" not in words:
        end = data.find(b"\n", start, _LONGEST_HEADER)
        if end < 0:
            raise UnreadableInput(f"{path}: not a PCD file, or one without a line DATA")
        name, *values = data[start:end].decode("ascii", "replace").split() or ["#"]
        words[name.upper()] = values
        start = end + 1
    try:
        fields, kinds = words["FIELDS"], words["TYPE"]
        sizes = [int(size) for size in words["SIZE"]]
        counts = [int(count) for count in words.get("COUNT", ["1"] * len(fields))]
        width, height = int(words["WIDTH"][0]), int(words.get("HEIGHT", ["1"])[0])
        points = int(words["POINTS"][0]) if "POINTS" in words else width * height
        encoding = words["DATA"][0].lower()
        row = np.dtype(
            [
                # a padding field, named _, may come more than once
                (
                    f"_{k}" if name == "_" else canonical(name),
                    f"<{kind.lower()}{size}",
                    (count,) * (count != 1),
                )
                for k, (name, kind, size, count) in enumerate(zip(fields, kinds, sizes, counts, strict=True))
            ]
        )
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise UnreadableInput(f"{path}: its PCD header is damaged ({error})") from error
    if min(points, width, height) < 0 or encoding not in ("ascii", "binary", "binary_compressed"):
        raise UnreadableInput(f"{path}: its PCD header names {points} points as {encoding}; it is damaged")
    return _Header(row, points, height > 1, encoding), start


def _ascii(body: bytes, header: _Header, path: Path) -> dict[str, NDArray]:
    if not body.strip():
        _check_size(0, header.points, header, path)
        return {name: np.empty(0) for name in header.row.names or ()}
    table = table_from(io.StringIO(body.decode("ascii", "replace")), path)
    _check_size(len(table), header.points, header, path)
    widths = [np.prod(header.row[name].shape, dtype=int) for name in header.row.names or ()]
    if sum(widths) != table.shape[1]:
        raise UnreadableInput(f"{path}: its header names {sum(widths)} values a row, found {table.shape[1]}")
    first = np.cumsum([0, *widths])
    return {
        name: table[: header.points, k].astype(header.row[name].base)
        for name, k, width in zip(header.row.names or (), first, widths, strict=False)
        if width == 1
    }


def _compressed(body: bytes, header: _Header, path: Path) -> dict[str, NDArray]:
    """Two uint32, the bytes before and after compression, then the columns one after the other."""
    from .lzf import decompress

    packed, size = (int(n) for n in np.frombuffer(body[:8].ljust(8, b"\0"), "<u4"))
    _check_size(len(body) - 8, packed, header, path)
    wanted = header.points * header.row.itemsize
    # three bytes give at most 264
    if size < wanted or size > 88 * packed:
        raise UnreadableInput(f"{path}: {size} bytes of data for {header.points} points; it is damaged")
    columns = np.empty(size, np.uint8)
    if decompress(np.frombuffer(body, np.uint8, packed, 8), columns) != size:
        raise UnreadableInput(f"{path}: its compressed data are damaged; export it again")
    found, start = {}, 0
    for name in header.row.names or ():
        kind = header.row[name]
        found[name] = columns[start : start + header.points * kind.itemsize].view(kind.base)
        start += header.points * kind.itemsize
    return {name: values for name, values in found.items() if len(values) == header.points}


def _unpacked(columns: dict[str, NDArray]) -> dict[str, NDArray]:
    """Colours out of the four bytes of a column rgb or rgba, 0xAARRGGBB, be it called float or integer."""
    packed = columns.get("rgb", columns.get("rgba"))
    if packed is None or packed.dtype.itemsize != 4:
        return columns
    bits = np.ascontiguousarray(packed).view("<u4")
    channels = (("red", 16), ("green", 8), ("blue", 0))
    return columns | {name: (bits >> shift).astype(np.uint8) for name, shift in channels}


def _check_size(found: int, wanted: int, header: _Header, path: Path) -> None:
    if found < wanted:
        there = max(found, 0) * header.points // max(wanted, 1)
        raise UnreadableInput(
            f"{path}: cut short: holds about {there} of the {header.points} points that its header names;"
            " copy or export it again"
        )
