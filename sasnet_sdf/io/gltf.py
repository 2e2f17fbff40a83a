"""The arrays of a GLB file, in the layout of glTF 2.0, and the matrices of its nodes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array
from .files import check_claim

Matrix = NDArray[np.float64]
"""(4, 4): world = matrix @ (x, y, z, 1)."""


def points_under(matrix: Matrix, points: Array) -> Array:
    """Points (N, 3) transformed by the matrix."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def normals_under(matrix: Matrix, normals: Array) -> Array:
    """Normals (N, 3), of any length, perpendicular to the surface after the matrix is applied."""
    linear = matrix[:3, :3]
    # the cofactor matrix is the inverse transpose times the determinant; it exists for singular matrices too
    cofactors = np.stack([np.cross(linear[k - 2], linear[k - 1]) for k in range(3)])
    return normals @ cofactors.T * np.sign(np.linalg.det(linear))


def placements(document: Document) -> Iterator[tuple[dict[str, Any], Matrix]]:
    """The nodes of the default scene, each with its matrix. Raises ValueError if they do not form trees."""
    tree = document.tree
    nodes, scenes = tree["nodes"], tree["scenes"]
    if scenes:
        waiting = [*item(scenes, tree.get("scene", 0)).get("nodes", [])]
    else:
        below = {child for node in nodes for child in node.get("children", [])}
        waiting = [k for k in range(len(nodes)) if k not in below]
    stack = [(index, np.eye(4)) for index in reversed(waiting)]
    seen: set[int] = set()
    while stack:
        index, above = stack.pop()
        if index in seen:
            raise ValueError(f"node {index} has two parents")
        seen.add(index)
        node = item(nodes, index)
        matrix = above @ _matrix(node)
        yield node, matrix
        stack += [(child, matrix) for child in reversed(node.get("children", []))]


def instances(node: dict[str, Any], document: Document) -> Iterator[Matrix]:
    """The matrices of the node's mesh relative to the node: one, or one for each instance."""
    arrays = {name: document.array(k) for name, k in attributes_of_instances(node).items()}
    if not arrays:
        yield np.eye(4)
        return
    for k in range(min(map(len, arrays.values()))):
        yield _composed(
            *(arrays[n][k] if n in arrays else None for n in ("TRANSLATION", "ROTATION", "SCALE"))
        )


def attributes_of_instances(node: dict[str, Any]) -> dict[str, int]:
    """The accessors that place the node's instances, by name; none where it has no instances."""
    attributes = node.get("extensions", {}).get("EXT_mesh_gpu_instancing", {}).get("attributes", {})
    return {name: attributes[name] for name in ("TRANSLATION", "ROTATION", "SCALE") if name in attributes}


def _matrix(node: dict[str, Any]) -> Matrix:
    """A node's own matrix, which the file stores column by column or as scale, rotation and translation."""
    if "matrix" in node:
        matrix = np.array(node["matrix"], np.float64).reshape(4, 4).T
    else:
        matrix = _composed(node.get("translation"), node.get("rotation"), node.get("scale"))
    if not np.isfinite(matrix).all():
        raise ValueError("a node's matrix is not finite")
    return matrix


def _composed(translation: Any, rotation: Any, scale: Any) -> Matrix:
    """The matrix that scales, then rotates by a quaternion x y z w, then translates."""
    matrix = np.eye(4)
    if rotation is not None:
        matrix[:3, :3] = _rotation(np.array(rotation, np.float64))
    if scale is not None:
        matrix[:3, :3] *= np.array(scale, np.float64).reshape(3)
    if translation is not None:
        matrix[:3, 3] = np.array(translation, np.float64).reshape(3)
    return matrix


def _rotation(quaternion: Array) -> Array:
    x, y, z, w = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


_TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_NUMBERS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_RATIO = 32
"""The most bytes of accessors per byte of the file: accessors may overlap, but a mesh has few of them."""

_JSON, _BINARY = 0x4E4F534A, 0x004E4942


def item(items: list[Any], index: int) -> Any:
    """The item at an index from a file. Raises IndexError, for negative indices too."""
    if index < 0:
        raise IndexError(f"an index of {index}")
    return items[index]


@dataclass
class Document:
    """A file's JSON, completed with the lists that a file may omit, and the bytes of its buffers."""

    path: Path
    tree: dict[str, Any]
    binary: bytes
    _buffers: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Document:
        """Read a file. Raises UnreadableInput where its accessors claim too much data, and ValueError."""
        data = path.read_bytes()
        magic, version, length = data[:4], _number(data, 4), _number(data, 8)
        if magic != b"glTF" or not 20 <= length <= len(data):
            raise ValueError("it does not begin as one, or is cut short")
        if version != 2:
            raise UnreadableInput(f"{path}: is glTF {version}, only glTF 2 is read; export it again")
        chunks: dict[int, bytes] = {}
        place = 12
        while place + 8 <= length:
            size, kind = _number(data, place), _number(data, place + 4)
            if place + 8 + size > len(data):
                raise ValueError("a chunk is cut short")
            chunks.setdefault(kind, data[place + 8 : place + 8 + size])
            place += 8 + size
        tree = json.loads(chunks[_JSON])
        names = ("accessors", "buffers", "bufferViews", "extensionsRequired", "materials", "meshes")
        for name in (*names, "nodes", "scenes"):
            if not isinstance(tree.setdefault(name, []), list):
                raise ValueError(f"its {name} are no list")
        found = cls(path, tree, chunks.get(_BINARY, b""))
        found._check()
        return found

    def _check(self) -> None:
        for buffer in self.tree["buffers"]:
            if "uri" in buffer and not buffer["uri"].startswith("data:"):
                name = buffer["uri"][:60]
                raise UnreadableInput(f"{self.path}: its data lie in another file ({name}); save them in one")
        sizes = [
            count_of(a) * np.dtype(_TYPES[a["componentType"]]).itemsize * _NUMBERS[a["type"]]
            for a in self.tree["accessors"]
        ]
        check_claim(self.path, sum(sizes), _RATIO)

    def array(self, index: int) -> NDArray[Any]:
        """The values (N, C) of an accessor: integers, or reals if it has reals or normalized integers."""
        accessor = item(self.tree["accessors"], index)
        kind, columns = np.dtype(_TYPES[accessor["componentType"]]), _NUMBERS[accessor["type"]]
        values = self._values(accessor, count_of(accessor), kind, columns)
        sparse = accessor.get("sparse")
        if sparse is not None:
            count, where = count_of(sparse), sparse["indices"]
            rows = self._values(where, count, np.dtype(_TYPES[where["componentType"]]), 1)[:, 0]
            values = values.copy()
            values[rows] = self._values(sparse["values"], count, kind, columns)
        if accessor.get("normalized") and kind.kind in "iu":
            return np.maximum(values / np.iinfo(kind).max, -1.0)
        return values

    def _values(self, part: dict[str, Any], count: int, kind: np.dtype, columns: int) -> NDArray[Any]:
        """Rows (count, columns) from the buffer view of an accessor's part; zeros where it has none."""
        if "bufferView" not in part:
            return np.zeros((count, columns), kind)
        view = item(self.tree["bufferViews"], part["bufferView"])
        if compressed := [name for name in view.get("extensions", {}) if "compression" in name]:
            raise UnreadableInput(f"{self.path}: is compressed ({compressed[0]}); export it without")
        begin, offset = int(view.get("byteOffset", 0)), int(part.get("byteOffset", 0))
        row = kind.itemsize * columns
        stride = int(view.get("byteStride", row))
        end = offset + stride * (count - 1) + row if count else offset
        if min(begin, offset) < 0 or stride < row or end > int(view["byteLength"]):
            raise ValueError("an accessor reaches beyond its view")
        data = self._buffer(view["buffer"])
        return np.ndarray((count, columns), kind, data, begin + offset, (stride, kind.itemsize))

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            uri = item(self.tree["buffers"], index).get("uri")
            self._buffers[index] = self.binary if uri is None else base64.b64decode(uri.partition(",")[2])
        return self._buffers[index]


def count_of(part: dict[str, Any]) -> int:
    """The number of items of an accessor. Raises ValueError."""
    count = part["count"]
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"an accessor of {count} items")
    return count


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")
