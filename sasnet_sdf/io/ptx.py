"""PTX: scans of terrestrial laser scanners as text, one after the other, each with its scanner's pose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array
from .columns import COLOR, PIECE, POSITION, SENSOR, Columns, Scan, empty_rows
from .files import opened

_HEADER = 10
_WIDTHS = (3, 4, 6, 7)


@dataclass(frozen=True)
class _Header:
    """rows: lines of points that follow. scanner: (3,) in world units. pose: (4, 4), for points as rows."""

    rows: int
    scanner: Array
    pose: Array


def read(path: Path) -> Scan:
    """Read all scans in world coordinates, with the colors and intensity that all of them have.

    The scanner's position is the sensor's. Rows of 0 0 0, which are rays without a return, are left out.
    Raises UnreadableInput, which names the line.
    """
    with path.open("rb") as file:
        if b"\0" in file.read(4096):
            raise UnreadableInput(f"{path}: not a text file")
    notes: list[str] = []
    return Scan(_pieces(path, notes), notes)


def _pieces(path: Path, notes: list[str]) -> Iterator[Columns]:
    missing = total = line = 0
    size = path.stat().st_size
    with TextIOWrapper(opened(path), encoding="ascii", errors="replace") as file:
        while (header := _header(file, line, path)) is not None:
            line += _HEADER
            if 6 * header.rows > size:
                raise _cut_short(path, size // 6, header.rows, line)
            for start in range(0, header.rows, PIECE):
                count = min(PIECE, header.rows - start)
                table = _table(list(islice(file, count)), line, path)
                line += len(table)
                if len(table) < count:
                    raise _cut_short(path, start + len(table), header.rows, line)
                seen = (table[:, :3] != 0).any(axis=1)
                missing += int((~seen).sum())
                total += count
                yield _columns(table[seen], header)
    if not total:
        raise UnreadableInput(f"{path}: holds no points")
    notes += empty_rows(missing, total)


def _header(file: TextIO, line: int, path: Path) -> _Header | None:
    """Columns, rows, the scanner's position and three axes, and four rows of a matrix; None at the end."""
    lines = list(islice(file, _HEADER))
    if not "".join(lines).strip():
        return None
    try:
        columns, rows = int(lines[0]), int(lines[1])
        scanner, *_ = numbers = [np.array(words.split(), np.float64) for words in lines[2:]]
        pose = np.stack(numbers[4:])
        if min(columns, rows) < 0 or scanner.shape != (3,) or pose.shape != (4, 4):
            raise ValueError("two counts, four rows of three and four rows of four numbers are needed")
    except (ValueError, IndexError) as error:
        raise UnreadableInput(
            f"{path}: the ten lines from {line + 1} are not the header of a PTX scan ({error})"
        ) from error
    # a scanner stands at the origin of its own scan; the third line may have been left at 0 0 0
    return _Header(columns * rows, scanner if scanner.any() else pose[3, :3], pose)


def _table(lines: list[str], before: int, path: Path) -> NDArray[Any]:
    """The rows (N, 3, 4, 6 or 7) float64 of lines, of which `before` stand before them in the file."""
    if not lines:
        return np.empty((0, 4))
    try:
        table = np.loadtxt(lines, comments=None, ndmin=2)
        if len(table) == len(lines) and table.shape[1] in _WIDTHS:
            return table
    except ValueError:
        pass
    width = len(lines[0].split())
    for number, words in enumerate(map(str.split, lines), before + 1):
        try:
            [float(word) for word in words]
        except ValueError as error:
            raise UnreadableInput(f"{path}: line {number} is damaged ({error})") from error
        if len(words) != width or width not in _WIDTHS:
            raise UnreadableInput(
                f"{path}: line {number} has {len(words)} values; x y z intensity, or these and red green blue"
                " are needed: is the file cut short, or one of its counts wrong?"
            )
    raise UnreadableInput(f"{path}: the lines from {before + 1} cannot be read")


def _columns(table: NDArray[Any], header: _Header) -> Columns:
    points = table[:, :3] @ header.pose[:3, :3] + header.pose[3, :3]
    columns = dict(zip(POSITION, points.T, strict=True))
    width = table.shape[1]
    if width in (4, 7):
        columns["intensity"] = table[:, 3].copy()
    if width >= 6:
        columns |= zip(COLOR, _colors(table[:, -3:]).T, strict=True)
    return columns | {n: np.full(len(points), v) for n, v in zip(SENSOR, header.scanner, strict=True)}


def _colors(values: NDArray[Any]) -> NDArray[Any]:
    """Colors as bytes where these hold them; fractions of 1 and 16-bit numbers as they are."""
    small = values.astype(np.uint8)
    return small if np.array_equal(small, values) else values.astype(np.float32)


def _cut_short(path: Path, there: int, named: int, line: int) -> UnreadableInput:
    return UnreadableInput(
        f"{path}: cut short: the scan before line {line + 1} holds {there} of the {named} points that its"
        " header names; copy or export it again"
    )
