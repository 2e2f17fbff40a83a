"""Columns of numbers, in pieces as they come from a file, and the point cloud that they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array, PointCloud
from ..runtime.progress import tick

Columns = dict[str, NDArray[Any]]
"""Numbers (N,) under the names that the file has for them."""


def is_packed(name: str) -> bool:
    """Whether a column of that name holds packed colors."""
    return name.lower() in ("rgb", "rgba")


def unpacked(columns: Mapping[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """The columns with red, green and blue for a column rgb or rgba, and a note on colors that are not there.

    A column of numbers of one byte is none of colors. An opaque color is NaN as a float: a text that
    says so has lost it.
    """
    columns = dict(columns)
    name = next(filter(is_packed, columns), None)
    if name is None or columns[name].ndim != 1 or columns[name].dtype.itemsize < 4:
        return columns, []
    packed = columns[name]
    # of float32 the bits are there; float64 are numbers from a text
    lost = int(np.isnan(packed).sum()) if packed.dtype == np.float64 else 0
    notes = [f"{lost} of {len(packed)} colors are written as nan and were lost"] if lost else []
    bits = _bits(packed)
    if lost < len(packed) and (bits & 0xFFFFFF < 256).all() and bits.any():
        return columns, []
    del columns[name]
    if lost == len(packed):
        return columns, notes
    channels = (("red", 16), ("green", 8), ("blue", 0))
    return columns | {name: (bits >> shift).astype(np.uint8) for name, shift in channels}, notes


def _bits(packed: NDArray[Any]) -> NDArray[np.uint32]:
    """The four bytes of integers, of floats that are whole numbers, or of the floats that they make up."""
    if packed.dtype.kind != "f":
        return packed.astype(np.uint32)
    whole = (packed == np.rint(packed)) & (np.abs(packed) >= 1) & (np.abs(packed) < 2**32)
    bits = np.nan_to_num(packed, nan=0.0) if packed.dtype == np.float64 else packed
    bits = bits.astype(np.float32).view(np.uint32)
    bits[whole] = packed[whole].astype(np.int64).astype(np.uint32)
    return bits


POSITION, NORMAL = ("x", "y", "z"), ("nx", "ny", "nz")
COLOR, SENSOR = ("red", "green", "blue"), ("vx", "vy", "vz")
FIELD = (*POSITION, "distance", "gx", "gy", "gz")
"""A table of signed distances and their gradients at points."""

_SPLAT = ("f_dc_0", "f_dc_1", "f_dc_2")
_GROUPS = (POSITION, NORMAL, COLOR, SENSOR, _SPLAT)
_STEMS = {
    POSITION: ("point", "points", "pointsxyz", "pointsmxyz", "xyz", "pos", "position")
    + ("coord", "coords", "coordinate", "coordinates"),
    NORMAL: ("n", "norm", "normal", "normals"),
    COLOR: ("color", "colors", "colour", "colours", "col", "diffuse", "rgb", "rgba"),
}
"""What other programs write before or after the axis, or, in ParaView, before the number of the axis."""

_SPECIAL = {f"vp_{axis}": f"v{axis}" for axis in "xyz"} | {name: name for name in (*SENSOR, *_SPLAT)}
_SPECIAL |= dict.fromkeys(("easting", "east", "e"), "x") | dict.fromkeys(("northing", "north", "n"), "y")
_SPECIAL |= dict.fromkeys(("elevation", "altitude", "height", "elev", "h"), "z")
_UNIT = re.compile(r"\s*[\[(][^\])]*[\])]$|(?:\s*/\s*|_)(?:mm|cm|m|km|ft)$")
"""A unit after a name: in brackets, or as in `x_m` and `X /m`."""

_SH_0 = 0.28209479177387814
"""The constant spherical harmonic, whose coefficients are the colors of 3D Gaussian splats."""


def _known_names() -> dict[str, str]:
    """The names of positions, normals and colors without joints, in lower case, and what they are here."""
    known = {name: name for name in (*POSITION, *NORMAL, *COLOR)}
    for group, stems in _STEMS.items():
        for name, axis, index in zip(group, COLOR if group is COLOR else POSITION, "012", strict=True):
            for stem in stems:
                ends = {axis, axis[0]}
                known |= {f"{stem}{end}": name for end in (*ends, index)}
                known |= {f"{end}{stem}": name for end in ends}
    for color in COLOR:
        short = color[0]
        known |= {f"{start}{end}": color for start in (color, short) for end in ("", "f", "255", "8", "16")}
    return known


_KNOWN = _known_names()


def canonical(name: str) -> str:
    """The name under which this package knows a column, whatever its case, alias, unit or quotes."""
    name = _UNIT.sub("", name.strip("#/\"' \t").lower())
    return _SPECIAL.get(name) or _KNOWN.get(re.sub(r"[\s._:-]", "", name), name)


def is_known(name: str) -> bool:
    """Whether a name is that of a position, a normal, a color or a sensor."""
    return any(canonical(name) in group for group in _GROUPS)


def _roles(names: Iterable[str], path: Path) -> dict[tuple[str, ...], list[str]]:
    """The file's own names of each group that is whole; UnreadableInput where the position is not."""
    own: dict[str, str] = {}
    # an alias gives way to the name itself
    for name in sorted(names, key=lambda name: (name != canonical(name), name.lower() != canonical(name))):
        own.setdefault(canonical(name), name)
    if not set(POSITION) <= set(own):
        found = ", ".join(names) or "none"
        raise UnreadableInput(f"{path}: has no columns x, y and z (found: {found})")
    return {group: [own[name] for name in group] for group in _GROUPS if set(group) <= set(own)}


def positions(columns: Columns, path: Path) -> Array:
    """The points (N, 3) float64 of columns under the file's own names. Raises UnreadableInput."""
    names = _roles(columns, path)[POSITION]
    return np.stack([np.asarray(columns[name], np.float64) for name in names], axis=1)


def finite(values: Array) -> NDArray[np.bool_]:
    """Which rows of (N, 3) are finite."""
    return np.asarray(np.isfinite(values).all(axis=1))


def cloud_from(columns: Columns, path: Path, notes: Sequence[str] = ()) -> PointCloud:
    """A point cloud from columns (N,) under the file's own names; those of no known group are scalars.

    Raises UnreadableInput where x, y or z is missing.
    """
    if not columns:
        raise UnreadableInput(f"{path}: holds no points")
    columns, lost = unpacked(columns)
    roles = _roles(columns, path)

    def stacked(group: tuple[str, ...]) -> NDArray[Any] | None:
        return np.stack([columns[name] for name in roles[group]], axis=1) if group in roles else None

    def reals(group: tuple[str, ...]) -> Array | None:
        values = stacked(group)
        return None if values is None else values.astype(np.float64, copy=False)

    colors = stacked(COLOR)
    if colors is not None:
        roles.pop(_SPLAT, None)
    elif (coefficients := reals(_SPLAT)) is not None:
        colors = (0.5 + _SH_0 * coefficients).clip(0, 1)
    taken = {name for names in roles.values() for name in names}
    return PointCloud(
        positions(columns, path),
        reals(NORMAL),
        None if colors is None else as_colors(colors),
        reals(SENSOR),
        {n: v for n, v in columns.items() if n not in taken and v.ndim == 1 and v.dtype.kind in "fiu"},
        (*notes, *lost),
    )


def as_colors(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Colors (N, 3) as uint8 from bytes, from 16-bit numbers, or from reals of 0..1 or 0..255.

    Fractions are shares of 1 where 99 in 100 are below 2, and whole numbers 16-bit where one is above
    twice 255: lamps and splats are brighter than the brightest color, which does not change the scale.
    """
    if values.dtype == np.uint8:
        return values
    reals = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    largest = reals.max(initial=0.0)
    if values.dtype.kind == "f" and (largest <= 1 or _are_shares(reals)):
        reals = reals * 255
    elif largest > 2 * 255:
        reals = reals / 257
    return np.rint(reals.clip(0, 255)).astype(np.uint8)


def _are_shares(values: NDArray[Any]) -> bool:
    return bool(np.any(values != np.rint(values)) and np.quantile(values, 0.99) < 2)


PIECE = 1 << 18
"""The most rows of a piece."""


@dataclass
class Scan:
    """The points of a file that is read piece by piece.

    pieces: columns under the file's own names, at most PIECE rows each, read when they are drawn;
    they may raise UnreadableInput. notes: sentences for the user, complete once all are drawn.
    named: the columns under their names, for what only all values can say.
    geographic: whether x and y are longitude and latitude; like notes, known once all pieces are drawn.
    """

    pieces: Iterable[Columns]
    notes: list[str] = field(default_factory=list)
    named: Callable[[Columns], Columns] = lambda columns: columns
    geographic: bool = False

    def cloud(self, columns: Columns, path: Path) -> PointCloud:
        """The cloud of columns that were kept of the pieces. Raises UnreadableInput."""
        cloud = cloud_from(self.named(columns), path, self.notes)
        return replace(cloud, geographic=self.geographic)


def records(path: Path, kind: np.dtype, offset: int, count: int) -> Iterator[NDArray[Any]]:
    """Arrays of at most PIECE of the `count` records that the file holds from `offset` on."""
    with path.open("rb") as file:
        file.seek(offset)
        for start in range(0, max(count, 1), PIECE):
            tick(start / max(count, 1))
            yield np.fromfile(file, kind, min(PIECE, count - start))


def columns_of(rows: NDArray[Any]) -> Columns:
    """The fields of a structured array (N,) that are numbers, each (N,) on its own."""
    names = rows.dtype.names or ()
    return {name: numbers(rows[name]) for name in names if is_numeric(rows[name])}


def numbers(values: NDArray[Any]) -> NDArray[Any]:
    """A copy in this machine's byte order, which keeps no larger array alive."""
    return np.array(values, values.dtype.newbyteorder("="))


def is_numeric(values: NDArray[Any]) -> bool:
    return values.ndim == 1 and values.dtype.kind in "fiu"


def rows_in(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))


def taken(columns: Columns, keep: NDArray[Any] | slice) -> Columns:
    """The rows that a boolean mask, an index array or a slice keeps."""
    return {name: values[keep] for name, values in columns.items()}


def joined(pieces: Iterable[Columns], notes: list[str]) -> Columns:
    """Join the pieces; columns that only some of them have are left out, with a note."""
    parts = []
    for piece in pieces:
        tick()
        parts.append(piece)
    if len(parts) < 2:
        return parts[0] if parts else {}
    everywhere = [name for name in parts[0] if all(name in part for part in parts)]
    elsewhere = dict.fromkeys(name for part in parts for name in part if name not in everywhere)
    if elsewhere:
        notes.append(f"only some of its scans have {', '.join(elsewhere)}: left out")
    # taken out of the parts one by one, so that no more than a column is there twice
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in everywhere}


def empty_rows(missing: int, total: int) -> list[str]:
    """The note about rows of a depth image or a scanner's raster that saw nothing."""
    return [f"{missing} of {total} rows hold no measurement and were left out"] if missing else []
