"""Columns of numbers, read from a file piece by piece, and the point cloud made from them."""

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
from .colors import as_colors, brightest, lost_in, packed_in, split_packed

Columns = dict[str, NDArray[Any]]
"""Numbers (N,) by the column names of the file."""


def _notes_on_packed(columns: Columns, name: str | None) -> list[str]:
    """A note on the colors of a packed column that are lost."""
    lost = 0 if name is None else lost_in(columns[name])
    return [f"{lost} of {rows_in(columns)} colors are written as nan and were lost"] if lost else []


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
"""What other programs write before or after the letter of the axis, or (ParaView) before its number."""

_SPECIAL = {f"vp_{axis}": f"v{axis}" for axis in "xyz"} | {name: name for name in (*SENSOR, *_SPLAT)}
_SPECIAL |= dict.fromkeys(("easting", "east", "e"), "x") | dict.fromkeys(("northing", "north", "n"), "y")
_SPECIAL |= dict.fromkeys(("elevation", "altitude", "height", "elev", "h"), "z")
_UNIT = re.compile(r"\s*[\[(][^\])]*[\])]$|(?:\s*/\s*|_)(?:mm|cm|m|km|ft)$")
"""A unit after a name: in brackets, or as in `x_m` and `X /m`."""

_SH_0 = 0.28209479177387814
"""The constant spherical harmonic; its coefficients are the base colors of 3D Gaussian splats."""


def _known_names() -> dict[str, str]:
    """Known names of positions, normals and colors, in lower case without separators -> canonical names."""
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
    """The file's own names for each complete group. Raises UnreadableInput where x, y or z is missing."""
    own: dict[str, str] = {}
    # an exact name takes precedence over an alias
    for name in sorted(names, key=lambda name: (name != canonical(name), name.lower() != canonical(name))):
        own.setdefault(canonical(name), name)
    if not set(POSITION) <= set(own):
        found = ", ".join(names) or "none"
        raise UnreadableInput(f"{path}: has no columns x, y and z (found: {found})")
    return {group: [own[name] for name in group] for group in _GROUPS if set(group) <= set(own)}


def positions(columns: Columns, path: Path) -> Array:
    """The points (N, 3) float64 from columns under the file's own names. Raises UnreadableInput."""
    names = _roles(columns, path)[POSITION]
    return np.stack([np.asarray(columns[name], np.float64) for name in names], axis=1)


def finite(values: Array) -> NDArray[np.bool_]:
    """Which rows of (N, 3) are finite."""
    return np.asarray(np.isfinite(values).all(axis=1))


@dataclass(frozen=True)
class Meaning:
    """What the columns of a cloud are, where only all the values together determine it.

    packed: the column of packed colors, or None. lost: whether all of these are lost. roles: the names of
    the columns of each complete group. brightest: of a color's channel, as `brightest` finds it.
    """

    packed: str | None
    lost: bool
    roles: Mapping[tuple[str, ...], list[str]]
    brightest: int

    @classmethod
    def of(cls, columns: Columns, path: Path) -> Meaning:
        """The meaning of columns (N,). Raises UnreadableInput where x, y or z is missing."""
        if not columns:
            raise UnreadableInput(f"{path}: holds no points")
        packed, lost = packed_in(columns)
        if packed is not None:
            columns = split_packed(columns, packed, lost)
        roles = _roles(columns, path)
        if COLOR not in roles:
            return cls(packed, lost, roles, 1)
        roles.pop(_SPLAT, None)
        return cls(packed, lost, roles, brightest(np.stack([columns[n] for n in roles[COLOR]], axis=1)))

    def cloud(self, columns: Columns, notes: Sequence[str] = ()) -> PointCloud:
        """The cloud of columns, or of some of their rows; columns in no known group become scalars."""
        if self.packed is not None:
            columns = split_packed(columns, self.packed, self.lost)

        def stacked(group: tuple[str, ...]) -> NDArray[Any] | None:
            names = self.roles.get(group)
            return None if names is None else np.stack([columns[name] for name in names], axis=1)

        def reals(group: tuple[str, ...]) -> Array | None:
            values = stacked(group)
            return None if values is None else values.astype(np.float64, copy=False)

        colors = stacked(COLOR)
        if (coefficients := reals(_SPLAT)) is not None:
            colors = (0.5 + _SH_0 * coefficients).clip(0, 1)
        used = {name for names in self.roles.values() for name in names}
        return PointCloud(
            np.stack([np.asarray(columns[name], np.float64) for name in self.roles[POSITION]], axis=1),
            reals(NORMAL),
            None if colors is None else as_colors(colors, self.brightest),
            reals(SENSOR),
            {n: v for n, v in columns.items() if n not in used and is_numeric(v)},
            tuple(notes),
        )


def cloud_from(columns: Columns, path: Path, notes: Sequence[str] = ()) -> PointCloud:
    """A point cloud from columns (N,) under the file's own names; columns in no known group become scalars.

    Raises UnreadableInput where x, y or z is missing.
    """
    meaning = Meaning.of(columns, path)
    return meaning.cloud(columns, (*notes, *_notes_on_packed(columns, meaning.packed)))


PIECE = 1 << 18
"""The largest number of rows in a piece."""


@dataclass
class Scan:
    """The points of a file that is read piece by piece.

    pieces: an iterator that reads columns under the file's own names, at most PIECE rows at a time; it may
    raise UnreadableInput. notes: sentences for the user, complete once the iterator is exhausted.
    named: renames or drops columns where only all the values together determine what they are.
    geographic: whether x and y are longitude and latitude; like notes, known once pieces is exhausted.
    """

    pieces: Iterable[Columns]
    notes: list[str] = field(default_factory=list)
    named: Callable[[Columns], Columns] = lambda columns: columns
    geographic: bool = False

    def cloud(self, columns: Columns, path: Path) -> PointCloud:
        """The cloud made from the columns that were kept. Raises UnreadableInput."""
        return self.settled(columns, path)(columns)

    def settled(self, columns: Columns, path: Path) -> Callable[[Columns], PointCloud]:
        """The function that makes clouds of pieces, whose meaning is that of the columns given here.

        So the pieces of a file that is never in memory as a whole are read alike. Raises UnreadableInput; so
        does the function where a piece lacks one of the columns.
        """
        named = self.named(columns)
        meaning = Meaning.of(named, path)
        notes = (*self.notes, *_notes_on_packed(named, meaning.packed))
        own = {id(values): name for name, values in columns.items()}
        names = {name: own[id(values)] for name, values in named.items()}

        def cloud(piece: Columns) -> PointCloud:
            if lacking := [name for name in names.values() if name not in piece]:
                raise UnreadableInput(f"{path}: changed while it was read: has no column {lacking[0]} now")
            found = meaning.cloud({name: piece[own] for name, own in names.items()}, notes)
            return replace(found, geographic=self.geographic)

        return cloud


def records(path: Path, kind: np.dtype, offset: int, count: int) -> Iterator[NDArray[Any]]:
    """The `count` records that start at `offset` in the file, in arrays of at most PIECE records."""
    with path.open("rb") as file:
        file.seek(offset)
        for start in range(0, max(count, 1), PIECE):
            tick(start / max(count, 1))
            yield np.fromfile(file, kind, min(PIECE, count - start))


def columns_of(rows: NDArray[Any]) -> Columns:
    """The numeric fields of a structured array (N,), each as an array (N,)."""
    names = rows.dtype.names or ()
    return {name: numbers(rows[name]) for name in names if is_numeric(rows[name])}


def numbers(values: NDArray[Any]) -> NDArray[Any]:
    """A copy in native byte order that keeps no reference to a larger array."""
    return np.array(values, values.dtype.newbyteorder("="))


def is_numeric(values: NDArray[Any]) -> bool:
    return values.ndim == 1 and values.dtype.kind in "fiu"


def rows_in(columns: Columns) -> int:
    return len(next(iter(columns.values()), ()))


def taken(columns: Columns, keep: NDArray[Any] | slice) -> Columns:
    """The rows that a boolean mask, an index array or a slice keeps."""
    return {name: values[keep] for name, values in columns.items()}


def joined(pieces: Iterable[Columns], notes: list[str]) -> Columns:
    """Join the pieces; columns that only some pieces have are left out, with a note."""
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
    # columns are removed from the parts one by one, so that at most one column is in memory twice
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in everywhere}


def empty_rows(missing: int, total: int) -> list[str]:
    """The note about rows of a depth image or a scanner's raster that have no measurement."""
    return [f"{missing} of {total} rows hold no measurement and were left out"] if missing else []
