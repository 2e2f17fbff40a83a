"""NRRD (teem.sourceforge.net/nrrd/format.html): pynrrd reads its header and data; the writer is ours."""

from __future__ import annotations

import bz2
import gzip
import math
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SasnetError, UnreadableInput, UsageError
from ..runtime.system import require
from ..signals import Signal
from .files import check_claim, reason_of
from .volumes import volume_of

_TYPES = {
    "u1": "uint8",
    "i1": "int8",
    "u2": "uint16",
    "i2": "int16",
    "u4": "uint32",
    "i4": "int32",
    "u8": "uint64",
    "i8": "int64",
    "f4": "float",
    "f8": "double",
}
_BYTES = {"char": 1, "short": 2, "int": 4, "float": 4, "double": 8, "long": 8}
_NOT_PACKED = ("raw", "ASCII", "ascii", "text", "txt")
_MOST_SKIPPED = 1 << 20
_KEPT = ("space", "space units", "content", "sample units")


def read(path: Path) -> Signal:
    """The volume; an additional axis without a direction in space holds its channels.

    Raises UnreadableInput, MissingBackend.
    """
    nrrd = require("nrrd", "volumes", "reading NRRD files")
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = nrrd.read_header(file)
            wanted = _check_header(header, path, path.stat().st_size - file.tell())
            if header["encoding"] not in _NOT_PACKED:
                file, header["encoding"] = _unpacked(header, file, wanted), "raw"
            values = nrrd.read_data(header, file, str(path))
        with np.errstate(all="ignore"):
            directions, origin, notes = _placed(header)
        channel = _channel_axis(header, directions)
        if channel is not None:
            values = np.moveaxis(values, channel, -1)
            directions = np.delete(directions, channel, 0)
        if directions.shape != (3, 3) or not np.isfinite(directions).all():
            raise UnreadableInput(f"{path}: must have three axes in space, and perhaps channels")
        affine = np.eye(4)
        affine[:3, :3] = directions.T
        affine[:3, 3] = np.delete(origin, channel) if len(origin) == 4 and channel is not None else origin[:3]
        kept = {name: header[name] for name in _KEPT if name in header}
        if "units" in header and "space units" not in header:
            units = [unit for axis, unit in enumerate(header["units"]) if axis != channel]
            kept["space units"] = units[:3]
        if len(set(kept.get("space units", ()))) > 1:
            words = ", ".join(map(str, kept["space units"]))
            notes = [*notes, f"its axes have different units ({words}): lengths are kept"]
        return volume_of(path, values, affine, kept, [f"{path}: {note}" for note in notes])
    except SasnetError:
        raise
    except Exception as error:
        raise UnreadableInput(f"{path}: not a NRRD file that can be read ({reason_of(error)})") from error


def _check_header(header: dict[str, Any], path: Path, there: int) -> int:
    """The size of the samples in bytes, checked against the file. Raises UnreadableInput, ValueError."""
    if any(name in header for name in ("data file", "datafile")):
        raise UnreadableInput(f"{path}: its data lie in another file; save them in one")
    sizes = [int(n) for n in header["sizes"]]
    if min(sizes) < 1:
        raise UnreadableInput(f"{path}: has an axis of {min(sizes)} samples")
    kind = str(header["type"])
    if kind == "block":
        raise UnreadableInput(f"{path}: a volume must hold real numbers, found blocks of bytes")
    if not 0 <= _skipped(header, "line") <= _MOST_SKIPPED:
        raise ValueError(f"it skips {_skipped(header, 'line')} lines")
    if _skipped(header, "byte") not in (0, -1) and header["encoding"] not in _NOT_PACKED:
        raise ValueError("it skips bytes of packed data")
    wanted = math.prod(sizes) * _item_size(kind)
    check_claim(path, wanted)
    if header.get("encoding") == "raw" and wanted > there:
        raise UnreadableInput(f"{path}: cut short: holds {there} of its volume's {wanted} bytes")
    return wanted


def _unpacked(header: dict[str, Any], file: IO[bytes], wanted: int) -> BytesIO:
    """The samples of compressed data, and no more: pynrrd would decompress the whole stream."""
    for _ in range(_skipped(header, "line")):
        file.readline()
    kind, packed = header["encoding"], file.read()
    if kind in ("gzip", "gz"):
        data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, wanted + 1)
    elif kind in ("bzip2", "bz2"):
        data = bz2.BZ2Decompressor().decompress(packed, wanted + 1)
    else:
        raise ValueError(f"unknown encoding {kind}")
    if len(data) != wanted:
        raise ValueError(f"cut short, or too long, for its volume of {wanted} bytes")
    header["line skip"] = header["lineskip"] = 0
    return BytesIO(data)


def _skipped(header: dict[str, Any], what: str) -> int:
    """The lines or bytes to skip before the data."""
    return int(header.get(f"{what}skip", header.get(f"{what} skip", 0)))


def _item_size(kind: str) -> int:
    """Bytes per sample of a type such as `unsigned long long int`, `uint16_t` or `ushort`."""
    bits = "".join(letter for letter in kind if letter.isdigit())
    if bits:
        return int(bits) // 8
    for name in ("long", "short", "char", "double", "float", "int"):
        if name in kind:
            return _BYTES[name]
    raise ValueError(f"unknown type {kind}")


def _placed(header: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """The step in space (axes, 3) of each axis, NaN where it has none; the first sample's position, along
    the axes or in space; and notes."""
    given, origin = header.get("space directions"), header.get("space origin")
    if given is not None and any(row is not None and np.isfinite(row).any() for row in given):
        width = max(len(row) for row in given if row is not None)
        directions = np.array([np.full(width, np.nan) if row is None else row for row in given], np.float64)
        directions[~directions[:, :3].any(axis=1)] = np.nan  # the time axis of a space with time
        if origin is None or not np.isfinite(origin).all():
            origin = np.zeros(3)
        return directions[:, :3], np.array(origin[:3], np.float64), []
    steps, first, notes = _along_axes(header)
    count, kinds = int(header["dimension"]), header.get("kinds", [])
    no_space = [k for k, name in enumerate(kinds) if name not in ("domain", "space", "???", "none")]
    if count == 4 and not no_space:
        # the channel axis is the one without a step; else the first, if it has up to 4 samples, or the last
        shortest = 0 if int(header["sizes"][0]) <= 4 else 3
        no_space = [int(np.isnan(steps).argmax()) if np.isnan(steps).sum() == 1 else shortest]
    directions, axis = np.full((count, 3), np.nan), 0
    for k in range(count):
        if k not in no_space[:1] and axis < 3:
            directions[k] = 0
            directions[k, axis] = steps[k] if np.isfinite(steps[k]) else 1
            axis += 1
    if np.isfinite(steps).any():
        missing = [str(k + 1) for k in np.flatnonzero(np.isnan(steps)) if k not in no_space[:1]]
        notes += [f"has no spacing along axis {k}: taken as 1" for k in missing]
    return directions, first, notes


def _along_axes(header: dict[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str]]:
    """The step (axes,) between samples along each axis, NaN if not given; the position (axes,) of the first
    sample, 0 if not given; and notes.

    `axis mins` and `axis maxs` bound the sample positions of an axis with node centering, and otherwise the
    cells of the samples, as in the Teem library.
    """
    sizes, notes = np.array(header["sizes"], np.int64), []
    spacings, low, high, thick = (
        _numbers(header, name) for name in ("spacings", "axis mins", "axis maxs", "thicknesses")
    )
    words = header.get("centerings", str(header.get("centers", "")).split())
    node = np.array([word == "node" for word in [*words, *[""] * len(sizes)][: len(sizes)]])
    steps = np.where(spacings != 0, spacings, np.nan)
    between = (high - low) / np.where(node & (sizes > 1), sizes - 1, sizes)
    steps = np.where(np.isfinite(steps) | (between == 0), steps, between)
    for k in np.flatnonzero(~np.isfinite(steps) & (thick > 0)):
        steps[k] = thick[k]
        notes.append(f"has no spacing along axis {k + 1}: taken as its thickness {thick[k]:g}")
    steps[~np.isfinite(steps)] = np.nan
    first = np.where(node | np.isnan(steps), low, low + steps / 2)
    return steps, np.where(np.isfinite(first), first, 0), notes


def _numbers(header: dict[str, Any], name: str) -> NDArray[np.float64]:
    """The numbers (axes,) of a field, in either spelling; NaN where the field is missing."""
    count = int(header["dimension"])
    found = header.get(name, header.get(name.replace(" ", ""), np.full(count, np.nan)))
    if len(found) != count:
        raise ValueError(f"{len(found)} {name} for {count} axes")
    return np.array(found, np.float64)


def _channel_axis(header: dict[str, Any], directions: NDArray[np.float64]) -> int | None:
    without = np.flatnonzero(np.isnan(directions).any(1))
    return int(without[0]) if int(header["dimension"]) == 4 and len(without) == 1 else None


def write(path: Path, volume: Signal) -> None:
    """Write the values and the affine as they are, compressed with gzip. Raises UsageError."""
    values, affine, header = volume.values, volume.grid.affine, volume.header
    kind = _TYPES.get(values.dtype.str[1:])
    if kind is None:
        raise UsageError(f"NRRD holds no {values.dtype}; NPY and NPZ do")
    channels = values.shape[-1]
    steps = [_vector(column) for column in affine[:3, :3].T]
    sizes, kinds = list(map(str, values.shape[:3])), ["domain"] * 3
    if channels > 1:
        sizes, kinds, steps = [str(channels), *sizes], ["list", *kinds], ["none", *steps]
    space = header.get("space")
    lines = [
        "NRRD0004",
        f"type: {kind}",
        f"dimension: {len(sizes)}",
        f"space: {space}" if space else "space dimension: 3",
        f"sizes: {' '.join(sizes)}",
        f"space directions: {' '.join(steps)}",
        f"kinds: {' '.join(kinds)}",
        *(["endian: little"] if values.dtype.itemsize > 1 else []),
        "encoding: gzip",
        f"space origin: {_vector(affine[:3, 3])}",
    ]
    if "space units" in header:
        lines.append("space units: " + " ".join(f'"{unit}"' for unit in header["space units"]))
    lines += [f"{field}: {header[field]}" for field in ("content", "sample units") if field in header]
    flat = values[..., 0] if channels == 1 else np.moveaxis(values, -1, 0)
    little = flat.astype(flat.dtype.newbyteorder("<"), copy=False)
    with path.open("wb") as file:
        file.write(("\n".join(lines) + "\n\n").encode("ascii", "replace"))
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            for layer in np.moveaxis(little, -1, 0):
                packed.write(layer.tobytes("F"))


def _vector(numbers: Any) -> str:
    return "(" + ",".join(repr(float(number)) for number in numbers) + ")"
