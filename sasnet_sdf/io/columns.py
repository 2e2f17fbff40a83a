"""From columns of numbers, named or not, to a point cloud: the one rule for every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import PointCloud

POSITION, NORMAL = ("x", "y", "z"), ("nx", "ny", "nz")
COLOR, SENSOR = ("red", "green", "blue"), ("vx", "vy", "vz")
_KNOWN = {*POSITION, *NORMAL, *COLOR, *SENSOR}
_ALIASES = {
    **{f"normal{joint}{axis}": f"n{axis}" for joint in ("_", "") for axis in "xyz"},
    **{f"diffuse_{color}": color for color in COLOR},
    **{color[0]: color for color in COLOR},
}


def canonical(name: str) -> str:
    """The name under which this room knows a column, whatever its case or alias."""
    name = name.strip().strip('"').lower()
    return _ALIASES.get(name, name)


def names_in(words: Sequence[str]) -> list[str] | None:
    """The columns that a header line names, or None where it names no coordinates."""
    names = [canonical(word) for word in words]
    return names if set(POSITION) <= set(names) else None


def cloud_from(columns: Mapping[str, NDArray], path: Path) -> PointCloud:
    """A point cloud from columns (N,) under their canonical names; unknown ones are left.

    Raises UnreadableInput where x, y or z is missing.
    """
    if not set(POSITION) <= set(columns):
        found = ", ".join(columns) or "none"
        raise UnreadableInput(f"{path}: has no columns x, y and z (found: {found})")

    def stacked(names: tuple[str, ...]) -> NDArray | None:
        if not set(names) <= set(columns):
            return None
        return np.stack([np.asarray(columns[name]) for name in names], axis=1)

    points, normals, colors, sensors = map(stacked, (POSITION, NORMAL, COLOR, SENSOR))
    assert points is not None
    return PointCloud(
        points.astype(np.float64),
        None if normals is None else normals.astype(np.float64),
        None if colors is None else as_colors(colors),
        None if sensors is None else sensors.astype(np.float64),
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
