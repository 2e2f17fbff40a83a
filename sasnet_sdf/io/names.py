"""The meaning of a table's columns, from the names in its first line or from their number and values."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from .columns import COLOR, NORMAL, POSITION, Columns, canonical, is_known

_SEPARATORS = (",", ";", "\t", None)
_WORD = re.compile(r""""[^"]*"|\S+(?:\s{1,3}[\[(][^\])]{0,20}[\])])?""")
"""A name in quotes, or one without blanks and its unit in brackets."""


def names_coordinates(line: str) -> bool:
    """Whether a line, commented out or not, names columns x, y and z among its words."""
    return any(_has_position(words_in(line, separator)) for separator in _SEPARATORS)


def names_for(line: str, separator: str | None, width: int) -> list[str] | None:
    """The unique names that a line gives `width` columns; None where it does not name that many columns.

    The line is split like the rows where that fits, since names may contain blanks.
    """
    for mark in dict.fromkeys((separator, *_SEPARATORS)):
        words = words_in(line, mark)
        while len(words) > width and not words[-1]:
            words.pop()
        if len(words) == width and _has_position(words):
            return _different(words)
    return _rejoined(words_in(line, None), width)


def words_in(line: str, separator: str | None) -> list[str]:
    """The words of a header, without quotes and comment characters."""
    line = line.strip().lstrip("#/% \t")
    if separator is None:
        words = _WORD.findall(line)
    else:
        try:
            words = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        except csv.Error:  # too long to be a header
            return []
    return [word.strip().strip("\"'").strip() for word in words]


def _has_position(words: Sequence[str]) -> bool:
    return set(POSITION) <= {canonical(word) for word in words}


def _rejoined(words: Sequence[str], width: int) -> list[str] | None:
    """The names, with a run of unknown words joined to one name with blanks, or to several numbered names."""
    unknown = [k for k, word in enumerate(words) if not is_known(word)]
    if not unknown or unknown[-1] - unknown[0] + 1 != len(unknown):
        return None
    first, last = unknown[0], unknown[-1] + 1
    free = width - (len(words) - len(unknown))
    if not 0 < free < len(unknown):
        return None
    name = " ".join(words[first:last])
    several = [name] if free == 1 else [f"{name} {k + 1}" for k in range(free)]
    names = [*words[:first], *several, *words[last:]]
    return _different(names) if _has_position(names) else None


def _different(names: Sequence[str]) -> list[str]:
    """The names made unique: an empty or repeated one gets the number of its column appended."""
    found: dict[str, None] = {}
    for number, name in enumerate(names, 1):
        while not name or name in found:
            name = f"{name} {number}".strip()
        found[name] = None
    return list(found)


_UNIT_LENGTH = 0.05
"""The largest deviation of a normal's length from 1: normals may have been written with two decimals."""

_MOST = 0.95
_ONE_SCALE = 4
"""The largest ratio between the maxima of a color's channels; the maxima of other columns differ by more."""

_LARGEST = 65535


def unnamed(table: NDArray[Any]) -> Columns:
    """The columns of a table (N, C) without names: x y z, and the others named by number."""
    keys = [*POSITION, *(str(k + 1) for k in range(3, table.shape[1]))]
    return {
        key: np.array(column, column.dtype.newbyteorder("="))
        for key, column in zip(keys, table.T, strict=False)
    }


def named(columns: Columns, path: Path, notes: list[str]) -> Columns:
    """The columns of a table without names, named according to all their values.

    Colors that are black everywhere come from a scanner without a camera, and are left out.
    """
    names = unnamed_columns(np.stack(list(columns.values()), axis=1), path)
    columns = dict(zip(names, columns.values(), strict=True))
    if set(COLOR) <= set(names) and not any(columns[name].any() for name in COLOR):
        notes.append("its colors are all black and were left out")
        columns = {name: values for name, values in columns.items() if name not in COLOR}
    return columns


def unnamed_columns(table: NDArray[Any], path: Path) -> list[str]:
    """The names of the columns of a table (N, C), from C and, where that is ambiguous, the values.

    Three columns are a normal where they have length 1, and a color where they are not negative, at
    most 65535, and do not have length 1.

    - 3: x y z. 4: x y z and an intensity.
    - 6: x y z and a color, or else a normal of any length.
    - 7: x y z and, if both fit, intensity and color (as in PTS) rather than color and a number; color
      and alpha where the last column is constant and the others are not; color and a number
      where only the first three are all whole numbers or all not, or only their largest values are
      within a factor of four.
      With a normal, or where no color fits: a normal and a number, or a number and a normal.
    - 9: x y z, and a normal and a color in either order.
    - More than 7, where three have length 1: these are the normal. Three columns before or after it may be
      a color, or four as above; the others are numbers.

    Columns of plain numbers are named by column number. Raises UnreadableInput for anything else.
    """
    count = table.shape[1]
    if count in (3, 4):
        return [*POSITION, "intensity"][:count]
    if count == 6:
        return [*POSITION, *(COLOR if _are_colors(table[:, 3:]) else NORMAL)]
    if count == 7:
        return [*POSITION, *_four(table[:, 3:], path)]
    normals = (k for k in range(3, count - 2) if _have_unit_length(table[:, k : k + 3]))
    if count > 7 and (normal := next(normals, None)) is not None:
        return _around(normal, table, path)
    if count == 9 and _are_colors(table[:, 3:6]):
        return [*POSITION, *COLOR, *NORMAL]
    if count == 9 and _are_colors(table[:, 6:9]):
        return [*POSITION, *NORMAL, *COLOR]
    raise UnreadableInput(
        f"{path}: what its {count} columns mean is not clear; name them in a first line such as"
        " 'x y z nx ny nz red green blue'"
    )


def _four(values: NDArray[Any], path: Path) -> Sequence[str]:
    """The meaning of the last four (N, 4) of seven columns."""
    if _have_unit_length(values[:, :3]):
        return (*NORMAL, "intensity")
    if _have_unit_length(values[:, 1:]):
        return ("intensity", *NORMAL)
    return _color_and_number(values, 7, path) or (*NORMAL, "intensity")


def _color_and_number(values: NDArray[Any], number: int, path: Path) -> Sequence[str] | None:
    """The names of four columns (N, 4), a color before or after one number; None where no color fits."""
    color_first, color_last = values[:, :3], values[:, 1:]
    in_front, behind = ("intensity", *COLOR), (*COLOR, str(number))
    first, last = _are_colors(color_first), _are_colors(color_last)
    if path.suffix.lower() == ".pts" and last:
        return in_front
    if first != last:
        return behind if first else in_front
    if not first:
        return None
    same = np.all(values == values[:1], axis=0)
    if same[3] and not same[1:3].all():
        return (*COLOR, "alpha")
    for alike in (_are_alike, _have_one_scale):
        if alike(color_first) != alike(color_last):
            return behind if alike(color_first) else in_front
    return in_front


def _around(normal: int, table: NDArray[Any], path: Path) -> list[str]:
    """All columns of a table whose normal begins at that column; a color may be before or after it."""
    names = [*POSITION, *_run(3, table[:, :normal], path), *NORMAL]
    if COLOR[0] in names:
        return [*names, *_numbers(len(names), table.shape[1])]
    return [*names, *_run(len(names), table, path)]


def _run(start: int, table: NDArray[Any], path: Path) -> Sequence[str]:
    """The columns from `start` on, of which the first three or one of the first four may be a color."""
    values, count = table[:, start:], table.shape[1]
    if count - start == 4 and (names := _color_and_number(values, count, path)):
        return names
    if count - start >= 3 and _are_colors(values[:, :3]):
        return [*COLOR, *_numbers(start + 3, count)]
    return _numbers(start, count)


def _numbers(start: int, stop: int) -> list[str]:
    return [str(k + 1) for k in range(start, stop)]


def _known(values: NDArray[Any]) -> NDArray[Any]:
    return values[np.isfinite(values).all(axis=1)]


def _have_unit_length(values: NDArray[Any]) -> bool:
    """Whether most rows of three columns have length 1; a few may be 0, where the normal is unknown."""
    lengths = np.linalg.norm(_known(values), axis=1)
    lengths = lengths[lengths > 0]
    return bool(len(lengths) and np.mean(np.abs(lengths - 1) < _UNIT_LENGTH) > _MOST)


def _are_colors(values: NDArray[Any]) -> bool:
    values = _known(values)
    return bool(np.all((values >= 0) & (values <= _LARGEST))) and not _have_unit_length(values)


def _are_alike(values: NDArray[Any]) -> bool:
    """Whether all of three columns are whole numbers, or none of them are."""
    values = _known(values)
    whole = np.all(values == np.rint(values), axis=0)
    return bool(whole.all() or not whole.any())


def _have_one_scale(values: NDArray[Any]) -> bool:
    largest = _known(values).max(axis=0, initial=0)
    return bool(largest.max() <= _ONE_SCALE * largest.min())
