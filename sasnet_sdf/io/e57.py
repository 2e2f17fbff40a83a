"""E57: scans of terrestrial laser scanners, each with its pose, read by pye57's binding of libE57.

Its XML is checked first: libE57's parser replaces entities without end, which a few lines can ask for,
and fetches what they name from elsewhere; and it makes and frees nested elements by recursion. No E57
file needs either.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array
from ..runtime.optional import require
from ..runtime.progress import tick
from .columns import COLOR, NORMAL, PIECE, POSITION, SENSOR, Columns, Scan, empty_rows
from .files import reason_of

_DEEPEST = 64
_CHECKSUM = 4
"""Bytes at the end of every page of the file."""


def check_xml(path: Path) -> None:
    """Refuse XML with a document type, in another encoding, or nested deeply. Raises UnreadableInput."""
    try:
        parser = expat.ParserCreate()
        depth = 0

        def opened(name: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > _DEEPEST:
                raise ValueError(f"its elements are nested more than {_DEEPEST} deep")

        def closed(name: str) -> None:
            nonlocal depth
            depth -= 1

        def refused(*_: Any) -> None:
            raise ValueError("its XML has a document type")

        def declared(version: str, encoding: str | None, standalone: int) -> None:
            if (encoding or "utf-8").lower() != "utf-8":
                raise ValueError(f"its XML is encoded as {encoding}")

        parser.StartElementHandler, parser.EndElementHandler = opened, closed
        parser.StartDoctypeDeclHandler, parser.XmlDeclHandler = refused, declared
        parser.Parse(_xml(path), True)
    except (ValueError, struct.error, expat.ExpatError) as error:
        raise UnreadableInput(
            f"{path}: not an E57 file that can be read ({reason_of(error)}); copy or export it again"
        ) from error


def _xml(path: Path) -> bytes:
    """The XML without the checksums that stand in it."""
    with path.open("rb") as file:
        signature, _, _, _, start, length, page = struct.unpack("<8sIIQQQQ", file.read(48))
        size = path.stat().st_size
        if signature != b"ASTM-E57" or page != 1024 or start + length > size:
            raise ValueError("it does not begin as one, or is cut short")
        file.seek(start - start % page)
        pages = file.read(2 * length + 2 * page)
    content = b"".join(pages[k : k + page - _CHECKSUM] for k in range(0, len(pages), page))
    first = start % page
    return content[first : first + length]


_CARTESIAN = ("cartesianX", "cartesianY", "cartesianZ")
_SPHERICAL = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
_COLORS = ("colorRed", "colorGreen", "colorBlue")
_NORMALS = ("nor:normalX", "nor:normalY", "nor:normalZ")
_INVALID = ("cartesianInvalidState", "sphericalInvalidState")


def read(path: Path) -> Scan:
    """Read all scans, in the file's coordinates, with the colors and scalars that all of them have.

    The sensor of a scan with a pose stands where the pose puts it. Points that the file calls invalid
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
            # a scan takes a bit per point at least, unless its numbers never change
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
        # what follows speaks of the library's own files and lines
        reason = " ".join(str(error).partition("(Error")[0].split())[:120]
        raise UnreadableInput(
            f"{path}: not an E57 file that can be read ({reason}); copy or export it again"
        ) from error
    finally:
        if image is not None:
            image.close()
    notes += empty_rows(invalid, total)


def _raw_pieces(library: Any, image: Any, points: Any) -> Iterator[Columns]:
    """The numeric fields of a scan, float64, but whole-numbered colors uint16, as the file has them."""
    prototype = library.StructureNode(points.prototype())
    fields = [prototype.get(k) for k in range(prototype.childCount())]
    whole, text = library.NodeType.E57_INTEGER, library.NodeType.E57_STRING
    capacity = max(min(PIECE, points.childCount()), 1)
    arrays = {
        field.elementName(): np.empty(
            capacity, np.uint16 if field.type() == whole and field.elementName() in _COLORS else np.float64
        )
        for field in fields
        if field.type() != text
    }
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
    """Rotation (3, 3) and translation (3,) from the scan's coordinates to the file's, where it has them."""
    if not scan.isDefined("pose"):
        return None
    pose = scan["pose"]
    rotation, translation = np.eye(3), np.zeros(3)
    if pose.isDefined("translation"):
        translation = np.array([pose["translation"][axis].value() for axis in "xyz"], np.float64)
    if pose.isDefined("rotation"):
        rotation = _rotation(np.array([pose["rotation"][k].value() for k in "wxyz"], np.float64))
    return rotation, translation


def _rotation(quaternion: Array) -> Array:
    """The matrix (3, 3) of a quaternion w x y z; none where its length is zero."""
    length = float(np.linalg.norm(quaternion))
    if not length:
        return np.eye(3)
    w, *axis = (quaternion / length).tolist()
    v = np.array(axis)
    return (w * w - v @ v) * np.eye(3) + 2 * np.outer(v, v) + 2 * w * np.cross(np.eye(3), v)


def _columns(raw: Columns, pose: tuple[Array, Array] | None) -> Columns:
    """Points in the file's coordinates, normals, colors, and the sensor where there is a pose."""
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
    points = _popped(raw, _CARTESIAN)
    if points is not None:
        return points
    spherical = _popped(raw, _SPHERICAL)
    if spherical is None:
        return np.empty((0, 3))
    distance, azimuth, elevation = spherical.T
    flat = distance * np.cos(elevation)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), distance * np.sin(elevation)], axis=1)


def _popped(raw: Columns, names: tuple[str, ...]) -> NDArray[Any] | None:
    """Remove and return the columns (N, 3) of these names, if all are there."""
    if not all(name in raw for name in names):
        return None
    return np.stack([raw.pop(name) for name in names], axis=1)
