"""NPY and NPZ: arrays of points, volumes, and tables of distances."""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from functools import partial
from io import BytesIO
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import PointCloud
from ..signals import Signal
from .colors import as_colors
from .columns import Columns, Scan, records
from .files import check_claim, reason_of
from .names import named, unnamed
from .volumes import FOR_POINTS, lost, volume_of

_ATTRIBUTES = ("points", "normals", "colors", "sensors")
_DAMAGED = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError)
_LONGEST_HEADER = 10_000
"""The largest size of an array's header, in bytes: NumPy's limit, which NumPy checks only after reading."""

_MOST_MEMBERS = 1000
"""The largest number of arrays in an archive: each takes memory even before it is read."""


def content(path: Path) -> Literal["cloud", "volume"]:
    """A volume is an array of three axes or more, or an archive with an array named volume."""
    if path.suffix.lower() == ".npz":
        with zipfile.ZipFile(path) as archive:
            return "volume" if "volume.npy" in archive.namelist() else "cloud"
    with path.open("rb") as file:
        shape, _, _ = _checked_header(file, path.stat().st_size)
    return "volume" if len(shape) >= 3 else "cloud"


def memory(path: Path) -> float:
    """Bytes of memory that reading an archive takes: six times the size of its arrays."""
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as archive:
        return 6 * sum(member.file_size for member in archive.infolist())


def read_npy(path: Path) -> Scan:
    """The points of a table (N, C), its columns interpreted as those of a text file without column names.

    Raises UnreadableInput.
    """
    try:
        with path.open("rb") as file:
            shape, by_columns, kind = _checked_header(file, path.stat().st_size)
            start = file.tell()
    except _DAMAGED as error:
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


def read_npz(path: Path) -> PointCloud:
    """The cloud of an archive's `points` (N, 3), optional `normals`, `colors`, `sensors`, and scalars (N,).

    Pickled objects are refused. Raises UnreadableInput.
    """
    arrays: Columns = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
            if "points" not in members:
                found = ", ".join(members) or "none"
                raise UnreadableInput(f"{path}: has no array named points (found: {found})")
            count, claimed = None, 0
            for name in ("points", *(name for name in members if name != "points")):
                info = members[name]
                check_claim(path, info.file_size)
                with archive.open(info) as file:
                    shape, _, kind = _checked_header(file, info.file_size)
                if name not in _ATTRIBUTES and (shape != (count,) or kind.kind not in "fiu"):
                    continue
                _check_numbers(kind, path, name)
                # members may overlap in the file, and each may claim the whole of it
                claimed += info.file_size
                check_claim(path, claimed)
                with archive.open(info) as file:
                    arrays[name] = npy.read_array(file, allow_pickle=False)
                count = count if count is not None else len(arrays["points"])
    except _DAMAGED as error:
        raise UnreadableInput(f"{path}: not an archive that can be read ({reason_of(error)})") from error
    known: dict[str, Any] = {name: arrays.pop(name) for name in _ATTRIBUTES if name in arrays}
    for name, values in known.items():
        if values.ndim != 2 or values.shape[1] != 3 or len(values) != len(known["points"]):
            raise UnreadableInput(
                f"{path}: {name} must have the shape (N, 3), one row per point, found {values.shape}"
            )
        known[name] = as_colors(values) if name == "colors" else values.astype(np.float64)
    return PointCloud(**known, scalars=arrays)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an NPZ archive by their names. Raises ValueError where there are too many."""
    if len(archive.infolist()) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(archive.infolist())} members, {_MOST_MEMBERS} at most are read")
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def _checked_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape, order and type of an NPY stream of `size` bytes. Raises ValueError where it is truncated."""
    version = npy.read_magic(file)
    first = version == (1, 0)
    length = file.read(2 if first else 4)
    text = file.read(min(int.from_bytes(length, "little"), _LONGEST_HEADER + 1))
    if len(text) > _LONGEST_HEADER:
        raise ValueError(f"its header is longer than {_LONGEST_HEADER} bytes")
    header = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the warning that Python 2 wrote the file
            shape, by_columns, kind = header(BytesIO(length + text))
    except (TokenError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError("its header is damaged") from error  # NumPy does not convert these errors
    if min(shape, default=0) < 0 or not kind.itemsize:
        raise ValueError(f"its header is damaged: the shape is {shape}, of {kind}")
    if prod(shape) * kind.itemsize > size - file.tell():
        raise ValueError(f"cut short: {size - file.tell()} bytes for an array of shape {shape}")
    return shape, by_columns, kind


def _check_numbers(kind: np.dtype, path: Path, name: str) -> None:
    if kind.kind not in "fiu":
        raise UnreadableInput(f"{path}: {name} must hold real numbers, found {kind}")


def read_npy_volume(path: Path) -> Signal:
    """The volume, memory-mapped. Raises UnreadableInput."""
    try:
        with path.open("rb") as file:
            shape, by_columns, kind = _checked_header(file, path.stat().st_size)
            values = _mapped(path, shape, by_columns, kind, file.tell())
    except _DAMAGED as error:
        raise UnreadableInput(f"{path}: not an array that can be read ({reason_of(error)})") from error
    return volume_of(path, values, np.eye(4))


def read_npz_volume(path: Path) -> Signal:
    """The array `volume`, memory-mapped where it is not compressed, with `spacing` (3,) if it is there."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive)
            if "volume" not in members:
                found = ", ".join(members) or "none"
                advice = f"; {FOR_POINTS}" if "points" in members else ""
                raise UnreadableInput(f"{path}: has no array named volume (found: {found}){advice}")
            values = _member(archive, members["volume"], path)
            spacing = np.ones(3)
            if "spacing" in members:
                spacing = _member(archive, members["spacing"], path)
    except _DAMAGED as error:
        raise UnreadableInput(f"{path}: not an archive that can be read ({reason_of(error)})") from error
    if spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise UnreadableInput(f"{path}: spacing must be three lengths above 0, found {spacing.tolist()}")
    return volume_of(path, values, np.diag([*spacing, 1.0]))


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    check_claim(path, info.file_size)
    with archive.open(info) as file:
        shape, by_columns, kind = _checked_header(file, info.file_size)
        start = file.tell()
    if kind.kind not in "iufb":
        raise UnreadableInput(f"{path}: {info.filename} must hold real numbers, found {kind}")
    if info.compress_type == zipfile.ZIP_STORED:
        with path.open("rb") as file:
            file.seek(info.header_offset + 26)
            name, extra = struct.unpack("<HH", file.read(4))
        return _mapped(path, shape, by_columns, kind, info.header_offset + 30 + name + extra + start)
    with archive.open(info) as file:
        return npy.read_array(file, allow_pickle=False)


def _mapped(path: Path, shape: tuple[int, ...], by_columns: bool, kind: np.dtype, start: int) -> NDArray[Any]:
    if kind.kind not in "iufb":
        raise UnreadableInput(f"{path}: a volume must hold real numbers, found {kind}")
    if 0 in shape:
        return np.empty(shape, kind)
    return np.memmap(path, kind, "r", start, shape, "F" if by_columns else "C")


def write_npy_volume(path: Path, volume: Signal) -> list[str]:
    """Write the values alone, bit for bit."""
    np.save(path, _flat(volume), allow_pickle=False)
    return lost(volume.grid, np.eye(4), "NPY", "spacing, origin and directions")


def write_npz_volume(path: Path, volume: Signal) -> list[str]:
    """Write the values, bit for bit, and their spacing, compressed."""
    np.savez_compressed(path, volume=_flat(volume), spacing=volume.grid.spacing)
    return lost(volume.grid, np.diag([*volume.grid.spacing, 1.0]), "NPZ", "origin and directions")


def _flat(volume: Signal) -> NDArray[Any]:
    return volume.values[..., 0] if volume.channels == 1 else volume.values


def write_npy_table(path: Path, table: NDArray[np.float64]) -> None:
    """Write the columns x, y, z, distance and the three of the gradient (N, 7)."""
    np.save(path, table)


def write_npz_table(path: Path, table: NDArray[np.float64]) -> None:
    """Write the arrays points (N, 3), distances (N,) and gradients (N, 3)."""
    np.savez(path, points=table[:, :3], distances=table[:, 3], gradients=table[:, 4:])
