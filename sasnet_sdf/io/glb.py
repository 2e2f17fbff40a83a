"""What a GLB file's JSON claims, looked at before trimesh takes memory for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import UnreadableInput
from .reading import check_claim, reason_of

_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_NUMBERS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_RATIO = 32
"""Accessors and views may overlap, but a mesh has few of them."""


def check(path: Path) -> None:
    """Refuse a header that is damaged, names other files, or more numbers than the file can hold.

    Raises UnreadableInput.
    """
    try:
        tree = _tree(path)
        if any("uri" in buffer and not buffer["uri"].startswith("data:") for buffer in tree["buffers"]):
            raise UnreadableInput(f"{path}: its data lie in another file; save them in one")
        sizes = [_count(a) * _BYTES[a["componentType"]] * _NUMBERS[a["type"]] for a in tree["accessors"]]
        views = [int(view["byteLength"]) for view in tree["bufferViews"]]
        if min(views, default=0) < 0:
            raise ValueError("a view of negative length")
        check_claim(path, sum(sizes) + sum(views), _RATIO)
        placed = [
            sum(_bytes(part, tree["accessors"]) for part in mesh["primitives"]) for mesh in tree["meshes"]
        ]
        shown = [placed[node["mesh"]] for node in tree["nodes"] if "mesh" in node]
        check_claim(path, sum(placed) + sum(shown))
    except UnreadableInput:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise UnreadableInput(f"{path}: not a GLB file that can be read ({reason_of(error)})") from error


def _tree(path: Path) -> dict[str, Any]:
    """The JSON that a GLB begins with; lists that it leaves away are empty."""
    with path.open("rb") as file:
        head = file.read(20)
        length = int.from_bytes(head[12:16], "little")
        if head[:4] != b"glTF" or length > path.stat().st_size:
            raise ValueError("it does not begin as one, or is cut short")
        tree = json.loads(file.read(length))
    return {name: tree.get(name, []) for name in ("accessors", "buffers", "bufferViews", "meshes", "nodes")}


def _bytes(part: dict[str, Any], accessors: list[dict[str, Any]]) -> int:
    """What vertices and triangles become in memory."""
    corners = _count(accessors[part["indices"]]) if "indices" in part else 0
    return 24 * (_count(accessors[part["attributes"]["POSITION"]]) + corners)


def _count(accessor: dict[str, Any]) -> int:
    count = accessor["count"]
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"an accessor of {count} items")
    return count
