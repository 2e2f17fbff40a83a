"""Tables with a line of names whose cells are not all numbers: words, dates, or nothing."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from .columns import POSITION, canonical
from .header import names_for, words_in
from .rows import COMMENT, number_of

_SEPARATORS = (";", ",", "\t", None)
_MISSING = {"", "-", "--", "na", "n/a", "#n/a", "none", "null", "nil", "missing", "?"}
"""What stands for a number that is not there, in lower case."""

_LIST = "[]"
"""What a name holds whose column has several words, and is the last."""


@dataclass
class Cells:
    """How rows are split, the names of columns, and those of words: None until the first rows are read."""

    separator: str | None
    names: list[str]
    words: set[str] | None = None

    @classmethod
    def of(cls, line: str, header: str) -> Cells | None:
        """Those that a header names, where they fit a line that has numbers for x, y and z."""
        if found := _with_list(line, header):
            return found
        for separator in _SEPARATORS:
            cells = _split(line, separator) if separator is None or separator in line else []
            names = names_for(header, separator, len(cells)) if len(cells) >= len(POSITION) else None
            if names and _has_position(names, cells, separator):
                return cls(separator, names)
        return None

    def table(self, lines: Iterable[str], before: int, path: Path) -> NDArray:
        """The numbers (N, C) of lines, of which `before` stand before them; NaN for what has none.

        Columns that hold words in the first lines are of words. Raises UnreadableInput of words elsewhere.
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
        """Whether a cell is one, or stands for one that is not there."""
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
    except csv.Error:  # longer than any cell
        return []
    return [cell.strip() for cell in cells]


def _with_list(line: str, header: str) -> Cells | None:
    """Columns of which the last is a list: as many words as there happen to be."""
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
