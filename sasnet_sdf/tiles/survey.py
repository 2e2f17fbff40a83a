"""The first look at a scan of any size: where its points lie, how many, and a thinned cloud of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..config import Config
from ..errors import UsageError
from ..geometry import Array, PointCloud, TriangleMesh
from ..io.access import read
from ..io.columns import PIECE, Columns, Scan, finite, positions, rows_in, taken
from ..io.merging import Filter, drawn, joined_clouds
from ..io.thinning import sifted
from ..io.validate import are_encoded, unit_normals, validated
from ..problems.loading import name_of, of_arrays, sources_of
from .occupied import Occupied
from .tiling import Voxels

ATTRIBUTES = ("normals", "colors", "sensors")

_DECIDING = 10_000
"""Rows that decide what the columns of a source mean where thinning keeps none of its points."""


@dataclass(frozen=True)
class Pieces:
    """An input that can be read any number of times, piece by piece; made by `pieces_of`."""

    source: Any
    config: Config

    @property
    def name(self) -> str:
        """The name of the input in messages."""
        return "the input" if callable(self.source) else name_of(self.source)

    @property
    def path(self) -> Any:
        """The file of the input, a list of several, or None, for the report."""
        if callable(self.source):
            return None
        paths = [str(p) if isinstance(p, (str, Path)) else None for p in sources_of(self.source)]
        return paths if len(paths) > 1 else paths[0]

    def opened(self) -> Iterator[tuple[Scan, Path]]:
        """The sources, each opened when it is drawn. Raises what reading raises."""
        for source in [self.source] if callable(self.source) else sources_of(self.source):
            if isinstance(source, (str, Path)):
                found, path = read(source, "cloud", "mesh", max_memory=self.config.max_memory), Path(source)
            else:
                found, path = source, Path("the input")
            if isinstance(found, Scan):
                yield found, path
                continue
            clouds: Any = found() if callable(found) else iter([found])
            scan = Scan(())
            scan.pieces = _columns_of(clouds, scan, path)
            yield scan, path

    def wanted(self, scan: Scan, path: Path, chosen: Filter) -> Iterator[Columns]:
        """The pieces of a source with the points that the filter keeps, at most PIECE rows at a time."""
        for piece in chosen.pieces(drawn(scan.pieces, path), path):
            for start in range(0, rows_in(piece), PIECE):
                yield taken(piece, slice(start, start + PIECE))


def _columns_of(clouds: Iterable[Any], scan: Scan, path: Path) -> Iterator[Columns]:
    """The columns of clouds in memory, under the names that io.columns knows; their notes go to the scan.

    Raises UsageError for a mesh.
    """
    for given in clouds:
        cloud = of_arrays(given)
        if isinstance(cloud, TriangleMesh):
            raise UsageError(f"{path}: is a mesh, but tiles need a point cloud; give --tiles off")
        scan.notes += [note for note in cloud.notes if note not in scan.notes]
        scan.geographic |= cloud.geographic
        columns: Columns = dict(cloud.scalars)
        for names, rows in (
            (("x", "y", "z"), cloud.points),
            (("nx", "ny", "nz"), cloud.normals),
            (("red", "green", "blue"), cloud.colors),
            (("vx", "vy", "vz"), cloud.sensors),
        ):
            if rows is not None:
                columns |= dict(zip(names, rows.T, strict=True))
        yield columns


@dataclass(frozen=True)
class Survey:
    """What one pass over the input found.

    pieces: the input. voxels: where its points lie. coarse: the scan, thinned and validated. points: number
    of finite points that are wanted. low, high: (3,) their bounds, in world units. notes: sentences for the
    user, except on thinning. settled: for each source, the function that makes clouds of its pieces; None
    where no point is wanted. encoded: whether the normals of the pieces are stored as n / 2 + 1 / 2.
    """

    pieces: Pieces
    voxels: Voxels
    coarse: PointCloud
    points: int
    low: Array
    high: Array
    notes: tuple[str, ...]
    settled: tuple[Callable[[Columns], PointCloud] | None, ...] = field(repr=False)
    encoded: bool

    @classmethod
    def of(cls, source: Any, config: Config, coarse_points: int, side: float | None) -> Survey:
        """Read the input once. coarse_points: the most that `coarse` has. side: of a tile, or None.

        The voxels do not depend on the order of the points. With a side, that of the voxels is side / 2^k.
        In memory are the coarse cloud, the voxels and a piece, besides what a reader holds that does not
        read piece by piece. Raises UsageError, UnreadableInput and UnusableGeometry.
        """
        pieces, chosen = Pieces(source, config), Filter(config.input)
        occupied = Occupied(side, config.extraction.edge_length)
        opened: list[tuple[Scan, Path]] = []
        first: dict[int, Columns] = {}

        def scans() -> Iterator[tuple[Iterator[Columns], Path, list[str]]]:
            for number, (scan, path) in enumerate(pieces.opened()):
                opened.append((scan, path))
                yield watched(number, scan, path), path, scan.notes

        def watched(number: int, scan: Scan, path: Path) -> Iterator[Columns]:
            for piece in pieces.wanted(scan, path, chosen):
                if number not in first:
                    first[number] = {name: v[:_DECIDING].copy() for name, v in piece.items()}
                points = positions(piece, path)
                occupied.add(points[finite(points)])
                yield piece

        with np.errstate(all="ignore"):  # as in io.read_merged
            columns, sieve = sifted(scans(), coarse_points)
            chosen.check(pieces.name)
            settled: list[Callable[[Columns], PointCloud] | None] = [None] * len(opened)
            clouds: list[tuple[PointCloud, str]] = []
            # points that a filter leaves out of a source say nothing about the attributes of the others
            for number in sorted(first) or [0]:
                (scan, path), kept = opened[number], columns[number]
                deciding = kept if rows_in(kept) else {name: first.get(number, kept)[name] for name in kept}
                function = settled[number] = scan.settled(deciding, path)
                clouds.append((function(kept), path.name))
            whole = joined_clouds(clouds)
            encoded = whole.normals is not None and are_encoded(whole.normals)
            coarse, more = validated(replace(whole, notes=()), pieces.name)
        assert isinstance(coarse, PointCloud)
        notes = (*whole.notes, *chosen.notes(), *sieve.notes())
        notes += tuple(f"in a sample of the scan: {note}" for note in more)
        return cls(
            pieces,
            occupied.voxels(),
            replace(coarse, notes=notes),
            sieve.finite,
            occupied.low,
            occupied.high,
            notes,
            tuple(settled),
            encoded,
        )

    def clouds(self) -> Iterator[PointCloud]:
        """The input once more, in pieces of at most PIECE finite, wanted points, in the order of the input.

        They have the attributes of the coarse cloud, in its types, with unit normals. Where there is no
        usable normal, it is NaN; sensors are as stored. Raises UsageError where the input has changed, and
        whatever reading raises.
        """
        chosen = Filter(self.pieces.config.input)
        for settled, (scan, path) in zip(self.settled, self.pieces.opened(), strict=True):
            for piece in self.pieces.wanted(scan, path, chosen):
                if settled is None:
                    raise changed(str(path))
                with np.errstate(all="ignore"):
                    cloud = self._like_coarse(settled(piece))
                yield cloud

    def _like_coarse(self, cloud: PointCloud) -> PointCloud:
        """The finite points of a piece, with the attributes that the coarse cloud has."""
        coarse, usable = self.coarse, finite(cloud.points)
        if not usable.all():
            cloud = cloud.select(usable)
        normals = None if coarse.normals is None else cloud.normals
        return replace(
            cloud,
            normals=None if normals is None else unit_normals(normals, self.encoded),
            colors=None if coarse.colors is None else cloud.colors,
            sensors=None if coarse.sensors is None else cloud.sensors,
            scalars={n: cloud.scalars[n].astype(v.dtype, copy=False) for n, v in coarse.scalars.items()},
        )


def changed(name: str) -> UsageError:
    """The error for an input that is not the same at each reading."""
    return UsageError(f"{name}: differs between two readings; run again when nothing changes it")
