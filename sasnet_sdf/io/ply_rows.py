"""The header of a PLY file, and the rows of an ASCII one.

plyfile does not parse ASCII rows here because it refuses empty lines, `128.0` for a byte and the NaN of
Microsoft's libraries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..runtime.progress import each
from .columns import PIECE
from .files import count_of, opened
from .rows import number_of

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
    """An element: its rows, the types of its properties (or list items), and the minimum bytes of a row."""

    name: str
    count: int
    kinds: dict[str, str] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)
    least: int = 0

    def dtype(self, sizes: Mapping[str, int] | None = None) -> np.dtype:
        """The dtype of a row; lists are objects, or subarrays where their sizes are given."""
        sizes = sizes or {}
        return np.dtype(
            [
                (n, kind if n not in self.lists or n in sizes else "O", (sizes[n],) if n in sizes else ())
                for n, kind in self.kinds.items()
            ]
        )


@dataclass(frozen=True)
class Header:
    """The elements, in file order; the header's size in bytes and lines; whether rows are text."""

    elements: list[Element]
    size: int
    lines: int
    ascii: bool

    @classmethod
    def of(cls, path: Path) -> Header:
        """Read the header and check that the file can hold what it names. Raises UnreadableInput."""
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
        header._check_size(path)
        return header

    def _check_size(self, path: Path) -> None:
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
    """The error for a file that holds fewer rows than its header names."""
    return UnreadableInput(
        f"{path}: cut short: holds {there} of the {named} {_plural(element)} that its header names;"
        " copy or export it again"
    )


def _plural(element: str) -> str:
    return {"vertex": "vertices"}.get(element, f"{element}s")


_OFTEN = 10_000


def read_rows(path: Path, header_lines: int, elements: Sequence[Element]) -> dict[str, NDArray[Any]]:
    """Structured arrays by element name; lists are arrays in object columns, or (N, C) if equally long.

    Raises UnreadableInput.
    """
    with TextIOWrapper(opened(path), encoding="ascii", errors="replace") as file:
        lines = (line for line in islice(file, header_lines, None) if not line.isspace())
        return {e.name: (_with_lists if e.lists else _numbers)(lines, e, path) for e in elements}


def _numbers(lines: Iterator[str], element: Element, path: Path) -> NDArray[Any]:
    rows = np.empty(element.count, element.dtype())
    done = 0
    while done < element.count:
        piece = list(islice(lines, min(PIECE, element.count - done)))
        if not piece:
            raise cut_short(path, element.name, done, element.count)
        table = _table(piece)
        if table is None or table.shape[1] != len(element.kinds):
            table = np.array([_words(line, element, done + k, path) for k, line in enumerate(piece)])
        for name, values in zip(element.kinds, table.T, strict=True):
            wrong = np.flatnonzero(_does_not_fit(values, rows.dtype[name]))
            if len(wrong):
                reason = f"{values[wrong[0]]:g} does not fit the type of {name}"
                raise _damaged(path, element, done + wrong[0], reason)
            rows[name][done : done + len(piece)] = values
        done += len(piece)
    return rows


def _with_lists(lines: Iterator[str], element: Element, path: Path) -> NDArray[Any]:
    there = list(islice(lines, element.count))
    if len(there) < element.count:
        raise cut_short(path, element.name, len(there), element.count)
    table = _table(there)
    if table is not None and len(element.lists) == 1 and (found := _even(table, element)) is not None:
        return found
    rows = np.empty(element.count, element.dtype())
    for k, line in enumerate(each(there, _OFTEN)):
        rows[k] = tuple(_values(line.split(), element, k, path))
        there[k] = ""  # so that lines and lists are not in memory at the same time
    return rows


def _even(table: NDArray[Any], element: Element) -> NDArray[Any] | None:
    """The rows if each has one list and all lists are equally long; None if not, or if numbers do not fit."""
    (name,) = element.lists
    before = list(element.kinds).index(name)
    size = table.shape[1] - len(element.kinds)
    if size < 1 or not (table[:, before] == size).all():
        return None
    rows = np.empty(len(table), element.dtype({name: size}))
    place = 0
    for kind in element.kinds:
        values = table[:, before + 1 : before + 1 + size] if kind == name else table[:, place]
        place += 1 + size * (kind == name)
        if _does_not_fit(values, rows.dtype[kind].base).any():
            return None
        rows[kind] = values
    return rows


def _table(lines: list[str]) -> NDArray[Any] | None:
    """The numbers of equally long lines, parsed in one call; None where that fails."""
    try:
        return np.loadtxt(lines, comments=None, ndmin=2) if lines else None
    except ValueError:
        return None


def _words(line: str, element: Element, row: int, path: Path) -> list[float]:
    words = line.split()
    if len(words) != len(element.kinds):
        raise _damaged(path, element, row, f"{len(words)} values where {len(element.kinds)} should be")
    return [_number(word, element, row, path) for word in words]


def _values(words: list[str], element: Element, row: int, path: Path) -> Iterator[Any]:
    """The values of one row; lists are arrays."""
    place = 0
    for name, kind in element.kinds.items():
        count = 1.0
        if name in element.lists:
            count = _number(words[place], element, row, path) if place < len(words) else -1
            place += 1
        if not 0 <= count <= len(words) - place:
            raise _damaged(path, element, row, "it ends too early")
        found = words[place : place + int(count)]
        place += len(found)
        try:
            values = np.array(found, kind)  # fast, where the text has the form of the type
        except (ValueError, OverflowError):
            values = np.array([_number(word, element, row, path) for word in found])
            if _does_not_fit(values, np.dtype(kind)).any():
                raise _damaged(path, element, row, f"a number of {name} does not fit its type") from None
        yield values.astype(kind) if name in element.lists else values[0]


def _number(word: str, element: Element, row: int, path: Path) -> float:
    try:
        return number_of(word, None)
    except ValueError as error:
        raise _damaged(path, element, row, f"{word[:40]!r} is not a number") from error


def _does_not_fit(values: NDArray[Any], kind: np.dtype) -> NDArray[np.bool_]:
    """A mask of the numbers that an integer type cannot hold."""
    if kind.kind == "f":
        return np.zeros(values.shape, np.bool_)
    limits = np.iinfo(kind)
    return ~((values >= limits.min) & (values <= limits.max) & (values == np.rint(values)))


def _damaged(path: Path, element: Element, row: int, reason: str) -> UnreadableInput:
    """The error for a row, counted from 0."""
    return UnreadableInput(
        f"{path}: {element.name} {row + 1} of {element.count} is damaged ({reason}); export the file again"
    )
