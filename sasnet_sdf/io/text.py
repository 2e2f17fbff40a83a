"""Point clouds as text: XYZ, PTS, CSV, TXT, ASC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from .header import names_coordinates, names_for, words_in
from .reading import count_of
from .rows import COMMENT, check_text, opened_text, row_of, tables_of
from .scan import Scan
from .unnamed import named, unnamed

_PREAMBLE = 100
"""Lines of words that may come before the names of the columns."""


@dataclass(frozen=True)
class Layout:
    """How the rows are to be read: what separates values, what the columns are, where rows begin.

    skip: lines before the first row of numbers. count: the number of points that a PTS file names.
    """

    separator: str | None
    names: list[str] | None
    skip: int
    count: int | None


def read(path: Path) -> Scan:
    """The points of a text file, with normals, colors, sensors and scalars where it has them.

    A first line of names, also as a comment, says what the columns are; else `unnamed_columns`.
    Raises UnreadableInput, which names the line where a row is ragged or not numeric.
    """
    check_text(path)
    with opened_text(path) as file:
        layout = _layout(file, path)
    notes: list[str] = []
    tables = _tables(path, layout, notes)
    if layout.names is None:
        return Scan(map(unnamed, tables), notes, partial(named, path=path, notes=notes))
    return Scan(
        (dict(zip(layout.names, np.ascontiguousarray(t.T), strict=True)) for t in tables),
        notes,
    )


def _tables(path: Path, layout: Layout, notes: list[str]) -> Iterator[NDArray]:
    """The tables of the file, of at least as many rows as its count lines name, where it has them."""
    found = 0
    counts = None if layout.count is None else [layout.count]
    for table in tables_of(path, layout.separator, layout.skip, counts):
        found += len(table)
        yield table
    if counts is None:
        return
    total = sum(counts)
    where = "its first line names" if len(counts) == 1 else f"its {len(counts)} count lines name"
    if total > found:
        raise UnreadableInput(f"{path}: {where} {total} points, {found} are there; is it cut short?")
    if total < found:
        notes.append(f"{where} {total} points, {found} are there: all were read")


def _layout(lines: Iterable[str], path: Path) -> Layout:
    """What the lines up to the first row of numbers say; other words may only come before the names."""
    remarks: list[str] = []
    header: str | None = None
    count = strange = None
    for number, line in enumerate(lines):
        row = row_of(line)
        if row is None:
            content = COMMENT.split(line, maxsplit=1)[0].strip().lower()
            if not content.strip(",;"):
                remarks += [line] * names_coordinates(line)
            elif header is None and names_coordinates(line):
                header, strange = line, None
            elif strange is None and not content.startswith("sep="):  # which is for Excel
                strange = number
            if strange is not None and number - strange > _PREAMBLE:
                break
            continue
        separator, words = row
        if len(words) == 1 and count is None and (named_count := count_of(words[0])) is not None:
            count = named_count
            continue
        if strange is not None:
            break
        return Layout(separator, _names(header, remarks, separator, len(words), path), number, count)
    if strange is None:
        raise UnreadableInput(f"{path}: holds no points")
    raise UnreadableInput(
        f"{path}: line {strange + 1} is neither a row of numbers nor names of columns x, y, z"
    )


def _names(
    header: str | None, remarks: list[str], separator: str | None, width: int, path: Path
) -> list[str] | None:
    """The names of the columns; of remarks, which may speak of anything, the first that fits the rows."""
    if header is None:
        return next((names for r in remarks if (names := names_for(r, separator, width))), None)
    if names := names_for(header, separator, width):
        return names
    found = words_in(header, separator)
    raise UnreadableInput(f"{path}: {len(found)} columns are named ({' '.join(found)}), rows have {width}")
