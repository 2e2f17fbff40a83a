"""Merging several files and clouds into one cloud, and filtering its points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..config import InputConfig
from ..errors import UnusableGeometry, UsageError
from ..geometry import PointCloud, TriangleMesh
from .columns import Columns, Scan, finite, joined, positions, rows_in, taken
from .files import readable
from .thinning import numbered, thin_together, thinned

_NOISE = (7, 18)
"""The ASPRS classes of low and high noise."""


class Filter:
    """Keeps the wanted points of one or several clouds, piece by piece, and counts the others.

    Points that are marked as withheld are never kept. In clouds with LAS's columns, points of LAS's noise
    classes are kept only where these classes were asked for.
    """

    def __init__(self, wanted: InputConfig):
        self._classes = wanted.classes
        self._box = None if wanted.crop is None else np.sort(np.reshape(wanted.crop, (2, 3)), axis=0)
        self._low, self._high = np.full(3, np.inf), np.full(3, -np.inf)
        self._there: set[int] = set()
        self._seen = self._inside = self._valid = self._kept = 0

    def pieces(self, pieces: Iterable[Columns], path: Path) -> Iterator[Columns]:
        """The wanted rows of pieces; pieces without any are left out."""
        for piece in pieces:
            keep = self._mask(piece, path)
            if keep.all():
                yield piece
            elif keep.any():
                yield taken(piece, keep)

    def cloud(self, cloud: PointCloud, path: Path) -> PointCloud:
        """The wanted points of a cloud; the cloud itself where all points are wanted."""
        keep = self._mask({**cloud.scalars, **dict(zip("xyz", cloud.points.T, strict=True))}, path)
        return cloud if keep.all() else cloud.select(keep)

    def notes(self) -> list[str]:
        """A sentence about each filter that was asked for and each kind of point left out."""
        found = []
        if self._box is not None:
            found.append(f"{self._inside} of {self._seen} points are inside the crop and were kept")
        if self._valid < self._inside:
            found.append(f"{self._inside - self._valid} points are marked as withheld and were left out")
        if self._classes is not None:
            found.append(f"{self._kept} of {self._valid} points have the {self._named()} and were kept")
        elif self._kept < self._valid:
            found.append(
                f"{self._valid - self._kept} points are noise (class 7 or 18) and were left out;"
                " choose classes to keep them"
            )
        return found

    def check(self, name: str) -> None:
        """Raise UnusableGeometry where there were points but none was kept. name: of the input."""
        if self._kept or not self._seen:
            return
        if self._box is not None and not self._inside:
            lie = f"they lie from {_shown(self._low)} to {_shown(self._high)}"
            raise UnusableGeometry(f"{name}: none of its {self._seen} points is inside the crop; {lie}")
        where = "" if self._box is None else " inside the crop"
        if self._classes is not None and self._there:
            there = ", ".join(map(str, sorted(self._there)))
            raise UnusableGeometry(f"{name}: no point{where} has the {self._named()}; there are: {there}")
        raise UnusableGeometry(f"{name}: all its {self._inside} points{where} are withheld or noise")

    def _mask(self, piece: Columns, path: Path) -> NDArray[np.bool_]:
        keep = np.ones(rows_in(piece), np.bool_)
        self._seen += len(keep)
        if self._box is not None:
            points = positions(piece, path)
            keep = np.asarray(((points >= self._box[0]) & (points <= self._box[1])).all(axis=1))
            there = points[finite(points)]
            self._low = np.minimum(self._low, there.min(axis=0, initial=np.inf))
            self._high = np.maximum(self._high, there.max(axis=0, initial=-np.inf))
        self._inside += int(keep.sum())
        classes, withheld = _column(piece, "classification"), _column(piece, "withheld")
        if withheld is not None:
            keep &= withheld == 0
        self._valid += int(keep.sum())
        if self._classes is not None:
            if classes is None:
                found = ", ".join(piece)
                raise UsageError(f"{path}: has no column classification to choose by (found: {found})")
            self._there.update(int(code) for code in np.unique(classes[keep]) if np.isfinite(code))
            keep &= np.isin(classes, self._classes)
        elif classes is not None and withheld is not None:
            keep &= ~np.isin(classes, _NOISE)
        self._kept += int(keep.sum())
        return keep

    def _named(self) -> str:
        classes = self._classes or ()
        return f"class{'es'[: 2 * (len(classes) > 1)]} {', '.join(map(str, classes))}"


def _column(piece: Columns, name: str) -> NDArray[Any] | None:
    """The column of that name, ignoring case and CloudCompare's prefix `scalar_`."""
    own = next((n for n in piece if n.lower().removeprefix("scalar_") == name), None)
    return None if own is None else piece[own]


def _shown(corner: NDArray[Any]) -> str:
    return ",".join(f"{value:.10g}" for value in corner)


_ATTRIBUTES = ("normals", "colors", "sensors")

Found = PointCloud | TriangleMesh | Scan


def merged(
    found: Sequence[tuple[Found, Path]], max_points: int | None, wanted: InputConfig | None
) -> PointCloud | TriangleMesh:
    """The wanted points of all inputs, at most `max_points` in total; a mesh where it is the only input.

    found: the inputs, with the paths for messages. Raises UsageError where a mesh is among several inputs or
    is to be filtered, UnusableGeometry where no point is wanted, and whatever reading the pieces raises.
    """
    for part, path in found:
        if isinstance(part, TriangleMesh):
            return _alone(part, path, len(found), wanted)
    chosen = None if wanted is None else Filter(wanted)
    first, path = found[0]
    if len(found) == 1 and isinstance(first, PointCloud):
        return _in_memory(first, path, max_points, chosen)
    parts = [_part(part, path, chosen) for part, path in found]
    notes: list[str] = []
    if max_points is None:
        columns = [joined(part.pieces, part.notes) for part in parts]
    else:
        columns = thin_together([part[:3] for part in parts], max_points, notes)
    if chosen:
        chosen.check(", ".join(str(part.path) for part in parts))
        notes = [*chosen.notes(), *notes]
    some = [k for k, of_part in enumerate(columns) if rows_in(of_part)] or [0]
    cloud = joined_clouds([(parts[k].cloud(columns[k]), parts[k].path.name) for k in some])
    return replace(cloud, notes=(*cloud.notes, *notes))


class _Part(NamedTuple):
    """pieces: the wanted points. notes: on this part only. cloud: makes a cloud of the columns kept."""

    pieces: Iterable[Columns]
    path: Path
    notes: list[str]
    cloud: Callable[[Columns], PointCloud]


def _part(found: Found, path: Path, chosen: Filter | None) -> _Part:
    if isinstance(found, Scan):
        pieces = drawn(found.pieces, path)
        if chosen:
            pieces = chosen.pieces(pieces, path)
        return _Part(pieces, path, found.notes, partial(found.cloud, path=path))
    assert isinstance(found, PointCloud)
    cloud = chosen.cloud(found, path) if chosen else found
    return _Part(numbered(cloud.points), path, [], lambda columns: cloud.select(columns["row"]))


def drawn(pieces: Iterable[Columns], path: Path) -> Iterator[Columns]:
    """The pieces; errors of the system in reading them become UnreadableInput."""
    with readable(path):
        yield from pieces


def _alone(mesh: TriangleMesh, path: Path, count: int, wanted: InputConfig | None) -> TriangleMesh:
    if count > 1:
        raise UsageError(f"{path}: is a mesh; only point clouds can be merged")
    if wanted and (wanted.classes is not None or wanted.crop is not None):
        word = "crop" if wanted.crop is not None else "classes"
        raise UsageError(f"{path}: is a mesh; {word} chooses points of point clouds only")
    return mesh


def _in_memory(cloud: PointCloud, path: Path, max_points: int | None, chosen: Filter | None) -> PointCloud:
    """A part for a cloud in memory, which is not copied where all its points are kept."""
    if chosen:
        cloud = chosen.cloud(cloud, path)
        chosen.check(str(path))
        cloud = replace(cloud, notes=(*cloud.notes, *chosen.notes()))
    return cloud if max_points is None else thinned(cloud, max_points)


def joined_clouds(parts: Sequence[tuple[PointCloud, str]]) -> PointCloud:
    """The clouds concatenated, with the attributes that all have; each note has its cloud's name."""
    clouds = [cloud for cloud, _ in parts]
    if len(clouds) == 1:
        return clouds[0]
    columns = [{**{name: getattr(cloud, name) for name in _ATTRIBUTES}, **cloud.scalars} for cloud in clouds]
    columns = [{name: values for name, values in part.items() if values is not None} for part in columns]
    notes = [note for note in clouds[0].notes if all(note in cloud.notes for cloud in clouds)]
    notes += [f"{name}: {note}" for cloud, name in parts for note in cloud.notes if note not in notes]
    everywhere = [name for name in columns[0] if all(name in part for part in columns)]
    elsewhere = dict.fromkeys(name for part in columns for name in part if name not in everywhere)
    if elsewhere:
        notes.append(f"only some of the inputs have {', '.join(elsewhere)}: left out")
    whole = {name: np.concatenate([part[name] for part in columns]) for name in everywhere}
    attributes = {name: whole.pop(name) for name in _ATTRIBUTES if name in whole}
    points = np.concatenate([cloud.points for cloud in clouds])
    geographic = any(cloud.geographic for cloud in clouds)
    return PointCloud(points, **attributes, scalars=whole, notes=tuple(notes), geographic=geographic)
