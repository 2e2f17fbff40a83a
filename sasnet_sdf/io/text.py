"""Point clouds as text: XYZ, PTS, CSV, TXT, ASC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from .columns import Columns
from .header import names_coordinates, names_for, words_in
from .losses import not_carried
from .mixed import Cells
from .reading import count_of
from .rows import COMMENT, check_text, opened_text, row_of, tables_of
from .scan import Scan
from .unnamed import named, unnamed

_PREAMBLE = 100
"""Lines of words that may come before the names of the columns."""


@dataclass(frozen=True)
class Layout:
    """How the rows are to be read: what separates values, what the columns are, where rows begin.

    skip: lines before the first row. count: the number of points that a PTS file names.
    """

    separator: str | None
    names: list[str] | None
    skip: int
    count: int | None


def read(path: Path) -> Scan:
    """The points of a text file, with normals, colors, sensors and scalars where it has them.

    A first line of names, also as a comment, says what the columns are; else `unnamed_columns`. Columns
    of words, which only names allow, are left out. Raises UnreadableInput, which names the line where a
    row is ragged or not numeric.
    """
    check_text(path)
    with opened_text(path) as file:
        layout = _layout(file, path)
    notes: list[str] = []
    if layout.names is None:
        return Scan(
            map(unnamed, _tables(path, layout, None, notes)), notes, partial(named, path=path, notes=notes)
        )
    return Scan(_named(path, layout, Cells(layout.separator, layout.names), notes), notes)


def _named(path: Path, layout: Layout, cells: Cells, notes: list[str]) -> Iterator[Columns]:
    for table in _tables(path, layout, cells, notes):
        columns = dict(zip(cells.names, np.ascontiguousarray(table.T), strict=True))
        cells.words = cells.words or set()
        yield {name: values for name, values in columns.items() if name not in cells.words}
    if words := [name for name in cells.names if name in (cells.words or ())]:
        notes += not_carried([f"columns of words ({', '.join(words)})"])


def _tables(path: Path, layout: Layout, cells: Cells | None, notes: list[str]) -> Iterator[NDArray]:
    """The tables of the file, of at least as many rows as its count lines name, where it has them."""
    found = 0
    counts = None if layout.count is None else [layout.count]
    mixed = None if cells is None else partial(cells.table, path=path)
    width = None if cells is None else len(cells.names)
    for table in tables_of(path, layout.separator, layout.skip, counts, mixed, width):
        found += len(table)
        yield table
    if counts is None:
        return
    total = sum(counts)
    where = "its first line names" if len(counts) == 1 else f"its {len(counts)} count lines name"
    if total > found:
        raise UnreadableInput(
            f"{path}: {where} {total} points, {found} are there; is it cut short? If not, mend its count"
        )
    if total < found:
        notes.append(f"{where} {total} points, {found} are there: all were read")


def _layout(lines: Iterable[str], path: Path) -> Layout:
    """What the lines up to the first row of numbers say; other words may only come before the names."""
    remarks: list[str] = []
    header: str | None = None
    count = strange = None
    for number, line in enumerate(lines):
        row = row_of(line)
        headers = remarks if header is None else [header]
        cells = next((cells for h in headers if (cells := Cells.of(line, h))), None)
        if cells is not None and strange is None:
            return Layout(cells.separator, cells.names, number, count)
        if row is None:
            content = COMMENT.split(line, maxsplit=1)[0].strip().lower()
            if not content.strip(",;"):
                remarks += [line] * names_coordinates(line)
            elif header is None and names_coordinates(line):
                header, strange = line, None
            elif header is not None and not re.search(r"\d", content):
                pass  # units
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
