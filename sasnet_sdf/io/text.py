"""Point clouds as text: XYZ, PTS, CSV, TXT, ASC."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from .columns import Columns, named, names_in, unnamed
from .reading import count_of, opened
from .scan import PIECE, Scan

_COMMENT = re.compile(r"#|//")


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
    """The points of a text file, with normals, colours, sensors and scalars where it has them.

    A first line of names, also as a comment, says what the columns are; else `unnamed_columns`.
    Raises UnreadableInput, which names the line where a row is ragged or not numeric.
    """
    with path.open("rb") as file:
        if b"\0" in file.read(4096):
            raise UnreadableInput(f"{path}: not a text file")
    with _opened(path) as file:
        layout = _layout(file, path)
    if layout.names is None:
        return Scan(map(unnamed, _tables(path, layout)), named=partial(named, path=path))
    return Scan(_named_pieces(path, layout, layout.names))


def _named_pieces(path: Path, layout: Layout, names: list[str]) -> Iterator[Columns]:
    for table in _tables(path, layout):
        if len(names) != table.shape[1]:
            raise UnreadableInput(
                f"{path}: {len(names)} columns are named ({' '.join(names)}), rows have {table.shape[1]}"
            )
        yield dict(zip(names, np.ascontiguousarray(table.T), strict=True))


def _tables(path: Path, layout: Layout) -> Iterator[NDArray]:
    """The tables of the file, as many rows in all as its first line names, where it does."""
    count = 0
    for table in tables_of(path, layout.separator, layout.skip):
        count += len(table)
        yield table
    if layout.count is not None and layout.count != count:
        raise UnreadableInput(
            f"{path}: its first line names {layout.count} points, {count} are there; is it cut short?"
        )


def tables_of(path: Path, separator: str | None = None, skip: int = 0) -> Iterator[NDArray]:
    """The rows of numbers (N, C) float64 that follow `skip` lines, in pieces of at most PIECE lines.

    Comments and empty lines are passed. Raises UnreadableInput with the number of the first line
    that does not fit.
    """
    width = None
    with _opened(path) as file:
        lines: Iterator[str] = islice(file, skip, None)
        while piece := list(islice(lines, PIECE)):
            remarks = ["#", "//"] if any("#" in line or "//" in line for line in piece) else None
            try:
                table = _parsed(piece, separator, remarks)
                if table.size and table.shape[1] != (width := width or table.shape[1]):
                    raise ValueError("rows of different lengths")
            except ValueError as error:
                raise UnreadableInput(f"{path}: {_fault(path, separator, skip) or error}") from error
            if table.size:
                yield table


def _parsed(lines: list[str], separator: str | None, remarks: list[str] | None) -> NDArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that there is no row among the lines
        return np.loadtxt(lines, comments=remarks, delimiter=separator, ndmin=2)


def _opened(path: Path) -> TextIO:
    """utf-8 with or without a mark; other bytes can only stand in comments and names."""
    return TextIOWrapper(opened(path), encoding="utf-8-sig", errors="replace")


def _layout(lines: Iterable[str], path: Path) -> Layout:
    """What the lines up to the first row of numbers say."""
    names = remarked = None
    count: int | None = None
    for number, line in enumerate(lines):
        content = _COMMENT.split(line, maxsplit=1)[0]
        separator = next((mark for mark in ";," if mark in content), None)
        words = _words(content, separator)
        if not words:
            remarked = remarked or names_in(re.split(r"[\s,;]+", line.strip("#/ \t\r\n")))
        elif not all(map(_is_number, words)):
            if names is not None or (names := names_in(words)) is None:
                raise UnreadableInput(
                    f"{path}: line {number + 1} is neither a row of numbers nor names of columns x, y, z"
                )
        elif len(words) == 1 and count is None and (named_count := count_of(words[0])) is not None:
            count = named_count
        else:
            # a remark may speak of anything: it counts only where it fits the rows
            fits = remarked is not None and len(remarked) == len(words)
            return Layout(separator, names or (remarked if fits else None), number, count)
    raise UnreadableInput(f"{path}: holds no points")


def _fault(path: Path, separator: str | None, skip: int) -> str | None:
    """What is wrong with the first line that does not fit, with its number, and what to do."""
    width = None
    with _opened(path) as lines:
        for number, words in _rows(lines, separator, skip):
            width = width or len(words)
            for word in words:
                if not _is_number(word):
                    what = repr(word) if word else "an empty value"
                    return f"line {number}: {what} is not a number; mend or remove that line"
            if len(words) != width:
                return (
                    f"line {number} has {len(words)} values, the lines before it have {width};"
                    " mend or remove that line"
                )
    return None


def _rows(lines: Iterable[str], separator: str | None, skip: int) -> Iterator[tuple[int, list[str]]]:
    """Line numbers, from 1, and words of the lines that are neither empty nor comments."""
    for number, line in enumerate(lines, 1):
        words = _words(_COMMENT.split(line, maxsplit=1)[0], separator)
        if number > skip and words:
            yield number, words


def _words(content: str, separator: str | None) -> list[str]:
    if separator is None or not content.strip():
        return content.split()
    return [word.strip() for word in content.split(separator)]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
