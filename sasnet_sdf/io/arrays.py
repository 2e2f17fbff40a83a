"""Point clouds as NumPy arrays: NPY and NPZ."""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from ..errors import UnreadableInput
from ..geometry import PointCloud
from .columns import Columns, as_colors, named, unnamed
from .scan import Scan, records

_ATTRIBUTES = ("points", "normals", "colors", "sensors")
DAMAGED = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError)


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
        raise UnreadableInput(f"{path}: not an array that can be read ({error})") from error
    if len(shape) != 2:
        raise UnreadableInput(f"{path}: points must have the shape (N, 3), found {shape}")
    _check_numbers(kind, path, "the array")
    count, width = shape
    if by_columns:
        whole = np.fromfile(path, kind, count * width, offset=start).reshape(width, count).T
        tables = iter([whole])
    else:
        tables = records(path, np.dtype((kind, (width,))), start, count)
    return Scan(map(unnamed, tables), named=partial(named, path=path))


def _from_archive(path: Path) -> PointCloud:
    arrays: Columns = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if "points" not in members:
                found = ", ".join(members) or "none"
                raise UnreadableInput(f"{path}: has no array named points (found: {found})")
            count = None
            for name in ("points", *(name for name in members if name != "points")):
                info = members[name]
                with archive.open(info) as file:
                    shape, _, kind = checked_header(file, info.file_size)
                if name not in _ATTRIBUTES and (shape != (count,) or kind.kind not in "fiu"):
                    continue
                _check_numbers(kind, path, name)
                with archive.open(info) as file:
                    arrays[name] = npy.read_array(file, allow_pickle=False)
                count = count if count is not None else len(arrays["points"])
    except DAMAGED as error:
        raise UnreadableInput(f"{path}: not an archive that can be read ({error})") from error
    known: dict[str, Any] = {name: arrays.pop(name) for name in _ATTRIBUTES if name in arrays}
    for name, values in known.items():
        if values.ndim != 2 or values.shape[1] != 3 or len(values) != len(known["points"]):
            raise UnreadableInput(
                f"{path}: {name} must have the shape (N, 3), one row a point, found {values.shape}"
            )
        known[name] = as_colors(values) if name == "colors" else values.astype(np.float64)
    return PointCloud(**known, scalars=arrays)


def checked_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an NPY stream of `size` bytes; ValueError where it is cut short."""
    version = npy.read_magic(file)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, by_columns, kind = header(file)
    except (TokenError, SyntaxError, TypeError) as error:  # NumPy lets these out of a damaged header
        raise ValueError("its header is damaged") from error
    if prod(shape) * kind.itemsize > size - file.tell():
        raise ValueError(f"cut short: {size - file.tell()} bytes for an array of shape {shape}")
    return shape, by_columns, kind


def _check_numbers(kind: np.dtype, path: Path, name: str) -> None:
    if kind.kind not in "fiu":
        raise UnreadableInput(f"{path}: {name} must hold real numbers, found {kind}")
