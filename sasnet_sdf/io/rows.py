"""Rows of numbers in text: separators, the number formats of other programs, and damaged rows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from .columns import PIECE
from .files import count_of, opened

COMMENT = re.compile(r"#|//")
_SEPARATORS = (";", ",", None)
_NAN = re.compile(r"[-+]?(?:1\.#\w+|nan\(\w*\))", re.IGNORECASE)
"""NaN as Microsoft's libraries write it, cut to any length; the first form contains a comment character."""

_FORTRAN = re.compile(r"(?<=[\d.])d(?=[-+]?\d)", re.IGNORECASE)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def opened_text(path: Path) -> TextIO:
    """Open text in utf-8 or utf-16, with or without a byte-order mark.

    Undecodable bytes are replaced: they can only occur in comments and names.
    """
    encoding = "utf-16" if _is_utf16(path) else "utf-8-sig"
    return TextIOWrapper(opened(path), encoding=encoding, errors="replace")


def check_text(path: Path) -> None:
    """Raise UnreadableInput where the file is binary."""
    with path.open("rb") as file:
        if b"\0" in file.read(4096) and not _is_utf16(path):
            raise UnreadableInput(f"{path}: not a text file")


def _is_utf16(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in _UTF16


def row_of(line: str) -> tuple[str | None, list[str]] | None:
    """The separator (None for blanks and tabs) and the words of a row of numbers; None for any other line."""
    for separator in _SEPARATORS:
        if separator is None or separator in line:
            words = _words(_content(line, separator), separator)
            if words and all(map(_is_number, words)):
                return separator, words
    return None


def number_of(word: str, separator: str | None) -> float:
    """The numeric value of a word in a row with this separator. Raises ValueError."""
    if separator != ",":
        word = word.replace(",", ".")
    try:
        return float(word)
    except ValueError:
        return float(_FORTRAN.sub("e", _NAN.sub("nan", word)))


def tables_of(
    path: Path,
    separator: str | None = None,
    skip: int = 0,
    counts: list[int] | None = None,
    mixed: Callable[[list[str], int], NDArray[Any]] | None = None,
    width: int | None = None,
) -> Iterator[NDArray[Any]]:
    """The rows of numbers (N, C) float64 that follow `skip` lines, in pieces of at most PIECE lines.

    Comments, empty lines and separators at the end of a row are skipped. A comma that is not the separator
    is a decimal comma. counts: if given, a line that holds only a count is not a row, and the count is
    appended to it. mixed: a function that parses lines with other words, given these lines and the number
    of lines before them. Raises UnreadableInput with the number of the first line that does not fit.
    """
    read = skip
    with opened_text(path) as file:
        lines: Iterator[str] = islice(file, skip, None)
        while piece := list(islice(lines, PIECE)):
            try:
                table = _table(piece, separator, width, counts)
            except ValueError as error:
                if mixed is None:
                    fault = _fault(path, separator, skip, counts is not None)
                    raise UnreadableInput(f"{path}: {fault or error}") from error
                table = mixed(piece, read)
            read += len(piece)
            if table.size:
                width = table.shape[1]
                yield table


def _table(
    lines: list[str], separator: str | None, width: int | None, counts: list[int] | None
) -> NDArray[Any]:
    """Parse the lines unchanged, which is fast, or cleaned where that fails or could give wrong values."""
    if not any("#" in line or "//" in line for line in lines):
        try:
            table = _parsed(lines, separator)
            if not table.size or table.shape[1] == (width or table.shape[1]):
                return table
        except ValueError:
            pass
    table = _parsed(_contents(lines, separator, counts), separator)
    if table.size and table.shape[1] != (width or table.shape[1]):
        raise ValueError("rows of different lengths")
    return table


def _parsed(lines: Iterable[str], separator: str | None) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the warning that no line holds a row
        return np.loadtxt(lines, comments=None, delimiter=separator, ndmin=2)


def _contents(lines: Iterable[str], separator: str | None, counts: list[int] | None) -> Iterator[str]:
    for line in lines:
        content = _content(line, separator)
        if counts is not None and (count := count_of(content)) is not None:
            counts.append(count)
        elif content:
            yield content


def _content(line: str, separator: str | None) -> str:
    """A line without comment and quotes, its numbers in Python's notation."""
    if separator != ",":
        line = line.replace(",", ".")
    # most lines have none of these, and a search for a character is much faster than a regular expression
    if "#" in line or "(" in line:
        line = _NAN.sub("nan", line)
    if "#" in line or "//" in line:
        line = COMMENT.split(line, maxsplit=1)[0]
    if "d" in line or "D" in line:
        line = _FORTRAN.sub("e", line)
    return line.replace('"', "").strip().rstrip(f"{separator or ''} \t")


def _words(content: str, separator: str | None) -> list[str]:
    if separator is None or not content:
        return content.split()
    return [word.strip() for word in content.split(separator)]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _fault(path: Path, separator: str | None, skip: int, counted: bool) -> str | None:
    """A message about the first line that does not fit: its number, the fault and the remedy."""
    width = None
    with opened_text(path) as lines:
        for number, line in enumerate(islice(lines, skip, None), skip + 1):
            words = _words(content := _content(line, separator), separator)
            if not words or (counted and count_of(content) is not None):
                continue
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
