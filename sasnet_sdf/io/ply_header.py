"""The header of a PLY file: its elements, and whether the file has room for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import UnreadableInput
from .reading import count_of

_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_LONGEST = 1 << 20


@dataclass
class Element:
    """Its rows, the types of its properties, of lists their items', and the least bytes of a row."""

    name: str
    count: int
    kinds: dict[str, str] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)
    least: int = 0

    def dtype(self, sizes: Mapping[str, int] | None = None) -> np.dtype:
        """Of its rows; lists are objects, or subarrays where their sizes are given."""
        sizes = sizes or {}
        return np.dtype(
            [
                (n, kind if n not in self.lists or n in sizes else "O", (sizes[n],) if n in sizes else ())
                for n, kind in self.kinds.items()
            ]
        )


@dataclass(frozen=True)
class Header:
    """The elements, in the order of their rows; the header's bytes and lines; whether rows are text."""

    elements: list[Element]
    size: int
    lines: int
    ascii: bool

    @classmethod
    def of(cls, path: Path) -> Header:
        """The header of a file that has room for what it names. Raises UnreadableInput."""
        with path.open("rb") as file:
            head = file.read(_LONGEST)
        if head[:3] != b"ply":
            raise UnreadableInput(f"{path}: not a PLY file (it does not begin with 'ply')")
        text, end, _ = head.partition(b"end_header")
        if not end:
            raise UnreadableInput(f"{path}: its PLY header has no end; the file is cut short or damaged")
        lines = re.split(r"\r\n|\r|\n", (text + end).decode("ascii", "replace"))
        words = [line.split() for line in lines]
        is_ascii = any(line[:2] == ["format", "ascii"] for line in words)
        header = cls(_elements(words, is_ascii, path), len(text) + len(end), len(lines), is_ascii)
        header._check_room(path)
        return header

    def _check_room(self, path: Path) -> None:
        room = path.stat().st_size - self.size
        for element in self.elements:
            if element.count and not element.least:
                raise UnreadableInput(f"{path}: its rows of {element.name} have no properties; it is damaged")
            if element.count * element.least > room:
                raise cut_short(path, element.name, room // element.least, element.count)
            room -= element.count * element.least


def _elements(lines: list[list[str]], is_ascii: bool, path: Path) -> list[Element]:
    elements: list[Element] = []
    for line in lines:
        match line:
            case ["element", name, count]:
                if count_of(count) is None:
                    raise UnreadableInput(
                        f"{path}: its header names {count[:20]} {_plural(name)}; it is damaged"
                    )
                elements.append(Element(name, int(count)))
            case ["property", "list", kind, item, name] if elements:
                elements[-1].lists.append(name)
                elements[-1].kinds[name] = _kind(item, path)
                elements[-1].least += 2 if is_ascii else np.dtype(_kind(kind, path)).itemsize
            case ["property", kind, name] if elements:
                elements[-1].kinds[name] = _kind(kind, path)
                elements[-1].least += 2 if is_ascii else np.dtype(_kind(kind, path)).itemsize
    return elements


def _kind(word: str, path: Path) -> str:
    if word not in _TYPES:
        raise UnreadableInput(f"{path}: its header names the type {word[:20]}, which PLY does not have")
    return _TYPES[word]


def cut_short(path: Path, element: str, there: int, named: int) -> UnreadableInput:
    """The error of a file that holds fewer rows than its header names."""
    return UnreadableInput(
        f"{path}: cut short: holds {there} of the {named} {_plural(element)} that its header names;"
        " copy or export it again"
    )


def _plural(element: str) -> str:
    return {"vertex": "vertices"}.get(element, f"{element}s")
