"""E57 and PTX: scans from terrestrial laser scanners, each with the pose of its scanner.

E57 is read with pye57's binding of libE57. The XML is checked first, since libE57's parser expands entities
without limit, fetches external entities, and builds and frees nested elements recursively. No E57 file needs
any of this.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, TextIO
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array
from ..runtime.progress import tick
from ..runtime.system import require
from .columns import COLOR, NORMAL, PIECE, POSITION, SENSOR, Columns, Scan, empty_rows
from .files import opened, reason_of
from .rows import check_text

_DEEPEST = 64
_CHECKSUM = 4
"""Bytes of the checksum at the end of every page of the file."""


def check_xml(path: Path) -> None:
    """Refuse XML with a document type, another encoding, or deep nesting. Raises UnreadableInput."""
    try:
        parser = expat.ParserCreate()
        above: list[str] = []

        def begun(name: str, attributes: dict[str, str]) -> None:
            above.append(name)
            if len(above) > _DEEPEST:
                raise ValueError(f"its elements are nested more than {_DEEPEST} deep")

        def refused(*_: Any) -> None:
            raise ValueError("its XML has a document type")

        def declared(version: str, encoding: str | None, standalone: int) -> None:
            if (encoding or "utf-8").lower() != "utf-8":
                raise ValueError(f"its XML is encoded as {encoding}")

        parser.StartElementHandler, parser.EndElementHandler = begun, lambda name: above.pop()
        parser.StartDoctypeDeclHandler, parser.XmlDeclHandler = refused, declared
        parser.Parse(_xml(path), True)
    except (ValueError, struct.error, expat.ExpatError) as error:
        raise _damaged(path, reason_of(error)) from error


def _damaged(path: Path, reason: str) -> UnreadableInput:
    return UnreadableInput(f"{path}: not an E57 file that can be read ({reason}); copy or export it again")


def _xml(path: Path) -> bytes:
    """The XML section without the page checksums."""
    with path.open("rb") as file:
        signature, _, _, _, start, length, page = struct.unpack("<8sIIQQQQ", file.read(48))
        size = path.stat().st_size
        if signature != b"ASTM-E57" or page != 1024 or start + length > size:
            raise ValueError("it does not begin as one, or is cut short")
        file.seek(start - start % page)
        pages = file.read(2 * length + 2 * page)
    content = b"".join(pages[k : k + page - _CHECKSUM] for k in range(0, len(pages), page))
    return content[start % page :][:length]


_CARTESIAN = ("cartesianX", "cartesianY", "cartesianZ")
_SPHERICAL = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
_COLORS = ("colorRed", "colorGreen", "colorBlue")
_NORMALS = ("nor:normalX", "nor:normalY", "nor:normalZ")
_INVALID = ("cartesianInvalidState", "sphericalInvalidState")


def read_e57(path: Path) -> Scan:
    """Read all scans, in the file's coordinates, with the colors and scalars that all of them have.

    The sensor of a scan with a pose is at the pose's translation. Points that the file marks as invalid
    are left out. Raises UnreadableInput; MissingBackend where pye57 is not installed.
    """
    library = require("pye57.libe57", "lidar", "reading E57 files")
    notes: list[str] = []
    return Scan(_pieces(library, path, notes), notes)


def _pieces(library: Any, path: Path, notes: list[str]) -> Iterator[Columns]:
    image, invalid, total = None, 0, 0
    check_xml(path)
    try:
        image = library.ImageFile(str(path), "r")
        scans = image.root()["data3D"]
        for index in range(len(scans)):
            tick(index / len(scans))
            pose, count = _pose(scans[index]), scans[index]["points"].childCount()
            # a scan takes at least one bit per point, unless all its values are constant
            if count > 8 * path.stat().st_size:
                raise UnreadableInput(f"{path}: is damaged: it cannot hold the {count} points that it names")
            for raw in _raw_pieces(library, image, scans[index]["points"]):
                valid = np.logical_and.reduce([raw.pop(n) == 0 for n in _INVALID if n in raw] or [True])
                count = len(next(iter(raw.values())))
                total += count
                if not np.all(valid):
                    invalid += int(count - valid.sum())
                    raw = {name: values[valid] for name, values in raw.items()}
                yield _columns(raw, pose)
    except library.E57Exception as error:
        # the rest of the message names the library's source files and lines
        raise _damaged(path, " ".join(str(error).partition("(Error")[0].split())[:120]) from error
    finally:
        if image is not None:
            image.close()
    notes += empty_rows(invalid, total)


def _raw_pieces(library: Any, image: Any, points: Any) -> Iterator[Columns]:
    """The numeric fields of a scan as stored: float64, or uint16 for integer colors."""
    prototype = library.StructureNode(points.prototype())
    whole, text = library.NodeType.E57_INTEGER, library.NodeType.E57_STRING
    capacity = max(min(PIECE, points.childCount()), 1)
    arrays: Columns = {}
    for field in (prototype.get(k) for k in range(prototype.childCount())):
        name, kind = field.elementName(), field.type()
        if kind != text:
            arrays[name] = np.empty(capacity, np.uint16 if kind == whole and name in _COLORS else np.float64)
    buffers = library.VectorSourceDestBuffer()
    for name, values in arrays.items():
        buffers.append(library.SourceDestBuffer(image, name, values, capacity, True, True))
    reader = points.reader(buffers)
    try:
        while count := reader.read():
            yield {name: values[:count].copy() for name, values in arrays.items()}
    finally:
        reader.close()


def _pose(scan: Any) -> tuple[Array, Array] | None:
    """Rotation (3, 3) and translation (3,) from the scan's coordinates to the file's, if it has a pose."""
    if not scan.isDefined("pose"):
        return None
    pose, rotation, translation = scan["pose"], np.eye(3), np.zeros(3)
    if pose.isDefined("translation"):
        translation = np.array([pose["translation"][axis].value() for axis in "xyz"], np.float64)
    if pose.isDefined("rotation"):
        rotation = _rotation(np.array([pose["rotation"][k].value() for k in "wxyz"], np.float64))
    return rotation, translation


def _rotation(quaternion: Array) -> Array:
    """The matrix (3, 3) of a quaternion w x y z; None where its length is zero."""
    length = float(np.linalg.norm(quaternion))
    if not length:
        return np.eye(3)
    w, *axis = (quaternion / length).tolist()
    v = np.array(axis)
    return (w * w - v @ v) * np.eye(3) + 2 * np.outer(v, v) + 2 * w * np.cross(np.eye(3), v)


def _columns(raw: Columns, pose: tuple[Array, Array] | None) -> Columns:
    """Points and normals in the file's coordinates, colors, and the sensor where there is a pose."""
    points, normals = _points(raw), _popped(raw, _NORMALS)
    if pose is not None:
        rotation, translation = pose
        points = points @ rotation.T + translation
        normals = None if normals is None else normals @ rotation.T
        raw |= {n: np.full(len(points), v) for n, v in zip(SENSOR, translation, strict=True)}
    columns: Columns = dict(zip(POSITION, points.T, strict=True))
    for names, values in ((NORMAL, normals), (COLOR, _popped(raw, _COLORS))):
        columns |= {} if values is None else dict(zip(names, values.T, strict=True))
    return columns | raw


def _points(raw: Columns) -> Array:
    """Points (N, 3) in the scan's coordinates; angles are in radians, elevation is from the xy plane."""
    if (points := _popped(raw, _CARTESIAN)) is not None:
        return points
    if (spherical := _popped(raw, _SPHERICAL)) is None:
        return np.empty((0, 3))
    distance, azimuth, elevation = spherical.T
    flat = distance * np.cos(elevation)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), distance * np.sin(elevation)], axis=1)


def _popped(raw: Columns, names: tuple[str, ...]) -> NDArray[Any] | None:
    """Remove and return the columns (N, 3) with these names, if all exist."""
    there = all(name in raw for name in names)
    return np.stack([raw.pop(name) for name in names], axis=1) if there else None


_HEADER_LINES, _WIDTHS = 10, (3, 4, 6, 7)


def read_ptx(path: Path) -> Scan:
    """Read all scans in world coordinates, with the colors and intensity that all of them have.

    The scanner's position becomes the sensor. Rows of 0 0 0, which are rays without a return, are left out.
    Raises UnreadableInput, which names the line.
    """
    check_text(path)
    notes: list[str] = []
    return Scan(_ptx_pieces(path, notes), notes)


def _ptx_pieces(path: Path, notes: list[str]) -> Iterator[Columns]:
    missing = total = line = 0
    most = path.stat().st_size // 6  # a row takes at least 6 bytes
    with TextIOWrapper(opened(path), encoding="ascii", errors="replace") as file:
        while (header := _ptx_header(file, line, path)) is not None:
            line += _HEADER_LINES
            rows, scanner, pose = header
            if rows > most:
                raise _cut_short(path, most, rows, line)
            for start in range(0, rows, PIECE):
                count = min(PIECE, rows - start)
                table = _ptx_table(list(islice(file, count)), line, path)
                line += len(table)
                if len(table) < count:
                    raise _cut_short(path, start + len(table), rows, line)
                seen = (table[:, :3] != 0).any(axis=1)
                missing += int((~seen).sum())
                total += count
                yield _ptx_columns(table[seen], scanner, pose)
    if not total:
        raise UnreadableInput(f"{path}: holds no points")
    notes += empty_rows(missing, total)


def _ptx_header(file: TextIO, line: int, path: Path) -> tuple[int, Array, Array] | None:
    """The number of point lines, the scanner's position (3,), and its pose (4, 4) for row vectors.

    A header has two counts, the position and three axes, and four rows of a matrix. None at the file's end.
    """
    lines = list(islice(file, _HEADER_LINES))
    if not "".join(lines).strip():
        return None
    try:
        columns, rows = int(lines[0]), int(lines[1])
        scanner, *_ = numbers = [np.array(words.split(), np.float64) for words in lines[2:]]
        pose = np.stack(numbers[4:])
        if min(columns, rows) < 0 or scanner.shape != (3,) or pose.shape != (4, 4):
            raise ValueError("two counts, four rows of three and four rows of four numbers are needed")
    except (ValueError, IndexError) as error:
        raise UnreadableInput(
            f"{path}: the ten lines from {line + 1} are not the header of a PTX scan ({error})"
        ) from error
    # the scanner is at the origin of its own scan; the position in the third line may be unset (0 0 0)
    return columns * rows, scanner if scanner.any() else pose[3, :3], pose


def _ptx_table(lines: list[str], before: int, path: Path) -> NDArray[Any]:
    """The rows (N, 3, 4, 6 or 7) float64 of lines; `before`: number of lines before them in the file."""
    if not lines:
        return np.empty((0, 4))
    try:
        table = np.loadtxt(lines, comments=None, ndmin=2)
        if len(table) == len(lines) and table.shape[1] in _WIDTHS:
            return table
    except ValueError:
        pass
    width = len(lines[0].split())
    for number, words in enumerate(map(str.split, lines), before + 1):
        try:
            [float(word) for word in words]
        except ValueError as error:
            raise UnreadableInput(f"{path}: line {number} is damaged ({error})") from error
        if len(words) != width or width not in _WIDTHS:
            raise UnreadableInput(
                f"{path}: line {number} has {len(words)} values; x y z intensity, or these and red green blue"
                " are needed: is the file cut short, or one of its counts wrong?"
            )
    raise UnreadableInput(f"{path}: the lines from {before + 1} cannot be read")


def _ptx_columns(table: NDArray[Any], scanner: Array, pose: Array) -> Columns:
    points = table[:, :3] @ pose[:3, :3] + pose[3, :3]
    columns = dict(zip(POSITION, points.T, strict=True))
    width = table.shape[1]
    if width in (4, 7):
        columns["intensity"] = table[:, 3].copy()
    if width >= 6:
        colors = table[:, -3:]
        small = colors.astype(np.uint8)
        # fractions of 1 and 16-bit numbers are left unchanged
        colors = small if np.array_equal(small, colors) else colors.astype(np.float32)
        columns |= zip(COLOR, colors.T, strict=True)
    return columns | {n: np.full(len(points), v) for n, v in zip(SENSOR, scanner, strict=True)}


def _cut_short(path: Path, there: int, named: int, line: int) -> UnreadableInput:
    return UnreadableInput(
        f"{path}: cut short: the scan before line {line + 1} holds {there} of the {named} points that its"
        " header names; copy or export it again"
    )
