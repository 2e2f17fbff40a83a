"""Point clouds as text: XYZ, PTS, CSV, TXT, ASC, where some cells may be words, dates or empty."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from .columns import FIELD, POSITION, Columns, Scan, canonical
from .files import count_of, not_carried
from .names import named, names_coordinates, names_for, unnamed, words_in
from .rows import COMMENT, check_text, number_of, opened_text, row_of, tables_of

_SEPARATORS = (";", ",", "\t", None)
_MISSING = {"", "-", "--", "na", "n/a", "#n/a", "none", "null", "nil", "missing", "?"}
"""Words that stand for a missing number, in lower case."""

_LIST = "[]"
"""A name that contains this belongs to the last column, which is a list of several words."""


@dataclass
class Cells:
    """How rows are split, the column names, and which columns hold words (None until rows are read)."""

    separator: str | None
    names: list[str]
    words: set[str] | None = None

    @classmethod
    def of(cls, line: str, header: str) -> Cells | None:
        """The cells that a header names, if they fit a line that has numbers for x, y and z; else None."""
        if found := _with_list(line, header):
            return found
        for separator in _SEPARATORS:
            cells = _split(line, separator) if separator is None or separator in line else []
            names = names_for(header, separator, len(cells)) if len(cells) >= len(POSITION) else None
            if names and _has_position(names, cells, separator):
                return cls(separator, names)
        return None

    def table(self, lines: Iterable[str], before: int, path: Path) -> NDArray[Any]:
        """The numbers (N, C) of lines, NaN for cells without one; `before`: number of lines before them.

        Columns that hold words in the first lines are columns of words. Raises UnreadableInput for words in
        other columns.
        """
        numbers, rows = [], []
        for number, row in self._rows(lines, before, path):
            numbers.append(number)
            rows.append(row)
        table = np.full((len(rows), len(self.names)), np.nan)
        words = set(self.words or ())
        for k, name in enumerate(self.names):
            try:
                table[:, k] = [self._value(row[k]) for row in rows]
            except ValueError as error:
                if canonical(name) in POSITION or (self.words is not None and name not in self.words):
                    self._refuse(k, numbers, rows, path, error)
                words.add(name)
        self.words = words
        return table

    def _rows(self, lines: Iterable[str], before: int, path: Path) -> Iterator[tuple[int, list[str]]]:
        width = len(self.names)
        for number, line in enumerate(lines, before + 1):
            if COMMENT.match(line.lstrip()) or not line.strip(f" \t\r\n{self.separator or ''}"):
                continue
            row = _split(line, self.separator)
            if _LIST in self.names[-1]:
                row[width - 1 :] = [" ".join(row[width - 1 :])]
            while len(row) > width and not row[-1]:
                row.pop()
            if len(row) != width:
                raise UnreadableInput(
                    f"{path}: line {number} has {len(row)} values, its header names {width};"
                    " mend or remove that line"
                )
            yield number, row

    def is_number(self, cell: str) -> bool:
        """Whether a cell is a number or the mark of a missing number."""
        try:
            self._value(cell)
        except ValueError:
            return False
        return True

    def _value(self, cell: str) -> float:
        return math.nan if cell.lower() in _MISSING else number_of(cell, self.separator)

    def _refuse(
        self, k: int, numbers: list[int], rows: list[list[str]], path: Path, reason: ValueError
    ) -> None:
        number, row = next(pair for pair in zip(numbers, rows, strict=True) if not self.is_number(pair[1][k]))
        raise UnreadableInput(
            f"{path}: line {number}: {row[k][:60]!r} is not a number; mend or remove that line"
        ) from reason


def _split(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    try:
        cells = next(csv.reader([line.strip("\r\n")], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:  # too long to be a cell
        return []
    return [cell.strip() for cell in cells]


def _with_list(line: str, header: str) -> Cells | None:
    """The cells of rows whose last column is a list of any number of words; None for other rows."""
    words = words_in(header, ",")
    last = next((k for k, word in enumerate(words) if _LIST in word), None)
    if last is None:
        return None
    names = [*words[:last], words[last].split()[0]]
    cells = _split(line, None)
    return Cells(None, names) if len(cells) > last and _has_position(names, cells, None) else None


def _has_position(names: list[str], cells: list[str], separator: str | None) -> bool:
    """Whether the cells of x, y and z are numbers, or empty."""
    found = [cell for name, cell in zip(names, cells, strict=False) if canonical(name) in POSITION]
    return len(found) >= len(POSITION) and all(map(Cells(separator, names).is_number, found))


_PREAMBLE = 100
"""The largest number of lines of words before the column names."""


@dataclass(frozen=True)
class Layout:
    """How rows are read: the separator, the columns, and where the rows begin.

    skip: lines before the first row. count: the number of points that a PTS file gives.
    """

    separator: str | None
    names: list[str] | None
    skip: int
    count: int | None


def read(path: Path) -> Scan:
    """The points of a text file, with normals, colors, sensors and scalars where it has them.

    A first line of names, which may be a comment, identifies the columns; without it `unnamed_columns` does.
    Columns of words are accepted only in files with names, and are left out. Raises UnreadableInput, which
    gives the line where a row is ragged or not numeric.
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


def _tables(path: Path, layout: Layout, cells: Cells | None, notes: list[str]) -> Iterator[NDArray[Any]]:
    """The tables of the file. Raises UnreadableInput where they have fewer rows than its count lines name."""
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
    """The layout from the lines up to the first row of numbers; other text may only precede the names."""
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
            elif strange is None and not content.startswith("sep="):  # a line for Excel
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
    """The names of the columns; among comments, which may hold anything, the first that fits the rows."""
    if header is None:
        return next((names for r in remarks if (names := names_for(r, separator, width))), None)
    if names := names_for(header, separator, width):
        return names
    found = words_in(header, separator)
    raise UnreadableInput(f"{path}: {len(found)} columns are named ({' '.join(found)}), rows have {width}")


def write_table(path: Path, table: NDArray[np.float64]) -> None:
    """Write a header line with the names in FIELD, then one row (7,) per line."""
    mark = "," if path.suffix.lower() == ".csv" else " "
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write(mark.join(FIELD) + "\n")
        # repr gives the shortest digits that read back as the same number
        file.writelines(mark.join(map(repr, row)) + "\n" for row in table.tolist())
