"""The points of each tile, in files of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..geometry import Array, PointCloud
from ..io.columns import PIECE, finite
from ..io.files import write_json
from ..runtime.progress import tick
from .boxes import voxels_in
from .occupied import keys_in, keys_of
from .scratch import Scratch
from .survey import Survey, changed
from .tiling import Tiling

_DONE = "done.json"


def distribute(survey: Survey, tiling: Tiling, scratch: Scratch, carry: Sequence[str] = ()) -> None:
    """Read the input once more, and write the points of each tile to files, in the order of the input.

    Points in no tile are left out.

    carry: names of scalars to write as well; `check_carried` has found that they exist. In memory are two
    pieces and what a reader holds. Raises UsageError where the input has changed since the survey or the
    folder cannot be written, and whatever reading raises.
    """
    with scratch.writing():
        (scratch.folder / "raw" / _DONE).unlink(missing_ok=True)
    tiles = np.full(len(survey.voxels.counts), -1, np.int64)
    for tile in tiling.tiles:
        tiles[voxels_in((np.array(tile.low), np.array(tile.high)), survey.voxels)] = tile.number
    keys, name = keys_in(survey.voxels), survey.pieces.name
    kinds = {suffix: (v.dtype, v.shape[1:]) for suffix, v in _columns(survey.coarse, carry).items()}
    with _Files(scratch, tiling, kinds, name) as files:
        found = 0
        for piece in survey.clouds():
            own = keys_of(piece.points, survey.voxels)
            voxel = np.searchsorted(keys, own).clip(max=len(keys) - 1)
            if not (keys[voxel] == own).all():
                raise changed(name)
            found += len(piece)
            inside = tiles[voxel] >= 0
            if not inside.all():  # far from all others
                piece, voxel = piece.select(inside), voxel[inside]
            files.add(tiles[voxel], _columns(piece, carry))
            tick(found / survey.points)
        files.finish()
    written = {**_described(tiling), "attributes": list(kinds), "scalars": list(carry)}
    scratch.write(scratch.folder / "raw" / _DONE, lambda partial: write_json(partial, written))


def is_distributed(tiling: Tiling, scratch: Scratch, carry: Sequence[str] = ()) -> bool:
    """Whether the folder has all points of these very tiles already, with these scalars."""
    try:
        there = json.loads((scratch.folder / "raw" / _DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(there, dict) or not (
        there.items() >= {**_described(tiling), "scalars": list(carry)}.items()
    ):
        return False
    places = (scratch.path("raw", t.number, name) for t in tiling.tiles for name in there["attributes"])
    return all(place.is_file() for place in places)


def read_raw(
    scratch: Scratch, number: int, low: Array | None = None, high: Array | None = None
) -> PointCloud:
    """The points of a tile that `distribute` wrote, without those that lack a usable normal or sensor.

    low, high: (3,) in world units; only points with low <= point < high are read. Raises UsageError where the
    files are missing or damaged.
    """
    place = scratch.folder / "raw" / _DONE
    try:
        there = json.loads(place.read_text(encoding="utf-8"))
        suffixes, scalars = there["attributes"], there["scalars"]
        columns: dict[str, Any] = {}
        rows: NDArray[Any] | slice = slice(None)
        for suffix in suffixes:  # the points come first
            place = scratch.path("raw", number, suffix)
            values = np.load(place, mmap_mode="r", allow_pickle=False)
            if suffix == "points.npy" and low is not None and high is not None:
                rows = np.flatnonzero(((values >= low) & (values < high)).all(axis=1))
            columns[suffix.removesuffix(".npy")] = np.array(values[rows])
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        raise UsageError(
            f"{place}: a scratch file is missing or damaged ({error}): delete it, if it is there"
        ) from error
    if "normals" in columns:
        columns["normals"] = columns["normals"].astype(np.float64)
    carried = {name: columns.pop(f"scalar_{k}") for k, name in enumerate(scalars)}
    cloud = PointCloud(**columns, scalars=carried)
    usable = np.ones(len(cloud), np.bool_)
    for vectors in (cloud.normals, cloud.sensors):
        if vectors is not None:
            usable &= finite(vectors)
    return cloud if usable.all() else cloud.select(usable)


def _described(tiling: Tiling) -> dict[str, Any]:
    """What determines which points are in the files of a tiling, as JSON would give it back."""
    return {
        "origin": tiling.origin.tolist(),
        "side": tiling.side,
        "tiles": [[*tile.low, *tile.high, tile.points] for tile in tiling.tiles],
    }


def _columns(cloud: PointCloud, carry: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The arrays (N, ...) that are written, by the suffixes of their files; the points come first."""
    columns: dict[str, NDArray[Any]] = {"points.npy": np.asarray(cloud.points, np.float64)}
    if cloud.normals is not None:
        columns["normals.npy"] = np.asarray(cloud.normals, np.float32)
    if cloud.colors is not None:
        columns["colors.npy"] = np.asarray(cloud.colors, np.uint8)
    if cloud.sensors is not None:
        columns["sensors.npy"] = np.asarray(cloud.sensors, np.float64)
    return columns | {f"scalar_{k}.npy": cloud.scalars[name] for k, name in enumerate(carry)}


class _Files:
    """NPY files of all tiles, written under temporary names; rows wait in memory until a piece is full.

    kinds: the type and the shape of a row, by the suffix of the file. name: of the input, in errors.
    """

    def __init__(self, scratch: Scratch, tiling: Tiling, kinds: dict[str, Any], name: str):
        self._scratch, self._tiling, self._kinds, self._name = scratch, tiling, kinds, name
        self._missing = np.array([tile.points for tile in tiling.tiles])
        self._waiting: list[tuple[NDArray[np.int64], dict[str, NDArray[Any]]]] = []
        self._rows = 0

    def __enter__(self) -> _Files:
        with self._scratch.writing():
            (self._scratch.folder / "raw").mkdir(parents=True, exist_ok=True)
            for tile in self._tiling.tiles:
                for suffix, (kind, shape) in self._kinds.items():
                    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False}
                    with self._partial(tile.number, suffix).open("wb") as file:
                        np.lib.format.write_array_header_1_0(file, {**header, "shape": (tile.points, *shape)})
        return self

    def __exit__(self, *_: object) -> None:
        for tile in self._tiling.tiles:
            for suffix in self._kinds:
                self._partial(tile.number, suffix).unlink(missing_ok=True)

    def add(self, tiles: NDArray[np.int64], columns: dict[str, NDArray[Any]]) -> None:
        """Append rows to the files of their tiles (N,)."""
        self._waiting.append((tiles, columns))
        self._rows += len(tiles)
        if self._rows >= PIECE:
            self._flush()

    def finish(self) -> None:
        """Give all files their names. Raises UsageError where rows are missing."""
        self._flush()
        if self._missing.any():
            raise changed(self._name)
        with self._scratch.writing():
            for tile in self._tiling.tiles:
                for suffix in self._kinds:
                    self._partial(tile.number, suffix).replace(self._scratch.path("raw", tile.number, suffix))

    def _flush(self) -> None:
        if not self._waiting:
            return
        tiles = np.concatenate([tiles for tiles, _ in self._waiting])
        order = np.argsort(tiles, kind="stable")
        numbers, starts = np.unique(tiles[order], return_index=True)
        self._missing -= np.bincount(tiles, minlength=len(self._missing))
        if (self._missing < 0).any():
            raise changed(self._name)
        with self._scratch.writing():
            for suffix in self._kinds:
                values = np.concatenate([columns[suffix] for _, columns in self._waiting])[order]
                for number, rows in zip(numbers, np.split(values, starts[1:]), strict=True):
                    with self._partial(number, suffix).open("ab") as file:
                        file.write(rows.tobytes())
        self._waiting, self._rows = [], 0

    def _partial(self, number: int, suffix: str) -> Path:
        place = self._scratch.path("raw", number, suffix)
        return place.with_name(f".{place.name}")
