"""One cloud of what several files and clouds hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..config import InputConfig
from ..errors import UsageError
from ..geometry import PointCloud, TriangleMesh
from .columns import Columns
from .filters import Filter
from .reading import readable
from .scan import Scan, joined, rows_in
from .thinning import numbered, thin_together, thinned

_ATTRIBUTES = ("normals", "colors", "sensors")

Found = PointCloud | TriangleMesh | Scan


def merged(
    found: Sequence[tuple[Found, Path]], max_points: int | None, wanted: InputConfig | None
) -> PointCloud | TriangleMesh:
    """The wanted points of all, at most `max_points` of them together; a mesh where it is alone.

    found: with the paths that messages name. Raises UsageError where a mesh is among several or has
    points to be chosen, UnusableGeometry where no point is wanted, and what drawing the pieces raises.
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
    cloud = _joined([(parts[k].cloud(columns[k]), parts[k].path.name) for k in some])
    return replace(cloud, notes=(*cloud.notes, *notes))


class _Part(NamedTuple):
    """pieces: of the wanted points. notes: on this part alone. cloud: of the columns that were kept."""

    pieces: Iterable[Columns]
    path: Path
    notes: list[str]
    cloud: Callable[[Columns], PointCloud]


def _part(found: Found, path: Path, chosen: Filter | None) -> _Part:
    if isinstance(found, Scan):
        pieces = _drawn(found.pieces, path)
        if chosen:
            pieces = chosen.pieces(pieces, path)
        return _Part(pieces, path, found.notes, partial(found.cloud, path=path))
    assert isinstance(found, PointCloud)
    cloud = chosen.cloud(found, path) if chosen else found
    return _Part(numbered(cloud.points), path, [], lambda columns: cloud.select(columns["row"]))


def _drawn(pieces: Iterable[Columns], path: Path) -> Iterator[Columns]:
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
    """A cloud alone, of which nothing is copied where all of it is kept."""
    if chosen:
        cloud = chosen.cloud(cloud, path)
        chosen.check(str(path))
        cloud = replace(cloud, notes=(*cloud.notes, *chosen.notes()))
    return cloud if max_points is None else thinned(cloud, max_points)


def _joined(parts: Sequence[tuple[PointCloud, str]]) -> PointCloud:
    """The clouds one after the other, with the attributes that all have; each note with its cloud's name."""
    clouds = [cloud for cloud, _ in parts]
    if len(clouds) == 1:
        return clouds[0]
    columns = [{**_attributes(cloud), **cloud.scalars} for cloud in clouds]
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


def _attributes(cloud: PointCloud) -> dict[str, np.ndarray]:
    found = {name: getattr(cloud, name) for name in _ATTRIBUTES}
    return {name: values for name, values in found.items() if values is not None}
