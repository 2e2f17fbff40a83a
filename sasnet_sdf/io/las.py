"""LAS, LAZ and COPC: airborne and mobile laser scans, read with laspy, and their reference systems."""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np

from ..errors import UnreadableInput
from ..runtime.progress import tick
from ..runtime.system import require
from .columns import COLOR, PIECE, POSITION, Columns, Scan, is_numeric, numbers
from .files import check_claim, reason_of

_WKT, _GEOKEYS, _GEOTEXT = 2112, 34735, 34737
_PROJECTED, _GEOGRAPHIC = 3072, 2048
_CITATIONS = (3073, 1026, 2049)
_USER_DEFINED = 32767
_MODEL, _MODEL_GEOGRAPHIC = 1024, 2
_KINDS = re.compile(
    r"\b(PROJCS|PROJ(?:ECTED)?CRS|(GEOGCS|GEOG(?:RAPHIC)?CRS|GEOD(?:ETIC)?CRS)|GEOCCS|LOCAL_CS|ENG\w*CRS)\s*\["
)


class System(NamedTuple):
    """A reference system: its name with the EPSG code, and whether x and y are longitude and latitude."""

    name: str | None = None
    geographic: bool = False


def system_of(records: Iterable[Any]) -> System:
    """The reference system in laspy's variable length records, from the WKT or else the GeoTIFF keys."""
    found = {r.record_id: r.record_data_bytes() for r in records if r.user_id == "LASF_Projection"}
    text = found.get(_WKT, b"").decode("utf-8", "replace").strip("\0 \r\n")
    if text:
        return System(_from_wkt(text), _is_geographic(text))
    if _GEOKEYS in found:
        return _from_geotiff(found[_GEOKEYS], found.get(_GEOTEXT, b""))
    return System()


def _is_geographic(text: str) -> bool:
    """Whether the outermost system of a WKT, or the first of a compound one, has longitude and latitude.

    A geodetic system with Cartesian axes is measured from the earth's center.
    """
    kind = _KINDS.search(text.upper())
    return bool(kind and kind[2] and not re.search(r"\bCS\s*\[\s*CARTESIAN", text.upper()))


def _from_wkt(text: str) -> str:
    """The outermost name, and the last authority code, which is that of the whole system."""
    name = re.search(r'"([^"]*)"', text)
    code = re.search(r'(?:AUTHORITY|ID)\s*\[\s*"(\w+)"\s*,\s*"?(\d+)"?\s*\]\s*\]\s*$', text)
    words = name[1] if name else text[:60]
    return f"{words} ({code[1]}:{code[2]})" if code else words


def _from_geotiff(keys: bytes, text: bytes) -> System:
    """The system in GeoTIFF keys, each four 16-bit numbers: key, location (0: inline), count, value."""
    words = [struct.unpack_from("<4H", keys, start) for start in range(8, len(keys) - 7, 8)]
    values = {key: value for key, place, _, value in words if place == 0}
    texts = {
        key: text[value : value + count].decode("ascii", "replace").strip("|\0 ")
        for key, place, count, value in words
        if place == _GEOTEXT
    }
    code = next((values[k] for k in (_PROJECTED, _GEOGRAPHIC) if 0 < values.get(k, 0) < _USER_DEFINED), None)
    name = next((texts[k] for k in _CITATIONS if texts.get(k)), None)
    geographic = _GEOGRAPHIC in values and _PROJECTED not in values
    if _MODEL in values:
        geographic = values[_MODEL] == _MODEL_GEOGRAPHIC
    if name and code:
        return System(f"{name} (EPSG:{code})", geographic)
    return System(name or (f"EPSG:{code}" if code else None), geographic)


T = TypeVar("T")


def read(path: Path) -> Scan:
    """Read coordinates in double precision, colors, and every other dimension as a scalar of its own name.

    A note gives the coordinate reference system, where the file names one. Raises UnreadableInput;
    MissingBackend where laspy is not installed, or lazrs for a compressed file.
    """
    laspy = require("laspy", "lidar", "reading LAS and LAZ files")
    # laspy logs errors that it also raises
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
    """Check that the file can hold the records that its header names, since laspy allocates all of them."""
    head, size = file.read(247).ljust(247, b"\0"), path.stat().st_size
    file.seek(0)
    count = struct.unpack_from("<I", head, 100)[0]
    start, extended = struct.unpack_from("<QI", head, 235) if head[25] >= 4 else (0, 0)
    for number, there, least in ((count, size, 54), (extended, size - start, 60)):
        if number * least > max(there, 0):
            raise UnreadableInput(
                f"{path}: is damaged: it cannot hold the {number} records that its header names"
            )


def _check_size(path: Path, header: Any) -> None:
    """Check that a compressed file can be decompressed, and that another can hold what its header names."""
    if header.are_points_compressed:
        require("lazrs", "lidar", "reading LAZ files")
        return
    there = max(path.stat().st_size - header.offset_to_point_data, 0) // max(header.point_format.size, 1)
    if there < header.point_count:
        raise _cut_short(path, there, header.point_count)


def _check_chunks(path: Path, file: BinaryIO, header: Any) -> None:
    """Refuse compressed points that claim implausibly much memory: lazrs would abort the process."""
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
    """The action's result; the many kinds of errors of laspy and lazrs become UnreadableInput."""
    try:
        return action()
    except (KeyboardInterrupt, SystemExit, UnreadableInput):
        raise
    except BaseException as error:  # a panic in lazrs (Rust) is not an Exception
        raise UnreadableInput(
            f"{path}: not a LAS file that can be read ({reason_of(error)}); copy or export it again"
        ) from error


def _columns(record: Any) -> Columns:
    """The dimensions of a point record except X, Y and Z, the integers that encode its coordinates."""
    columns = {name: np.array(record[name], np.float64) for name in POSITION}
    for name in record.point_format.dimension_names:
        values = np.asarray(record[name])
        if name not in ("X", "Y", "Z") and is_numeric(values):
            columns[name] = numbers(values)
    return columns


def _without_empty_colors(columns: Columns) -> Columns:
    """The columns, without all-black colors, which programs write for scans without colors."""
    if any(columns[name].any() for name in COLOR if name in columns):
        return columns
    return {name: values for name, values in columns.items() if name not in COLOR}


def _cut_short(path: Path, there: int, named: int) -> UnreadableInput:
    return UnreadableInput(
        f"{path}: cut short: holds {there} of the {named} points that its header names;"
        " copy or export it again"
    )
