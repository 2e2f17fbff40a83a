"""Point clouds as NumPy arrays: NPY and NPZ."""

from __future__ import annotations

import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import PointCloud
from .columns import as_colors, cloud_from, unnamed_columns

_DAMAGED = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError)


def read(path: Path) -> PointCloud:
    """A table (N, C) from .npy, its columns as in a text file without names; or the arrays of .npz:
    `points` (N, 3), and where they are there `normals`, `colors`, `sensors`.

    Pickled objects are refused. Raises UnreadableInput.
    """
    return _from_table(path) if path.suffix.lower() == ".npy" else _from_archive(path)


def _from_table(path: Path) -> PointCloud:
    try:
        with path.open("rb") as file:
            table = _array(file, path.stat().st_size)
    except _DAMAGED as error:
        raise UnreadableInput(f"{path}: not an array that can be read ({error})") from error
    if table.ndim != 2:
        raise UnreadableInput(f"{path}: points must have the shape (N, 3), found {table.shape}")
    table = _numbers(table, path, "the array")
    return cloud_from(dict(zip(unnamed_columns(table, path), table.T, strict=True)), path)


def _from_archive(path: Path) -> PointCloud:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if "points" not in members:
                found = ", ".join(members) or "none"
                raise UnreadableInput(f"{path}: has no array named points (found: {found})")
            arrays = {}
            for name in ("points", "normals", "colors", "sensors"):
                if name in members:
                    with archive.open(members[name]) as file:
                        arrays[name] = _numbers(_array(file, members[name].file_size), path, name)
    except _DAMAGED as error:
        raise UnreadableInput(f"{path}: not an archive that can be read ({error})") from error
    for name, values in arrays.items():
        if values.ndim != 2 or values.shape[1] != 3 or len(values) != len(arrays["points"]):
            raise UnreadableInput(
                f"{path}: {name} must have the shape (N, 3), one row a point, found {values.shape}"
            )
    if "colors" in arrays:
        arrays["colors"] = as_colors(arrays["colors"])
    return PointCloud(**{n: v if n == "colors" else v.astype(np.float64) for n, v in arrays.items()})


def _array(file: IO[bytes], size: int) -> NDArray:
    """The array of an NPY stream of `size` bytes; ValueError where the header names more than it holds."""
    version = npy.read_magic(file)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(file)
    if prod(shape) * dtype.itemsize > size:
        raise ValueError(f"cut short: {size} bytes for an array of shape {shape}")
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def _numbers(values: NDArray, path: Path, name: str) -> NDArray:
    if values.dtype.kind not in "fiu":
        raise UnreadableInput(f"{path}: {name} must hold real numbers, found {values.dtype}")
    return values
