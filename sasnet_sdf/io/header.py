"""The first line of a table: the names of its columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from .columns import POSITION, canonical, is_known

_SEPARATORS = (",", ";", "\t", None)
_WORD = re.compile(r""""[^"]*"|\S+(?:\s{1,3}[\[(][^\])]{0,20}[\])])?""")
"""A name in quotes, or one without blanks and its unit in brackets."""


def names_coordinates(line: str) -> bool:
    """Whether a line, with or without the mark of a comment, names columns x, y and z among its words."""
    return any(_has_position(words_in(line, separator)) for separator in _SEPARATORS)


def names_for(line: str, separator: str | None, width: int) -> list[str] | None:
    """The names that a line gives `width` columns, each once; None where it names others.

    It is split as the rows are where that fits: names may hold blanks.
    """
    for mark in dict.fromkeys((separator, *_SEPARATORS)):
        words = words_in(line, mark)
        while len(words) > width and not words[-1]:
            words.pop()
        if len(words) == width and _has_position(words):
            return _different(words)
    return _rejoined(words_in(line, None), width)


def words_in(line: str, separator: str | None) -> list[str]:
    """The words of a header without quotes and the mark of a comment."""
    line = line.strip().lstrip("#/% \t")
    if separator is None:
        words = _WORD.findall(line)
    else:
        try:
            words = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        except csv.Error:  # longer than any header
            return []
    return [word.strip().strip("\"'").strip() for word in words]


def _has_position(words: Sequence[str]) -> bool:
    return set(POSITION) <= {canonical(word) for word in words}


def _rejoined(words: Sequence[str], width: int) -> list[str] | None:
    """One run of words that name nothing known is one name with blanks, or several, which are numbered."""
    unknown = [k for k, word in enumerate(words) if not is_known(word)]
    if not unknown or unknown[-1] - unknown[0] + 1 != len(unknown):
        return None
    first, last = unknown[0], unknown[-1] + 1
    room = width - (len(words) - len(unknown))
    if not 0 < room < len(unknown):
        return None
    name = " ".join(words[first:last])
    several = [name] if room == 1 else [f"{name} {k + 1}" for k in range(room)]
    names = [*words[:first], *several, *words[last:]]
    return _different(names) if _has_position(names) else None


def _different(names: Sequence[str]) -> list[str]:
    """The names, where one is empty or comes again with the number of its column."""
    found: dict[str, None] = {}
    for number, name in enumerate(names, 1):
        while not name or name in found:
            name = f"{name} {number}".strip()
        found[name] = None
    return list(found)
