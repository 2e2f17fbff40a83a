"""From columns of numbers, named or not, to a point cloud: the one rule for every format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array, PointCloud

Columns = dict[str, NDArray]
"""Numbers (N,) by the file's own names."""

POSITION, NORMAL = ("x", "y", "z"), ("nx", "ny", "nz")
COLOR, SENSOR = ("red", "green", "blue"), ("vx", "vy", "vz")
_GROUPS = (POSITION, NORMAL, COLOR, SENSOR)
_ALIASES = {
    **{f"normal{joint}{axis}": f"n{axis}" for joint in ("_", "") for axis in "xyz"},
    **{f"vp_{axis}": f"v{axis}" for axis in "xyz"},
    **{f"diffuse_{color}": color for color in COLOR},
    **{color[0]: color for color in COLOR},
}


def canonical(name: str) -> str:
    """The name under which this room knows a column, whatever its case or alias."""
    name = name.strip().strip('"').lower()
    return _ALIASES.get(name, name)


def names_in(words: Sequence[str]) -> list[str] | None:
    """The columns that a header line names, or None where it names no coordinates."""
    known = {canonical(word) for word in words}
    return [word.strip().strip('"') for word in words] if set(POSITION) <= known else None


def _roles(names: Iterable[str], path: Path) -> dict[tuple[str, ...], list[str]]:
    """The file's own names of each group that is whole; UnreadableInput where the position is not."""
    own: dict[str, str] = {}
    for name in names:
        known = canonical(name)
        if known not in own or name == known:
            own[known] = name
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
    roles = _roles(columns, path)

    def stacked(group: tuple[str, ...]) -> NDArray | None:
        return np.stack([columns[name] for name in roles[group]], axis=1) if group in roles else None

    def reals(group: tuple[str, ...]) -> Array | None:
        values = stacked(group)
        return None if values is None else values.astype(np.float64, copy=False)

    taken = {name for names in roles.values() for name in names}
    colors = stacked(COLOR)
    return PointCloud(
        positions(columns, path),
        reals(NORMAL),
        None if colors is None else as_colors(colors),
        reals(SENSOR),
        {n: v for n, v in columns.items() if n not in taken and v.ndim == 1 and v.dtype.kind in "fiu"},
        tuple(notes),
    )


def as_colors(values: NDArray) -> NDArray[np.uint8]:
    """Colours (N, 3) as uint8 from bytes, from 16-bit numbers, or from reals of 0..1 or 0..255."""
    if values.dtype == np.uint8:
        return values
    reals = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    largest = reals.max(initial=0.0)
    if values.dtype.kind == "f" and largest <= 1:
        reals = reals * 255
    elif largest > 255:
        reals = reals / 257
    return np.rint(reals.clip(0, 255)).astype(np.uint8)


def unnamed(table: NDArray) -> Columns:
    """The columns of a table (N, C) without names: x y z, and the others by their number."""
    keys = [*POSITION, *(str(k + 1) for k in range(3, table.shape[1]))]
    return {
        key: np.array(column, column.dtype.newbyteorder("="))
        for key, column in zip(keys, table.T, strict=False)
    }


def named(columns: Columns, path: Path) -> Columns:
    """The same columns, now that all their values are there to tell what they are."""
    names = unnamed_columns(np.stack(list(columns.values()), axis=1), path)
    return dict(zip(names, columns.values(), strict=True))


def unnamed_columns(table: NDArray, path: Path) -> list[str]:
    """What the columns of a table (N, C) are, by their number and, where that leaves a choice, values.

    3: x y z. 4: and an intensity. 6: and a normal, or a colour where they are whole numbers 0..255.
    7: x y z intensity r g b (PTS), or x y z r g b alpha, or x y z and a normal and a number.
    9: a normal and a colour in either order. Raises UnreadableInput for anything else.
    """
    count = table.shape[1]
    if count in (3, 4):
        return [*POSITION, "intensity"][:count]
    if count == 6:
        return [*POSITION, *(COLOR if _are_colors(table[:, 3:6]) else NORMAL)]
    if count == 7:
        if not _are_colors(table[:, 3:6]) and not _are_colors(table[:, 4:7]):
            return [*POSITION, *NORMAL, "intensity"]
        if _are_colors(table[:, 3:6]) and np.all(table[:, 6] == table[:1, 6]):
            return [*POSITION, *COLOR, "alpha"]
        return [*POSITION, "intensity", *COLOR]
    if count == 9 and _are_colors(table[:, 3:6]):
        return [*POSITION, *COLOR, *NORMAL]
    if count == 9 and (_are_colors(table[:, 6:9]) or _are_shares(table[:, 6:9])):
        return [*POSITION, *NORMAL, *COLOR]
    raise UnreadableInput(
        f"{path}: what its {count} columns mean cannot be told; name them in a first line such as"
        " 'x y z nx ny nz red green blue'"
    )


def _are_colors(values: NDArray) -> bool:
    """Whole numbers 0..255 that are not normals along the axes."""
    values = values[np.isfinite(values).all(axis=1)]
    whole = bool(np.all((values >= 0) & (values <= 255) & (values == np.rint(values))))
    return whole and not np.all((values**2).sum(axis=1) == 1)


def _are_shares(values: NDArray) -> bool:
    values = values[np.isfinite(values).all(axis=1)]
    return bool(np.all((values >= 0) & (values <= 1)))
