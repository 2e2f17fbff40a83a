"""Point clouds as NumPy arrays: NPY and NPZ."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from functools import partial
from io import BytesIO
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from ..errors import UnreadableInput
from ..geometry import PointCloud
from .columns import Columns, as_colors
from .files import check_claim, reason_of
from .names import named, unnamed
from .scan import Scan, records

_ATTRIBUTES = ("points", "normals", "colors", "sensors")
DAMAGED = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError)
_LONGEST_HEADER = 10_000
"""Bytes of the header of an array: NumPy's own limit, which it looks at when it has read them."""

_MOST_MEMBERS = 1000
"""Of an archive; each takes some of the memory before anything is read of it."""


def read(path: Path) -> PointCloud | Scan:
    """A table (N, C) from .npy, its columns as in a text file without names; or the arrays of .npz:
    `points` (N, 3), where they are there `normals`, `colors`, `sensors`, and scalars (N,).

    Pickled objects are refused. Raises UnreadableInput.
    """
    return _from_table(path) if path.suffix.lower() == ".npy" else _from_archive(path)


def _from_table(path: Path) -> Scan:
    try:
        with path.open("rb") as file:
            shape, by_columns, kind = checked_header(file, path.stat().st_size)
            start = file.tell()
    except DAMAGED as error:
        raise UnreadableInput(f"{path}: not an array that can be read ({reason_of(error)})") from error
    if len(shape) != 2 or not shape[1]:
        raise UnreadableInput(f"{path}: points must have the shape (N, 3), found {shape}")
    _check_numbers(kind, path, "the array")
    count, width = shape
    if by_columns:
        whole = np.fromfile(path, kind, count * width, offset=start).reshape(width, count).T
        tables = iter([whole])
    else:
        tables = records(path, np.dtype((kind, (width,))), start, count)
    notes: list[str] = []
    return Scan(map(unnamed, tables), notes, partial(named, path=path, notes=notes))


def _from_archive(path: Path) -> PointCloud:
    arrays: Columns = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = members_of(archive)
            if "points" not in members:
                found = ", ".join(members) or "none"
                raise UnreadableInput(f"{path}: has no array named points (found: {found})")
            count, claimed = None, 0
            for name in ("points", *(name for name in members if name != "points")):
                info = members[name]
                check_claim(path, info.file_size)
                with archive.open(info) as file:
                    shape, _, kind = checked_header(file, info.file_size)
                if name not in _ATTRIBUTES and (shape != (count,) or kind.kind not in "fiu"):
                    continue
                _check_numbers(kind, path, name)
                # members may overlap in the file, and each claim all of it
                claimed += info.file_size
                check_claim(path, claimed)
                with archive.open(info) as file:
                    arrays[name] = npy.read_array(file, allow_pickle=False)
                count = count if count is not None else len(arrays["points"])
    except DAMAGED as error:
        raise UnreadableInput(f"{path}: not an archive that can be read ({reason_of(error)})") from error
    known: dict[str, Any] = {name: arrays.pop(name) for name in _ATTRIBUTES if name in arrays}
    for name, values in known.items():
        if values.ndim != 2 or values.shape[1] != 3 or len(values) != len(known["points"]):
            raise UnreadableInput(
                f"{path}: {name} must have the shape (N, 3), one row a point, found {values.shape}"
            )
        known[name] = as_colors(values) if name == "colors" else values.astype(np.float64)
    return PointCloud(**known, scalars=arrays)


def members_of(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an NPZ archive by their name. ValueError where there are too many."""
    if len(archive.infolist()) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(archive.infolist())} members, {_MOST_MEMBERS} at most are read")
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def checked_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an NPY stream of `size` bytes; ValueError where it is cut short."""
    version = npy.read_magic(file)
    first = version == (1, 0)
    length = file.read(2 if first else 4)
    text = file.read(min(int.from_bytes(length, "little"), _LONGEST_HEADER + 1))
    if len(text) > _LONGEST_HEADER:
        raise ValueError(f"its header is longer than {_LONGEST_HEADER} bytes")
    header = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it was written by Python 2
            shape, by_columns, kind = header(BytesIO(length + text))
    except (TokenError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError("its header is damaged") from error  # NumPy lets these out of it
    if min(shape, default=0) < 0 or not kind.itemsize:
        raise ValueError(f"its header is damaged: the shape is {shape}, of {kind}")
    if prod(shape) * kind.itemsize > size - file.tell():
        raise ValueError(f"cut short: {size - file.tell()} bytes for an array of shape {shape}")
    return shape, by_columns, kind


def _check_numbers(kind: np.dtype, path: Path, name: str) -> None:
    if kind.kind not in "fiu":
        raise UnreadableInput(f"{path}: {name} must hold real numbers, found {kind}")
