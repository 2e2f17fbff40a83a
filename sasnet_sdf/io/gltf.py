"""The arrays of a GLB file: its JSON, and accessors into its bytes, as glTF 2.0 lays them out."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from .reading import check_claim

_TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_NUMBERS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_RATIO = 32
"""Bytes of accessors over those of the file: they may overlap, but a mesh has few of them."""

_JSON, _BINARY = 0x4E4F534A, 0x004E4942


def item(items: list, index: int) -> Any:
    """The item at an index that a file names. Raises IndexError, of negative ones too."""
    if index < 0:
        raise IndexError(f"an index of {index}")
    return items[index]


@dataclass
class Document:
    """A file's JSON with every list that it may omit, and the bytes of its buffers."""

    path: Path
    tree: dict[str, Any]
    binary: bytes
    _buffers: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Document:
        """Read a file. Raises UnreadableInput where its accessors name more than it can hold, ValueError."""
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

    def array(self, index: int) -> NDArray:
        """The values (N, C) of an accessor: integers, or reals where they are that or normalized."""
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

    def _values(self, part: dict[str, Any], count: int, kind: np.dtype, columns: int) -> NDArray:
        """Rows (count, columns) from where a part of an accessor lies; zeros where it lies nowhere."""
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
    """How many items an accessor has. Raises ValueError."""
    count = part["count"]
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"an accessor of {count} items")
    return count


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")
